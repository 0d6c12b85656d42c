/*
 * Sockets in the state directory, for who has the rights of the daemon: the directory is 0700, and they are 0600 besides.
 */
import { unlinkSync } from 'node:fs';
import { Failure } from '../protocol/failure.js';
import { errnoText } from '../program/report.js';

/** Longest name of a Unix socket in bytes (unix(7): sun_path, with its NUL). */
export const MAX_SOCKET_PATH = 107;

/** To be set as soon as somebody listens there. */
export const SOCKET_MODE = 0o600;

/**
 * Makes way for a socket: what a killed daemon left is removed, as the caller holds the lock of the directory. ENAMETOOLONG, and a
 * Failure where something else is in the way.
 */
export function makeWayFor(path: string): void {
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH) {
    throw new Failure(
      'ENAMETOOLONG',
      `the path of the state directory is too long for a socket in it: ${path}`,
    );
  }
  try {
    unlinkSync(path);
  } catch (error) {
    const { kind, code } = Failure.from(error);
    if (kind === 'ENOENT') return;
    throw new Failure(kind, `${path} is in the way of a socket (${errnoText(code)}): remove it`, {
      cause: error,
    });
  }
}
