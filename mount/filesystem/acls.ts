/**
 * POSIX ACLs of regular files and directories (-o acl): the kernel checks permissions by them, and leaves to the file system what an
 * ACL that is set says of the mode, and what is inherited. They are kept as extended attributes that only mounts with ACLs see
 * (protocol/xattrs.ts); the server heeds none.
 *
 * Invariant: at no time does a file grant more than its ACL will: what inherits one is made without what only named users and
 * groups are to have, until it has it.
 */
import { Failure } from '../../protocol/failure.js';
import { S_IFDIR, S_IFMT, S_IFREG, S_ISGID } from '../../posix/flags.js';
import type { Caller, Eventually } from '../operations.js';
import { isInGroup } from '../ownership.js';
import {
  formatAcl,
  inherited,
  isMinimal,
  parseAcl,
  permissionsOf,
  withMode,
  withoutNamed,
  type Acl,
} from './posix-acl.js';
import type { DirectoryInode, Inode } from '../tree/inode.js';
import type { AttributeUpdates } from './attribute-updates.js';
import type { Lookups } from './lookups.js';
import { SYSTEM_ACCESS_ACL, SYSTEM_DEFAULT_ACL, type Xattrs } from './xattrs.js';

/** Of a mode, what an ACL does not say, and what it does. */
const SET_ID_AND_STICKY = 0o7000;
const ACCESS = 0o777;

/** How something is made that may inherit. */
export interface Inheriting<T> {
  make(mode: number): Eventually<T>;
  inodeOf(made: T): Inode;
  /** It could not have its ACL. */
  undo(made: T): Eventually<void>;
}

export class Acls {
  readonly #xattrs: Xattrs;
  readonly #lookups: Lookups;
  readonly #attributes: AttributeUpdates;
  /** Whose mode is about to be what an ACL says. */
  readonly #settling = new Set<Inode>();

  constructor(parts: { xattrs: Xattrs; lookups: Lookups; attributes: AttributeUpdates }) {
    this.#xattrs = parts.xattrs;
    this.#lookups = parts.lookups;
    this.#attributes = parts.attributes;
  }

  /** ENODATA: its mode says all. */
  async get(inode: Inode, name: Buffer, caller: Caller): Promise<Buffer> {
    const value = await this.#xattrs.get(inode, name, caller);
    if (!name.equals(SYSTEM_ACCESS_ACL)) return value;
    await this.#lookups.attributes(inode, caller);
    return formatAcl(withMode(keptAcl(value), inode.attributes.mode));
  }

  /** `value` is good until this returns. EINVAL; EACCES: a default ACL of a file; EOPNOTSUPP: of what has none. */
  set(inode: Inode, name: Buffer, value: Buffer, flags: number, caller: Caller): Promise<void> {
    const acl = parseAcl(value);
    if (!mayHaveAcl(inode)) throw new Failure('EOPNOTSUPP', 'only files and directories have ACLs');
    if (name.equals(SYSTEM_ACCESS_ACL)) return this.#setAccess(inode, acl, flags, caller);
    if (!inode.isDirectory()) throw new Failure('EACCES', 'only directories have default ACLs');
    return Promise.resolve(this.#xattrs.set(inode, name, value, flags, caller));
  }

  async #setAccess(inode: Inode, acl: Acl, flags: number, caller: Caller): Promise<void> {
    await this.#lookups.attributes(inode, caller);
    const before = inode.attributes.mode & ~S_IFMT;
    // What both grant, to whoever is named before and after: the mode is the mask of both.
    const lost = isInGroup(caller, inode.attributes.owner?.gid) ? 0 : S_ISGID;
    const narrowed = before & (SET_ID_AND_STICKY | withoutNamed(acl)) & ~lost;
    if (narrowed !== before) await this.#attributes.set(inode, { mode: narrowed }, caller);
    this.#settling.add(inode);
    try {
      if (isMinimal(acl)) await this.remove(inode, SYSTEM_ACCESS_ACL, caller);
      else await this.#xattrs.set(inode, SYSTEM_ACCESS_ACL, formatAcl(acl), flags, caller);
    } catch (thrown) {
      const isOwn = narrowed !== before && this.#settling.has(inode);
      if (isOwn) await this.#attributes.set(inode, { mode: before }, caller);
      throw thrown;
    } finally {
      this.#settling.delete(inode);
    }
    const now = inode.attributes.mode & SET_ID_AND_STICKY;
    await this.#attributes.set(inode, { mode: now | permissionsOf(acl) }, caller);
  }

  /** Succeeds where there is none, as on a local disk. */
  async remove(inode: Inode, name: Buffer, caller: Caller): Promise<void> {
    if (!mayHaveAcl(inode)) return;
    try {
      await this.#xattrs.remove(inode, name, caller);
    } catch (thrown) {
      if (Failure.from(thrown).kind !== 'ENODATA') throw thrown;
    }
  }

  /** Makes something with the permissions that it has by its directory's default ACL, else by the caller's umask. */
  making<T>(directory: DirectoryInode, mode: number, caller: Caller, making: Inheriting<T>): Eventually<T> {
    const made = (value: Buffer | undefined): Eventually<T> =>
      value === undefined
        ? making.make(mode & ~(caller.umask ?? 0))
        : this.#inheriting(value, mode, caller, making);
    try {
      const value = this.#xattrs.get(directory, SYSTEM_DEFAULT_ACL, caller);
      return value instanceof Promise ? value.catch(noneIfMissing).then(made) : made(value);
    } catch (thrown) {
      return made(noneIfMissing(thrown));
    }
  }

  /** A program has set the mode of an inode: an ACL that it is being given says no more what that is. */
  chmodded(inode: Inode): void {
    this.#settling.delete(inode);
  }

  async #inheriting<T>(value: Buffer, mode: number, caller: Caller, making: Inheriting<T>): Promise<T> {
    const acl = inherited(keptAcl(value), mode);
    const made = await making.make((mode & ~ACCESS) | withoutNamed(acl));
    const inode = making.inodeOf(made);
    this.#settling.add(inode);
    try {
      if (inode.isDirectory()) await this.#xattrs.set(inode, SYSTEM_DEFAULT_ACL, value, 0, caller);
      if (!isMinimal(acl) && mayHaveAcl(inode)) {
        await this.#xattrs.set(inode, SYSTEM_ACCESS_ACL, formatAcl(acl), 0, caller);
        const whole = (inode.attributes.mode & SET_ID_AND_STICKY) | permissionsOf(acl);
        if (this.#settling.has(inode)) await this.#attributes.set(inode, { mode: whole }, caller);
      }
      return made;
    } catch (thrown) {
      await making.undo(made);
      throw thrown;
    } finally {
      this.#settling.delete(inode);
    }
  }
}

export function isAcl(name: Buffer): boolean {
  return name.equals(SYSTEM_ACCESS_ACL) || name.equals(SYSTEM_DEFAULT_ACL);
}

function mayHaveAcl({ attributes }: Inode): boolean {
  const type = attributes.mode & S_IFMT;
  return type === S_IFREG || type === S_IFDIR;
}

/** One that is kept. EIO: another program has written it. */
function keptAcl(value: Buffer): Acl {
  try {
    return parseAcl(value);
  } catch (error) {
    throw new Failure('EIO', 'the server does not keep a POSIX ACL', { cause: error });
  }
}

function noneIfMissing(thrown: unknown): undefined {
  if (Failure.from(thrown).kind !== 'ENODATA') throw thrown;
  return undefined;
}
