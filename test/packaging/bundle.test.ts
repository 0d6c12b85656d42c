/* What a program starts is a file that the build makes. */
import t from 'tap';
import { readSources } from '../lib/sources.js';

t.test('nothing is started by the place of its module, which is another one in the programs', async (t) => {
  const byPlace = /new URL\(\s*'[^']*\.js',\s*import\.meta\.url/;
  const sources = readSources().filter(({ file }) => !file.startsWith('test/') && !file.startsWith('bench/'));
  t.ok(sources.length > 0);
  t.strictSame(
    sources.filter(({ text }) => byPlace.test(text)).map(({ file }) => file),
    [],
  );
});
