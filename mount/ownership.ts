/**
 * Whose the files are, and what their modes show. Mostly a home belongs to its user: on the wire files have no owner, and in
 * the mount all belong to the one who mounted (or to uid=, gid=), as with sshfs without allow_other. Where the account has
 * virtual owners each file has one of its own, and owner and mode are shown as they are, whatever the options say.
 */
import { readFileSync } from 'node:fs';
import type { Attributes } from '../protocol/attributes.js';
import { Failure } from '../protocol/failure.js';
import type { Owner } from '../protocol/owners.js';
import { S_IFDIR, S_IFMT, S_ISGID, S_ISUID } from '../posix/flags.js';
import type { Caller, NodeAttributes } from './operations.js';

export interface Ownership {
  readonly uid: number;
  readonly gid: number;
  /** Where set, permission bits are all but these, as FUSE's umask= has it. */
  readonly umask?: number | undefined;
}

/** access(2). */
const R_OK = 4;
const W_OK = 2;
const X_OK = 1;
const ANY_EXECUTE = 0o111;
const S_IXGRP = 0o010;

function shownMode({ mode, owner }: Attributes, { umask }: Ownership): number {
  return umask === undefined || owner !== null ? mode : (mode & S_IFMT) | (0o777 & ~umask);
}

/** Whose a file will be that is made in a directory; null where files have no owner of their own. */
export function ownerOfNew({ owner, mode }: Attributes, { uid, gid }: Caller): Owner | null {
  if (owner === null) return null;
  return { uid, gid: (mode & S_ISGID) === 0 ? gid : owner.gid };
}

/** The same of what the server is asked to make, which sees to the group itself. */
export function ownedBy(
  directory: { readonly attributes: Attributes },
  { uid, gid }: Caller,
): { owner?: Owner } {
  return directory.attributes.owner === null ? {} : { owner: { uid, gid } };
}

/** Attributes as the mount shows them, under this inode number. */
export function showAttributes(attributes: Attributes, ownership: Ownership, ino: bigint): NodeAttributes {
  const { nlink, rdev, size, blocks, atime, mtime, ctime } = attributes;
  const { uid, gid } = attributes.owner ?? ownership;
  const mode = shownMode(attributes, ownership);
  // Until the server has made it, a file without a number of its own has no time of birth either.
  const birth = attributes.ino === 0n || attributes.birth === 0n ? undefined : attributes.birth;
  return { ino, mode, nlink, uid, gid, rdev, size, blocks, atime, mtime, ctime, birth };
}

/** chown(2) where files have no owner of their own: only to who owns them anyway. Throws EPERM. */
export function checkOwner(changes: { uid?: number; gid?: number }, ownership: Ownership): void {
  if ((changes.uid ?? ownership.uid) !== ownership.uid || (changes.gid ?? ownership.gid) !== ownership.gid) {
    throw new Failure('EPERM', 'files of a home cannot be given to others');
  }
}

/** Who has no right to change the mode. Throws EPERM. */
export function requireOwner({ owner }: Attributes, ownership: Ownership, { uid }: Caller): void {
  if (uid !== 0 && uid !== (owner ?? ownership).uid) throw new Failure('EPERM');
}

/**
 * The permissions of a file whose set-id bits go, as Linux has it (inode(7), setattr_should_drop_sgid); undefined: it has none that
 * would, as no directory.
 */
export function modeWithoutSetId({ mode, owner }: Attributes, caller: Caller): number | undefined {
  // Without execution by the group the bit was mandatory locking once, and stays where a member of the group does it.
  const isSetGroup = (mode & S_ISGID) !== 0;
  const staysSetGroup = isSetGroup && (mode & S_IXGRP) === 0 && isInGroup(caller, owner?.gid);
  const clear = staysSetGroup ? S_ISUID : S_ISUID | S_ISGID;
  const clears = (mode & S_IFMT) !== S_IFDIR && (mode & clear) !== 0;
  return clears ? mode & ~clear & ~S_IFMT : undefined;
}

/** Whether somebody is in a group, or may do what its members may. Further groups of a process the kernel does not tell. */
export function isInGroup({ uid, gid, pid }: Caller, group: number | undefined): boolean {
  if (uid === 0 || gid === group || group === undefined) return true;
  try {
    const groups = /^Groups:\t(.*)$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? '';
    return groups.split(' ').includes(String(group));
  } catch {
    return false; // it is in another name space of processes
  }
}

/** access(2) by mode bits. Throws EACCES. */
export function checkAccess(
  attributes: Attributes,
  ownership: Ownership,
  mask: number,
  caller: Caller,
): void {
  const mode = shownMode(attributes, ownership);
  const { uid, gid } = attributes.owner ?? ownership;
  if (caller.uid === 0) {
    const executable = (mode & S_IFMT) === S_IFDIR || (mode & ANY_EXECUTE) !== 0;
    if ((mask & X_OK) === 0 || executable) return;
  } else {
    const shift = caller.uid === uid ? 6 : caller.gid === gid ? 3 : 0;
    if (((mode >> shift) & mask & (R_OK | W_OK | X_OK)) === (mask & (R_OK | W_OK | X_OK))) return;
  }
  throw new Failure('EACCES');
}
