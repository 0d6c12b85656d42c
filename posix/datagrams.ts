/*
 * One datagram to a Unix socket of somebody else (unix(7)), which node cannot send: how a service tells its manager
 * (sd_notify(3)).
 */
import { constants } from 'node:os';
import { PosixError } from './error.js';
import type { Fd } from './fd.js';
import { close } from './files.js';
import { checked, libc } from './libc.js';
import { AF_UNIX, SOCK_CLOEXEC } from './sockets.js';

const SOCK_DGRAM = 2;
const MSG_NOSIGNAL = 0x4000;
/** struct sockaddr_un: the family, then the path with its NUL. */
const PATH_OFFSET = 2;
const PATH_BYTES = 108;

const libcSocket = libc<(domain: number, type: number, protocol: number) => Fd>('socket', 'int', [
  'int',
  'int',
  'int',
]);
const libcSendto = libc<
  (
    fd: Fd,
    data: Uint8Array,
    length: number,
    flags: number,
    address: Uint8Array,
    addressLength: number,
  ) => number
>('sendto', 'int64_t', ['int', 'const uint8_t *', 'size_t', 'int', 'const uint8_t *', 'uint32_t']);

/**
 * Sends `data` to the socket at `address`: an absolute path, or an abstract name behind an @. Throws ENAMETOOLONG, and what
 * sendto(2) says: ENOENT and ECONNREFUSED where nobody listens.
 */
export function sendDatagram(address: string, data: Uint8Array): void {
  const target = socketAddress(address);
  const socket = checked(libcSocket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), 'socket') as Fd;
  try {
    checked(libcSendto(socket, data, data.length, MSG_NOSIGNAL, target, target.length), 'sendto');
  } finally {
    close(socket);
  }
}

/** struct sockaddr_un. An abstract name begins with a NUL and has none at its end: its length tells where that is. */
function socketAddress(address: string): Uint8Array {
  const isAbstract = address.startsWith('@');
  const name = Buffer.from(isAbstract ? `\0${address.slice(1)}` : `${address}\0`);
  if (name.length > PATH_BYTES) throw new PosixError(constants.errno.ENAMETOOLONG, 'sendto');
  const target = Buffer.alloc(PATH_OFFSET + name.length);
  target.writeUInt16LE(AF_UNIX, 0);
  target.set(name, PATH_OFFSET);
  return target;
}
