import t from 'tap';
import { bytesAnswered, bytesAsked, bytesSent } from '../../../protocol/session/file-data.js';
import { packOperation, SETXATTR, UNLINK, WRITE, type Operation } from '../../../protocol/operations.js';

const ID = { ino: 5n, birth: 6n };
const FILE = { ...ID, path: null };

t.test('what is asked for', async (t) => {
  t.equal(bytesAsked('read', [[5, 6], 0, 4096]), 4096);
  t.equal(bytesAsked('downloadRead', [1, 0, 4096]), 4096);
  t.equal(bytesAsked('fetch', [[[5, 6]], 8192]), 8192);
  t.equal(bytesAsked('xattrs', [[[5, 6]], 8192]), 8192);
  t.equal(bytesAsked('xattr', [[5, 6], Buffer.from('user.a')]), 65_536);
  t.equal(bytesAsked('list', [[5, 6], 1024]), 0);
});

t.test('what is sent', async (t) => {
  t.equal(bytesSent('uploadWrite', [1, 0], Buffer.alloc(10)), 10);
  t.equal(bytesSent('uploadWrite', [1, 0], [Buffer.alloc(10), Buffer.alloc(5)]), 15);
  t.equal(bytesSent('uploadWrite', [1, 0, Buffer.alloc(7)]), 7, 'also as a decoded parameter');
  t.equal(bytesSent('lookup', [Buffer.alloc(100), Buffer.from('n')]), 0, 'names are no file data');
});

t.test('what is sent within operations, packed or not', async (t) => {
  const write = (data: Buffer | null): Operation => ({
    kind: WRITE,
    file: FILE,
    offset: 0,
    data,
    time: null,
  });
  const unlink: Operation = {
    ...{ kind: UNLINK, directory: FILE, name: Buffer.from('n'), time: null, id: ID, hold: false },
  };
  const setxattr: Operation = {
    ...{
      kind: SETXATTR,
      file: FILE,
      time: null,
      xattr: Buffer.from('user.a'),
      value: Buffer.alloc(7),
      flags: 0,
    },
  };
  const operations = [write(Buffer.alloc(10)), unlink, write(Buffer.alloc(20)), write(null), setxattr];
  for (const ops of [operations, operations.map(packOperation)]) {
    t.equal(bytesSent('apply', [1, ops, null]), 37);
    t.equal(bytesSent('apply', [1, ops], Buffer.alloc(5)), 42);
    t.equal(bytesSent('apply', [1, ops, Buffer.alloc(5)]), 42);
    t.equal(bytesSent('change', [1, ops[0], null]), 10);
    t.equal(bytesSent('change', [1, ops[1], null]), 0);
    t.equal(bytesSent('change', [1, ops[4], null]), 7);
    t.equal(bytesSent('change', [1, ops[3]], Buffer.alloc(5)), 5);
  }
});

t.test('what an answer brings', async (t) => {
  t.equal(bytesAnswered('read', Buffer.alloc(5)), 5);
  t.equal(bytesAnswered('downloadRead', Buffer.alloc(5)), 5);
  t.equal(bytesAnswered('fetch', [[{}, Buffer.alloc(5)], null, [{}, Buffer.alloc(6)]]), 11);
  const name = Buffer.from('user.a');
  t.equal(bytesAnswered('xattr', Buffer.alloc(5)), 5);
  t.equal(
    bytesAnswered('xattrs', [
      [
        [name, Buffer.alloc(5)],
        [name, null],
      ],
      null,
      [[name, Buffer.alloc(6)]],
    ]),
    11,
  );
  t.equal(bytesAnswered('readlink', Buffer.alloc(5)), 0);
});
