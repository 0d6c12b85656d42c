import t from 'tap';
import { encodeInvalEntry, encodeInvalInode, encodePrune, Notifier } from '../../../mount/fuse/notify.js';
import { nodeId } from '../../../protocol/ids.js';
import { i32, i64, name, u32, u64 } from './messages.js';

t.test('notifications as bytes', async (t) => {
  t.strictSame(
    encodeInvalInode(nodeId(8), -1, 0x1_0000_0000),
    Buffer.concat([
      u32(40), // len
      i32(2), // error: FUSE_NOTIFY_INVAL_INODE
      u64(0), // unique
      u64(8), // ino
      i64(-1), // off: attributes only
      i64(0x1_0000_0000), // len
    ]),
  );
  t.strictSame(
    encodeInvalEntry(nodeId(8), Buffer.from('caf\xe9', 'latin1')),
    Buffer.concat([
      u32(37), // len
      i32(3), // error: FUSE_NOTIFY_INVAL_ENTRY
      u64(0), // unique
      u64(8), // parent
      u32(4), // namelen, without the NUL
      u32(1), // flags: FUSE_EXPIRE_ONLY
      name('caf\xe9'),
    ]),
  );
  t.strictSame(
    encodePrune([nodeId(8), nodeId(9)]),
    Buffer.concat([
      u32(48), // len
      i32(9), // error: FUSE_NOTIFY_PRUNE
      u64(0), // unique
      u32(2), // count
      u32(0), // padding
      u64(0), // spare
      u64(8),
      u64(9),
    ]),
  );
});

t.test('they are written one after the other, in order, whatever comes of one', async (t) => {
  const written: Buffer[] = [];
  const finish: (() => void)[] = [];
  const notifier = new Notifier((message) => {
    written.push(message);
    return new Promise((resolve, reject) => {
      finish.push(written.length === 1 ? () => reject(new Error('ENOENT')) : resolve);
    });
  });
  notifier.invalidateEntry(nodeId(1), Buffer.from('a'));
  notifier.invalidateNode(nodeId(2), 0, 0);
  notifier.invalidateEntry(nodeId(2), Buffer.from('b'));
  const expected = [
    encodeInvalEntry(nodeId(1), Buffer.from('a')),
    encodeInvalInode(nodeId(2), 0, 0),
    encodeInvalEntry(nodeId(2), Buffer.from('b')),
  ];
  for (let count = 1; count <= expected.length; count++) {
    t.strictSame(written, expected.slice(0, count), 'the next waits for the one before');
    finish.at(-1)?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
  notifier.invalidateEntry(nodeId(1), Buffer.from('later'));
  t.equal(written.length, 4, 'and goes on after a pause');
});

t.test('attributes are dropped while a name waits for the lock of its directory', async (t) => {
  const written: Buffer[] = [];
  let finish: () => void = () => undefined;
  const notifier = new Notifier((message) => {
    written.push(message);
    if (written.length > 1) return Promise.resolve();
    return new Promise((resolve) => (finish = resolve));
  });
  notifier.invalidateEntry(nodeId(1), Buffer.from('a'));
  const { acted } = notifier;
  notifier.invalidateNode(nodeId(2), -1, 0);
  notifier.invalidateNode(nodeId(2), 0, 0);
  await notifier.settled('attributes');
  t.strictSame(written, [encodeInvalEntry(nodeId(1), Buffer.from('a')), encodeInvalInode(nodeId(2), -1, 0)]);
  t.equal(notifier.acted, acted, 'who waits for the name does not get on by that');
  const all = notifier.settled();
  finish();
  await all;
  t.not(notifier.acted, acted);
  t.strictSame(written.at(-1), encodeInvalInode(nodeId(2), 0, 0));
});

t.test('who waits for the kernel does not wait for what it is told later', async (t) => {
  const finish: (() => void)[] = [];
  const notifier = new Notifier(() => new Promise((resolve) => finish.push(resolve)));
  await notifier.settled();
  notifier.invalidateEntry(nodeId(1), Buffer.from('a'));
  let settled = false;
  const waiting = notifier.settled().then(() => (settled = true));
  notifier.invalidateEntry(nodeId(1), Buffer.from('later'));
  await new Promise((resolve) => setImmediate(resolve));
  t.notOk(settled);
  finish[0]?.();
  await waiting;
  t.equal(finish.length, 2, 'that is being written');
});

t.test('what the kernel is still to be told is not told twice', async (t) => {
  const written: Buffer[] = [];
  let finish: () => void = () => undefined;
  const notifier = new Notifier((message) => {
    written.push(message);
    return new Promise((resolve) => (finish = resolve));
  }, 0);
  const tell = (): void => {
    notifier.invalidateNode(nodeId(2), 0, 0);
    notifier.invalidateNode(nodeId(3), 0, 0);
    notifier.invalidateEntry(nodeId(1), Buffer.from('a'));
  };
  tell();
  let settled = 0;
  for (let again = 0; again < 1000; again++) {
    tell();
    void notifier.settled().then(() => (settled += 1));
  }
  const node = encodeInvalInode(nodeId(2), 0, 0);
  // The first one is being written, and may have been acted on: it is told again.
  const expected = [
    node,
    encodeInvalInode(nodeId(3), 0, 0),
    encodeInvalEntry(nodeId(1), Buffer.from('a')),
    node,
  ];
  for (let count = 1; count <= expected.length; count++) {
    t.strictSame(written, expected.slice(0, count));
    t.equal(settled, 0);
    finish();
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.equal(settled, 1000);
  tell();
  t.equal(written.length, expected.length + 1, 'what was written is told anew');
});
