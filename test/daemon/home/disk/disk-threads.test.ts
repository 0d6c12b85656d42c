/*
 * The threads that wait for disks.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, read, writeSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { fd as brandFd } from '../../../../posix/fd.js';
import { DiskThreads, onDiskThread } from '../../../../daemon/home/disk/disk-threads.js';
import { temporaryDirectory } from '../../../lib/directory.js';
import { kindOf } from '../fixture.js';

const LIBUV_THREADS = 4;

t.test('syncs take none of the threads that read', async (t) => {
  const directory = temporaryDirectory(t);
  const fifo = join(directory, 'fifo');
  execFileSync('mkfifo', [fifo]);
  const file = brandFd(openSync(join(directory, 'f'), 'w'));
  // Its thread has started.
  await onDiskThread(t, 'fsync', file);
  const pipe = openSync(fifo, constants.O_RDWR);
  // Each waits on a thread for a byte.
  const reads = Array.from({ length: LIBUV_THREADS }, () =>
    promisify(read)(pipe, Buffer.alloc(1), 0, 1, null),
  );
  t.teardown(async () => {
    writeSync(pipe, Buffer.alloc(LIBUV_THREADS));
    await Promise.all(reads);
    closeSync(pipe);
    closeSync(file);
  });
  await onDiskThread(t, 'fsync', file);
  await onDiskThread(t, 'fdatasync', file);
});

t.test('what fails has its errno', async (t) => {
  const none = brandFd(0x7fff_ffff);
  for (const call of ['syncfs', 'fsync', 'fdatasync'] as const) {
    t.equal(await kindOf(() => onDiskThread(t, call, none)), 'EBADF');
  }
});

t.test('who has few has his turn among many of another', async (t) => {
  const file = brandFd(openSync(join(temporaryDirectory(t), 'f'), 'w'));
  const threads = new DiskThreads(1);
  const order: string[] = [];
  const sync = (owner: object, name: string): Promise<unknown> =>
    threads.run(owner, { call: 'fdatasync', fd: file }).then(() => order.push(name));
  const [one, two] = [{}, {}];
  await Promise.all([
    ...Array.from({ length: 20 }, () => sync(one, 'one')),
    sync(two, 'two'),
    sync(two, 'two'),
  ]);
  t.ok(order.lastIndexOf('two') <= 4, order.join(' '));
  closeSync(file);
});

t.test('where no thread may start any more, what is asked for is done', async (t) => {
  const file = brandFd(openSync(join(temporaryDirectory(t), 'f'), 'w'));
  const threads = new DiskThreads(2, () => true);
  const none = brandFd(0x7fff_ffff);
  await threads.run(t, { call: 'fsync', fd: file });
  t.equal(await kindOf(() => threads.run(t, { call: 'fsync', fd: none })), 'EBADF');
  closeSync(file);
});

t.test('where no other thread may start, the one that there is does all', async (t) => {
  const file = brandFd(openSync(join(temporaryDirectory(t), 'f'), 'w'));
  let replaced = false;
  const threads = new DiskThreads(5, () => replaced);
  const first = threads.run({}, { call: 'fsync', fd: file });
  replaced = true;
  await Promise.all([first, ...[1, 2, 3].map(() => threads.run({}, { call: 'fdatasync', fd: file }))]);
  closeSync(file);
});
