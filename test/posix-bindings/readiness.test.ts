import { writeSync } from 'node:fs';
import t from 'tap';
import { close, dup } from '../../posix/files.js';
import { readAvailable, watchReadable } from '../../posix/readiness.js';
import { socketpair } from '../../posix/sockets.js';

t.test('calls back when there is something to read, and again until it is read', async (t) => {
  const [ours, theirs] = socketpair();
  t.teardown(() => {
    close(ours);
    close(theirs);
  });
  const buffer = Buffer.alloc(2);
  const read: string[] = [];
  await new Promise<void>((resolve) => {
    const watch = watchReadable(ours, () => {
      const length = readAvailable(ours, buffer);
      read.push(buffer.toString('latin1', 0, length));
      if (read.length < 2) return;
      t.equal(readAvailable(ours, buffer), undefined, 'nothing more, and it does not block');
      watch.close();
      watch.close(); // no harm
      resolve();
    });
    writeSync(theirs, 'abcd');
  });
  t.strictSame(read, ['ab', 'cd']);
});

t.test('promises that the callback settles go on before it is called again', async (t) => {
  const [ours, theirs] = socketpair();
  t.teardown(() => {
    close(ours);
    close(theirs);
  });
  const order: string[] = [];
  writeSync(theirs, 'x');
  await new Promise<void>((resolve) => {
    const watch = watchReadable(ours, () => {
      order.push('callback');
      if (order.length > 2) {
        watch.close();
        resolve();
      }
      void Promise.resolve().then(() => order.push('promise'));
    });
  });
  t.strictSame(order.slice(0, 3), ['callback', 'promise', 'callback']);
});

t.test('the end, and an error, are told', async (t) => {
  const [ours, theirs] = socketpair();
  close(theirs);
  const buffer = Buffer.alloc(2);
  const length = await new Promise((resolve) => {
    const watch = watchReadable(ours, () => {
      watch.close();
      resolve(readAvailable(ours, buffer));
    });
  });
  t.equal(length, 0);
  const closed = dup(ours);
  close(closed);
  close(ours);
  t.throws(() => readAvailable(closed, buffer), { code: 'EBADF', syscall: 'read' });
});
