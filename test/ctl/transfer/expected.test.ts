import { linkSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Expected } from '../../../ctl/output/display.js';
import { expectedOf } from '../../../ctl/transfer/expected.js';
import { parseRule } from '../../../ctl/transfer/filter.js';
import { temporaryDirectory } from '../../lib/directory.js';

const tree = join(temporaryDirectory(t), 'tree');
mkdirSync(join(tree, 'sub'), { recursive: true });
writeFileSync(join(tree, 'a'), 'x'.repeat(1000));
writeFileSync(join(tree, 'sub/b'), 'x'.repeat(200));
linkSync(join(tree, 'a'), join(tree, 'sub/same'));

async function expected(flags: Parameters<typeof expectedOf>[1], ...names: string[]): Promise<Expected> {
  const { files, bytes } = await expectedOf(
    names.map((name) => Buffer.from(name)),
    { recursive: true, ...flags },
    new AbortController().signal,
  );
  return { files, bytes };
}

t.test('files and bytes of trees', async (t) => {
  t.strictSame(await expected({}, tree), { files: 3, bytes: 2200 });
  t.strictSame(await expected({ hardLinks: true }, tree), { files: 2, bytes: 1200 });
  t.strictSame(await expected({ filter: [parseRule('sub', true)] }, `${tree}/`), { files: 1, bytes: 1000 });
  t.strictSame(await expected({ recursive: false }, tree, join(tree, 'a')), { files: 1, bytes: 1000 });
});

t.test('what is gone is passed over', async (t) => {
  const gone = join(tree, 'gone');
  writeFileSync(gone, 'x');
  rmSync(gone);
  t.strictSame(await expected({}, gone, tree, join(tree, 'sub/b')), { files: 4, bytes: 2400 });
});

t.test('it ends when that is not wanted any more', async (t) => {
  const { files } = await expectedOf([Buffer.from(tree)], { recursive: true }, AbortSignal.abort());
  t.equal(files, 0);
});
