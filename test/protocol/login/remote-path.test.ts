import t from 'tap';
import { parseRemotePath } from '../../../protocol/login/remote-path.js';

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
