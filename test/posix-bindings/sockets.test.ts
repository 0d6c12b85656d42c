/* A descriptor travels through a socket, and nothing else is taken for one. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import v8 from 'node:v8';
import vm from 'node:vm';
import t from 'tap';
import { fd as brandFd } from '../../posix/fd.js';
import { close } from '../../posix/files.js';
import {
  receiveDescriptor,
  receiveDescriptorAsync,
  sendDescriptor,
  socketpair,
} from '../../posix/sockets.js';

const root = fs.mkdtempSync(path.join(os.tmpdir(), 'ftpmount-sockets-'));
t.teardown(() => fs.rmSync(root, { recursive: true, force: true }));
const file = path.join(root, 'file');
fs.writeFileSync(file, 'sent');

const openDescriptors = (): number => fs.readdirSync('/proc/self/fd').length;
const flagsOf = (fd: number): string => fs.readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8');
const CLOEXEC = /^flags:\s+0?2\d{6}$/m;

t.test('a descriptor arrives as another one of the same file, close-on-exec', async (t) => {
  const [left, right] = socketpair();
  t.match(flagsOf(left), CLOEXEC);
  t.match(flagsOf(right), CLOEXEC);
  const sent = brandFd(fs.openSync(file, 'r'));
  sendDescriptor(left, sent);
  const received = receiveDescriptor(right);
  t.not(received, sent);
  close(sent);
  t.match(flagsOf(received), CLOEXEC);
  t.equal(fs.readFileSync(received, 'utf8'), 'sent');
  for (const fd of [received, left, right]) close(fd);
});

t.test('waiting for a descriptor leaves the event loop free', async (t) => {
  const [left, right] = socketpair();
  const sent = brandFd(fs.openSync(file, 'r'));
  const waiting = receiveDescriptorAsync(right);
  // Sent by this same thread, which a blocking receive would never let come so far.
  setImmediate(() => sendDescriptor(left, sent));
  const received = await waiting;
  t.equal(fs.readFileSync(received, 'utf8'), 'sent');
  for (const fd of [received, sent, left, right]) close(fd);
});

t.test('the other side closes without sending', async (t) => {
  const [left, right] = socketpair();
  const waiting = receiveDescriptorAsync(right);
  close(left);
  await t.rejects(waiting, { name: 'PosixError', code: 'ECONNRESET', syscall: 'recvmsg' });
  t.throws(() => receiveDescriptor(right), { code: 'ECONNRESET' });
  close(right);
});

t.test('a byte without a descriptor is not taken for one sent before', async (t) => {
  const [left, right] = socketpair();
  sendDescriptor(left, left);
  close(receiveDescriptor(right));
  const before = openDescriptors();
  fs.writeSync(left, 'x');
  t.throws(() => receiveDescriptor(right), { code: 'EBADMSG', syscall: 'recvmsg' });
  t.equal(openDescriptors(), before);
  for (const fd of [left, right]) close(fd);
});

t.test('what the message points to outlives garbage collection', async (t) => {
  v8.setFlagsFromString('--expose-gc');
  const collect = vm.runInNewContext('gc') as () => void;
  const [left, right] = socketpair();
  let received = 0;
  for (let i = 0; i < 20; i++) {
    collect();
    // Takes the memory that was freed, were it the message's.
    const other = Array.from({ length: 500 }, () => Buffer.alloc(16, 0xee));
    sendDescriptor(left, left);
    close(receiveDescriptor(right));
    received += 1;
    if (other.some((buffer) => !buffer.equals(Buffer.alloc(16, 0xee)))) t.fail('other memory was written');
  }
  t.equal(received, 20);
  for (const fd of [left, right]) close(fd);
});

t.test('what is no socket', async (t) => {
  const fd = brandFd(fs.openSync(file, 'r'));
  t.throws(() => receiveDescriptor(fd), { code: 'ENOTSOCK', syscall: 'recvmsg' });
  t.throws(() => sendDescriptor(fd, fd), { code: 'ENOTSOCK', syscall: 'sendmsg' });
  close(fd);
});
