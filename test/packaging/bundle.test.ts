/* The programs that the build makes. */
import { readFileSync } from 'node:fs';
import { transform } from 'esbuild';
import t from 'tap';
import { programs } from '../lib/programs.js';
import { readSources } from '../lib/sources.js';

t.test('nothing is started by the place of its module, which is another one in the programs', async (t) => {
  const users = readSources().filter(({ text }) => text.includes('import.meta'));
  t.strictSame(
    users.map(({ file }) => file).filter((file) => !/^(?:bench|demo|packaging|test)\//.test(file)),
    ['program/location.ts', 'program/version.ts', 'mount/fuse-native/binding.ts'],
  );
});

for (const [program, file] of Object.entries(programs)) {
  t.test(`node 12 can read all of ${program} until it is told that it is too old`, async (t) => {
    const text = readFileSync(file, 'utf8');
    const requiring = [...text.matchAll(/\brequire\(([^)]*)\)/g)].map(([, what]) => what);
    t.strictSame(requiring, [`"./${program}-main.cjs"`], 'node 12 knows no node:url');
    const [asItIs, forOld] = await Promise.all(
      ['esnext', 'node12'].map((target) => transform(text, { target })),
    );
    t.equal(asItIs?.code, forOld?.code, 'its syntax');
  });
}
