import t from 'tap';
import { parseRemotePath } from '../../client/remote-path.js';

t.test('paths of a home never lead above it', async (t) => {
  const paths: readonly (readonly [string, string])[] = [
    ['', ''],
    ['/', ''],
    ['.', ''],
    ['a/b', 'a/b'],
    ['/a//b/', 'a/b'],
    ['./a/./b', 'a/b'],
    ['a/../b', 'b'],
    ['..', ''],
    ['../../etc/passwd', 'etc/passwd'],
    ['a/../../b', 'b'],
    ['...', '...'],
    ['a b\nc', 'a b\nc'],
    ['grün', 'grün'],
  ];
  for (const [text, path] of paths) t.equal(parseRemotePath(text).toString(), path, JSON.stringify(text));
  t.throws(() => parseRemotePath('a\0b'), { name: 'Failure', kind: 'USAGE' });
  t.throws(() => parseRemotePath('x'.repeat(256)), { name: 'Failure', kind: 'USAGE' });
});

t.test('relative ones begin where they are told to', async (t) => {
  const from = parseRemotePath('docs/old');
  for (const [text, path] of [
    ['', 'docs/old'],
    ['.', 'docs/old'],
    ['a', 'docs/old/a'],
    ['../a', 'docs/a'],
    ['../../..', ''],
    ['/a', 'a'],
  ] as const) {
    t.equal(parseRemotePath(text, from).toString(), path, JSON.stringify(text));
  }
  const bytes = Buffer.from([0x61, 0xff]);
  t.ok(parseRemotePath(bytes, from).equals(Buffer.concat([Buffer.from('docs/old/'), bytes])), 'bytes stay');
});
