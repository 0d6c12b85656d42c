/*
 * What a reference to a file led to: a name of it, or a descriptor.
 */
import type { Fd } from '../../../posix/fd.js';
import type { Status } from '../../../posix/status.js';

export type Located = Named | Opened;

/** The directory's descriptor is good for *at calls until another reference is resolved. */
export interface Named {
  readonly directory: Fd;
  /** Inode number of the directory. */
  readonly parent: bigint;
  readonly name: Buffer;
  readonly status: Status;
}

/** Of a kept file, or of the home itself. */
export interface Opened {
  readonly fd: Fd;
  readonly status: Status;
}
