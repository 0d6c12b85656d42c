/*
 * Modes of files of a home: set wherever the file is, and opened for a moment where one locks the daemon out, which owns the
 * file: who may use it is for the client's kernel to say.
 */
import { PERMISSIONS } from '../../../posix/flags.js';
import { PosixError } from '../../../posix/error.js';
import type { Fd } from '../../../posix/fd.js';
import { chmodOpen, fchmodat } from '../../../posix/names.js';

const OWNER_READS_AND_WRITES = 0o600;

/** A descriptor of a file, of any kind, or a name of it. */
export type Place = { readonly fd: Fd } | { readonly directory: Fd; readonly name: Buffer };

/** chmod(2); not of symbolic links. */
export function chmod(place: Place, mode: number): void {
  if ('fd' in place) chmodOpen(place.fd, mode);
  else fchmodat(place.directory, place.name, mode);
}

/** Acts on a file whatever its mode is. `modeOf`: its st_mode, asked for where that refuses. */
export function withAccess<T>(place: Place, modeOf: () => number, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof PosixError) || error.code !== 'EACCES') throw error;
  }
  const permissions = modeOf() & PERMISSIONS;
  chmod(place, permissions | OWNER_READS_AND_WRITES);
  try {
    return act();
  } finally {
    chmod(place, permissions);
  }
}
