/*
 * A pair of connected sockets, and a descriptor received through one (SCM_RIGHTS, unix(7)): how fusermount3
 * hands over the mounted /dev/fuse. A received descriptor is close-on-exec from the start.
 */
import { constants } from 'node:os';
import { PosixError } from './error.js';
import type { Fd } from './fd.js';
import { addressOf, checked, IOVEC_BYTES, libc } from './libc.js';
import { watchReadable } from './readiness.js';

export const AF_UNIX = 1;
const SOCK_STREAM = 1;
export const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_CMSG_CLOEXEC = 0x40000000;

const libcSocketpair = libc<(domain: number, type: number, protocol: number, into: Uint8Array) => number>(
  'socketpair',
  'int',
  ['int', 'int', 'int', 'uint8_t *'],
);
const libcRecvmsg = libc<(fd: Fd, message: Uint8Array, flags: number) => number>('recvmsg', 'int64_t', [
  'int',
  'uint8_t *',
  'int',
]);
const libcSendmsg = libc<(fd: Fd, message: Uint8Array, flags: number) => number>('sendmsg', 'int64_t', [
  'int',
  'const uint8_t *',
  'int',
]);

/** Two connected stream sockets, both close-on-exec. */
export function socketpair(): [Fd, Fd] {
  const pair = Buffer.alloc(8);
  checked(libcSocketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 'socketpair');
  return [pair.readInt32LE(0) as Fd, pair.readInt32LE(4) as Fd];
}

// One message: struct msghdr, and what it points to: a struct iovec, one byte of data, and a struct cmsghdr with
// room for exactly one descriptor (the kernel would install as many as fit, and none but one is ours to close).
// All of it is one buffer, so that what is pointed to lives as long as the pointers; reused, since every call
// that takes it is synchronous.
const IOVEC = 56;
const DATA = IOVEC + IOVEC_BYTES;
/** struct cmsghdr: 64 bits of length, 32 of level, 32 of type; then the descriptor. */
const CONTROL = DATA + 8;
/** CMSG_LEN(sizeof(int)), without the padding that CMSG_SPACE has. */
const CONTROL_BYTES = 20;
const MSG_CONTROLLEN = 40;

const message = Buffer.alloc(CONTROL + CONTROL_BYTES);
const address = addressOf(message);
message.writeBigUInt64LE(address + BigInt(IOVEC), 16);
message.writeUInt32LE(1, 24);
message.writeBigUInt64LE(address + BigInt(CONTROL), 32);
message.writeBigUInt64LE(address + BigInt(DATA), IOVEC);
message.writeUInt32LE(1, IOVEC + 8);

/**
 * Receives the descriptor that comes with the next byte; blocks for it. ECONNRESET when the other side closed
 * without sending, EBADMSG when a byte came without a descriptor.
 */
export function receiveDescriptor(fd: Fd): Fd {
  message.fill(0, CONTROL);
  message.writeUInt32LE(CONTROL_BYTES, MSG_CONTROLLEN);
  const length = checked(libcRecvmsg(fd, message, MSG_CMSG_CLOEXEC), 'recvmsg');
  if (length === 0) throw new PosixError(constants.errno.ECONNRESET, 'recvmsg');
  const complete = message.readUInt32LE(MSG_CONTROLLEN) >= CONTROL_BYTES;
  const rights =
    message.readInt32LE(CONTROL + 8) === SOL_SOCKET && message.readInt32LE(CONTROL + 12) === SCM_RIGHTS;
  if (!complete || !rights) throw new PosixError(constants.errno.EBADMSG, 'recvmsg');
  return message.readInt32LE(CONTROL + 16) as Fd;
}

/** receiveDescriptor() that waits on the event loop. Makes the socket non-blocking. */
export async function receiveDescriptorAsync(fd: Fd): Promise<Fd> {
  await new Promise<void>((resolve) => {
    const watch = watchReadable(fd, () => {
      watch.close();
      resolve();
    });
  });
  return receiveDescriptor(fd);
}

/** Sends a descriptor, which stays open here, with one byte. */
export function sendDescriptor(fd: Fd, descriptor: Fd): void {
  message.writeUInt32LE(CONTROL_BYTES, CONTROL);
  message.writeUInt32LE(0, CONTROL + 4);
  message.writeInt32LE(SOL_SOCKET, CONTROL + 8);
  message.writeInt32LE(SCM_RIGHTS, CONTROL + 12);
  message.writeInt32LE(descriptor, CONTROL + 16);
  message.writeUInt32LE(CONTROL_BYTES, MSG_CONTROLLEN);
  checked(libcSendmsg(fd, message, 0), 'sendmsg');
}
