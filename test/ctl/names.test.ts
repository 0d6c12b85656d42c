import t from 'tap';
import { displayName, lastComponent, localJoin, outputName } from '../../ctl/names.js';

t.test('last components', async (t) => {
  const names: readonly (readonly [string, string])[] = [
    ['a', 'a'],
    ['a/b', 'b'],
    ['/a/b//', 'b'],
    ['/', ''],
    ['', ''],
    ['.', ''],
    ['..', ''],
    ['a/..', ''],
    ['a/.', ''],
    ['.hidden', '.hidden'],
  ];
  for (const [path, name] of names) t.equal(lastComponent(Buffer.from(path)).toString(), name, path);
});

t.test('local paths', async (t) => {
  const join = (a: string, b: string): string => localJoin(Buffer.from(a), Buffer.from(b)).toString();
  t.equal(join('a', 'b'), 'a/b');
  t.equal(join('/', 'b'), '/b');
  t.equal(join('a/', 'b'), 'a/b');
  t.equal(join('', 'b'), 'b');
  t.equal(join('a', ''), 'a');
});

t.test('names are bytes for programs, and harmless for terminals', async (t) => {
  const name = Buffer.from('a\nb\x1b');
  t.same(outputName(name, false), name);
  t.equal(outputName(name, true).toString(), 'a\\nb\\x1b');
  t.equal(displayName(Buffer.from([0x67, 0xfc, 0x6e])), 'g\\xfcn', 'Latin-1 is no UTF-8');
  t.equal(displayName(Buffer.from('grün')), 'grün');
});
