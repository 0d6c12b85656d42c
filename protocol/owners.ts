/**
 * Virtual owners: whose a file of a home is, where the account keeps that (`ftpctl useradd --posix-owners`). The server's own
 * files stay the daemon's; who may use what is for the client's kernel to say.
 */
import { Failure } from './failure.js';
import { int, optional } from './shape.js';

/** Numeric ids of a user and a group. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** The highest id: the one above it is no user's, and stands for "as it is" in chown(2). */
const MAX_OWNER_ID = 2 ** 32 - 2;

/** The id of a user or a group, or nil. */
export const ownerId = optional(int(0, MAX_OWNER_ID));

/** Reads both ids, or neither: null. EINVAL. */
export function ownerOf(uid: number | null, gid: number | null): Owner | null {
  if (uid !== null && gid !== null) return { uid, gid };
  if (uid === null && gid === null) return null;
  throw new Failure('EINVAL', 'expected a user and a group');
}
