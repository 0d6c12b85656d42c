/*
 * Waiting on node's event loop until a descriptor that node has no stream for (a character device such as
 * /dev/fuse) can be read, and reading it without blocking. This takes no thread of the pool, so that nothing
 * blocks a process that exits while it waits.
 *
 * Invariant: the callback runs as any callback of node does, and promises that it settles go on right after it.
 * koffi calls from within libuv's poll phase without that, hence the setImmediate, which runs in the same turn of
 * the loop (0.4 us).
 */
import { constants } from 'node:os';
import koffi from 'koffi';
import type { Fd } from './fd.js';
import { checked, lastErrno, libc } from './libc.js';

const libcRead = libc<(fd: Fd, into: Uint8Array, length: number) => number>('read', 'long', [
  'int',
  'uint8_t *',
  'unsigned long',
]);

/** A descriptor being watched. It keeps the process alive until it is closed. */
export interface Watch {
  /** Stops; the callback is not called any more. The descriptor stays open. */
  close(): void;
}

/**
 * Calls back whenever the descriptor is readable, has an error or a hang-up, again and again until it is read.
 * Makes the open file description non-blocking.
 */
export function watchReadable(fd: Fd, onReadable: () => void): Watch {
  let closed = false;
  const poll = koffi.node.poll(fd, { readable: true, disconnect: true }, () => {
    setImmediate(() => {
      if (!closed) onReadable();
    });
  });
  return {
    close() {
      if (closed) return;
      closed = true;
      poll.close();
    },
  };
}

/**
 * read(2) of a non-blocking descriptor into the buffer. Returns the bytes read, 0 at the end, undefined where there
 * is nothing to read now.
 */
export function readAvailable(fd: Fd, buffer: Buffer): number | undefined {
  const length = libcRead(fd, buffer, buffer.length);
  if (length >= 0) return length;
  const errno = lastErrno();
  if (errno === constants.errno.EAGAIN || errno === constants.errno.EINTR) return undefined;
  return checked(length, 'read');
}
