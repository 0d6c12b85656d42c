/*
 * Shares: folders that several users have together, each a home of its own. A member's own home shows the share NAME as
 * SHARED_DIRECTORY/NAME: the client leads there to a session of the share.
 *
 * Invariant: a name that came off the wire is one name of a directory, whatever a hostile server sends.
 */
import { shareName, type ShareName } from './ids.js';
import { MAX_USER_NAME } from './limits.js';
import { bool, text, tuple, type Shape } from './shape.js';

/** The directory of a home in which its user's shares are shown. */
export const SHARED_DIRECTORY = 'Shared';

/** A share, as one of its members has it. */
export interface Share {
  readonly name: ShareName;
  /** False: everything that changes anything in it is EROFS. */
  readonly isWritable: boolean;
}

const wireShare = tuple(text(MAX_USER_NAME), bool);

/** Reads a share from [name, whether it may be written to]. */
export const share: Shape<Share> = (value) => {
  const [name, isWritable] = wireShare(value);
  return { name: shareName(name), isWritable };
};

/** The inverse of `share`. */
export function packShare({ name, isWritable }: Share): unknown[] {
  return [name, isWritable];
}
