/**
 * Extended attributes: user.* of regular files and directories. The kernel has seen to whose may have some, and to modes.
 *
 * Those of other kinds are answered here, for they are asked for often: security.capability by the kernel before a write,
 * system.posix_acl_access by ls(1) for a file. Where the mount has ACLs (-o acl), these are kept under names of their own; what they
 * mean is in acls.ts.
 *
 * Under a lease they are answered from what is known, and changed in the log. What is not known is asked for, and behind a second
 * file of a directory come the others of it: who lists the attributes of one of them lists those of all. A disk may take no
 * attributes, or no more of one file, and nobody would be told: so the server is waited for until its disk has taken one,
 * and where a file has more than any disk takes.
 *
 * A removed directory, which the server has no more, has what is known of it here.
 */
import { Failure } from '../../protocol/failure.js';
import { MAX_FETCH } from '../../protocol/limits.js';
import type { Result } from '../../protocol/methods.js';
import { REMOVEXATTR, SETXATTR, type LogOperation } from '../../protocol/operations.js';
import { packId, packRef } from '../../protocol/references.js';
import {
  ACCESS_ACL,
  DEFAULT_ACL,
  isReservedXattr,
  isUserXattr,
  XATTR_CREATE,
  XATTR_REPLACE,
} from '../../protocol/xattrs.js';
import { S_IFDIR, S_IFMT, S_IFREG } from '../../posix/flags.js';
import type { Caller, Eventually } from '../operations.js';
import { interruptible } from '../remote/interruption.js';
import type { DirectoryInode, Inode } from '../tree/inode.js';
import { NO_XATTRS, type Xattrs as Known } from '../tree/xattrs.js';
import type { Home } from './home.js';

/** What the attributes of one file may take where the server is not asked: ext4 with blocks of 1 KiB takes it. */
const MAX_UNASKED_BYTES = 960;
/** What an attribute takes there besides its name and value, at most. */
const XATTR_BYTES = 24;
/** Values that are told with the names of several files. */
const TOLD_BYTES = 256 * 1024;

/** As the kernel names them, and as they are kept. */
export const SYSTEM_ACCESS_ACL = Buffer.from('system.posix_acl_access');
export const SYSTEM_DEFAULT_ACL = Buffer.from('system.posix_acl_default');
const ACLS = [
  { name: SYSTEM_ACCESS_ACL, kept: ACCESS_ACL },
  { name: SYSTEM_DEFAULT_ACL, kept: DEFAULT_ACL },
] as const;

/** A kind without a name. */
const PREFIX = Buffer.from('user.');
const NUL = Buffer.alloc(1);

export class Xattrs {
  readonly #home: Home;
  readonly #acls: boolean;
  /** Where the last file was whose attributes were asked for. */
  #lastParent: DirectoryInode | undefined;
  /** The server's disk has taken one. */
  #taken = false;

  constructor(home: Home, { acls }: { acls: boolean }) {
    this.#home = home;
    this.#acls = acls;
  }

  /** EOPNOTSUPP, ENODATA. */
  get(inode: Inode, wanted: Buffer, caller: Caller): Eventually<Buffer> {
    const name = this.#keptName(wanted);
    if (!mayHave(inode) || name === undefined) throw missing();
    const known = this.#home.tree.xattrsOf(inode);
    if (known !== undefined) return this.#valueOf(known, inode, name, caller);
    return this.#ask(inode, caller).then((told) => this.#valueOf(told, inode, name, caller));
  }

  #valueOf(xattrs: Known, inode: Inode, name: Buffer, caller: Caller): Eventually<Buffer> {
    const value = xattrs.get(keyOf(name));
    if (value === undefined || (value === null && inode.isGone)) throw missing();
    if (value !== null) return value;
    return this.#home.ask(
      'xattr',
      [inode],
      caller,
      () => [packRef(this.#home.tree.refOf(inode)), name],
      (bytes) => Buffer.from(bytes),
    );
  }

  /** The names, a zero behind each. */
  list(inode: Inode, caller: Caller): Eventually<Buffer> {
    if (!mayHave(inode)) return Buffer.alloc(0);
    const known = this.#home.tree.xattrsOf(inode);
    return known === undefined
      ? this.#ask(inode, caller).then((told) => this.#namesOf(told))
      : this.#namesOf(known);
  }

  #namesOf(xattrs: Known): Buffer {
    const names: Buffer[] = [];
    for (const key of xattrs.keys()) {
      const name = Buffer.from(key, 'latin1');
      const acl = this.#acls ? ACLS.find(({ kept }) => kept.equals(name)) : undefined;
      if (acl !== undefined) names.push(acl.name, NUL);
      else if (!isReservedXattr(name)) names.push(name, NUL);
    }
    return Buffer.concat(names);
  }

  /** `flags` as setxattr(2). `value` is good until this returns. EOPNOTSUPP, EACCES, EEXIST, ENODATA, ENOSPC. */
  set(inode: Inode, wanted: Buffer, value: Buffer, flags: number, caller: Caller): Eventually<void> {
    const name = this.#keptName(wanted);
    requireMayHave(inode);
    if (name === undefined) throw new Failure('EACCES', 'the name of the attribute is reserved');
    if ((flags & ~(XATTR_CREATE | XATTR_REPLACE)) !== 0) throw new Failure('EINVAL');
    return this.#set(inode, name, Buffer.from(value), flags, caller);
  }

  #set(inode: Inode, name: Buffer, value: Buffer, flags: number, caller: Caller): Eventually<void> {
    const { tree } = this.#home;
    const change: Change = (operation) => ({ ...operation, kind: SETXATTR, xattr: name, value, flags });
    return this.#whenKnown(inode, caller, change, (known): Eventually<void> => {
      const key = keyOf(name);
      const before = known.get(key);
      if ((flags & XATTR_CREATE) !== 0 && before !== undefined) throw new Failure('EEXIST');
      if ((flags & XATTR_REPLACE) !== 0 && before === undefined) throw missing();
      const after = new Map(known).set(key, value);
      if (inode.isGone) return void tree.setXattrs(inode, after, this.#home.clock.now());
      if (!this.#taken || roomOf(after) > MAX_UNASKED_BYTES) {
        return this.#change(inode, caller, change, { before: known, after });
      }
      const wait = this.#home.room(tree.chargeOfXattrs(inode, after));
      if (wait !== undefined) {
        return interruptible(this.#home.remote.bounded(wait), caller).then(() =>
          this.#set(inode, name, value, flags, caller),
        );
      }
      // It was judged here.
      return this.#append(
        inode,
        caller,
        after,
        (operation) => ({ ...change(operation), flags: 0 }) as LogOperation,
      );
    });
  }

  /** EOPNOTSUPP, ENODATA. */
  remove(inode: Inode, wanted: Buffer, caller: Caller): Eventually<void> {
    const name = this.#keptName(wanted);
    requireMayHave(inode);
    if (name === undefined) throw missing();
    return this.#remove(inode, name, caller);
  }

  #remove(inode: Inode, name: Buffer, caller: Caller): Eventually<void> {
    const change: Change = (operation) => ({ ...operation, kind: REMOVEXATTR, xattr: name });
    return this.#whenKnown(inode, caller, change, (known): Eventually<void> => {
      const after = new Map(known);
      if (!after.delete(keyOf(name))) throw missing();
      if (inode.isGone) return void this.#home.tree.setXattrs(inode, after, this.#home.clock.now());
      const wait = this.#home.log.room();
      if (wait === undefined) return this.#append(inode, caller, after, change);
      return interruptible(this.#home.remote.bounded(wait), caller).then(() =>
        this.#remove(inode, name, caller),
      );
    });
  }

  /** The name under which one is kept; undefined: it is not for programs. EOPNOTSUPP. */
  #keptName(name: Buffer): Buffer | undefined {
    const acl = this.#acls ? ACLS.find((each) => each.name.equals(name)) : undefined;
    if (acl !== undefined) return acl.kept;
    if (name.equals(PREFIX)) throw new Failure('EINVAL');
    if (!isUserXattr(name)) {
      throw new Failure('EOPNOTSUPP', 'only extended attributes of users are kept');
    }
    return isReservedXattr(name) ? undefined : name;
  }

  /** Decides here what may be decided here, by what is known or asked for once; else has the server decide. */
  #whenKnown(
    inode: Inode,
    caller: Caller,
    change: Change,
    decide: (known: Known) => Eventually<void>,
  ): Eventually<void> {
    const { tree } = this.#home;
    const ask = (): Promise<void> =>
      this.#change(inode, caller, change).catch((thrown: unknown) => {
        if (!this.#home.vanished(inode, thrown)) throw thrown;
        return decide(tree.xattrsOf(inode) ?? NO_XATTRS);
      });
    if (!tree.mayChange(inode) && !inode.isGone) return ask();
    const known = tree.xattrsOf(inode);
    if (known !== undefined) return decide(known);
    return this.#ask(inode, caller).then(() => {
      const told = tree.mayChange(inode) || inode.isGone ? tree.xattrsOf(inode) : undefined;
      return told === undefined ? ask() : decide(told);
    });
  }

  #append(inode: Inode, caller: Caller, after: Known, change: Change): Eventually<void> {
    const time = this.#home.clock.now();
    const { ino, birth } = inode.id;
    const charge = this.#home.tree.setXattrs(inode, after, time);
    const entry = this.#home.append(change({ file: { ino, birth, path: null }, time }), charge, [inode]);
    return this.#home.answered(entry, undefined, caller);
  }

  /** `decided`: what was known when it was decided on here, and will be. */
  #change(
    inode: Inode,
    caller: Caller,
    change: Change,
    decided?: { before: Known; after: Known },
  ): Promise<void> {
    const { tree, kernel } = this.#home;
    return this.#home.change(
      [inode],
      caller,
      () => change({ file: tree.refOf(inode), time: null }),
      ([left]) => {
        this.#taken = true;
        // What was done here meanwhile may have come before it, or behind.
        const isSame = decided !== undefined && tree.xattrsOf(inode) === decided.before;
        tree.forgetXattrs(inode);
        if (left !== undefined) tree.told(inode, left);
        // What its removal will give back is known so.
        if (isSame) tree.toldXattrs(inode, decided.after);
        kernel.told(inode);
      },
    );
  }

  #ask(inode: Inode, caller: Caller): Promise<Known> {
    const { tree } = this.#home;
    let others: Inode[] = [];
    const asked = this.#home.ask(
      'xattrs',
      [inode],
      caller,
      () => {
        others = this.#others(inode);
        return [[packRef(tree.refOf(inode)), ...others.map(({ id }) => packId(id))], TOLD_BYTES];
      },
      ([own, ...ofOthers]) => {
        if (own === undefined || own === null)
          throw new Failure('EPROTO', 'the server does not tell of the file');
        for (const [at, other] of others.entries()) {
          const told = ofOthers[at];
          if (told !== undefined && told !== null) tree.toldXattrs(other, knownOf(told));
        }
        const known = knownOf(own);
        tree.toldXattrs(inode, known);
        return known;
      },
    );
    return asked.catch((thrown: unknown) => {
      if (this.#home.vanished(inode, thrown)) return tree.xattrsOf(inode) ?? NO_XATTRS;
      throw thrown;
    });
  }

  /** The files of the same directory that are to be asked for with it. */
  #others(inode: Inode): Inode[] {
    const { tree } = this.#home;
    const [name] = inode.names;
    const parent = name?.parent;
    const isSecond = parent !== undefined && parent === this.#lastParent;
    this.#lastParent = parent;
    const others: Inode[] = [];
    if (!isSecond) return others;
    for (const { inode: other } of parent.directory.names.values()) {
      if (other === inode || !mayHave(other) || other.pending) continue;
      if (!tree.knows(other) || tree.xattrsOf(other) !== undefined) continue;
      others.push(other);
      if (others.length === MAX_FETCH - 1) break;
    }
    return others;
  }
}

/** What is done to the attributes of a file. */
type Change = (of: Pick<Extract<LogOperation, { kind: typeof SETXATTR }>, 'file' | 'time'>) => LogOperation;

function requireMayHave(inode: Inode): void {
  if (!mayHave(inode)) throw new Failure('EPERM');
}

function mayHave({ attributes }: Inode): boolean {
  const type = attributes.mode & S_IFMT;
  return type === S_IFREG || type === S_IFDIR;
}

function missing(): Failure {
  return new Failure('ENODATA');
}

function keyOf(name: Buffer): string {
  return name.toString('latin1');
}

/** Copies what is a view of a message. */
function knownOf(told: NonNullable<Result<'xattrs'>[number]>): Known {
  return new Map(told.map(([name, value]) => [keyOf(name), value && Buffer.from(value)]));
}

/** What they take on a disk that has little room for them; what is not known is too much. */
function roomOf(xattrs: Known): number {
  let bytes = 0;
  for (const [key, value] of xattrs) {
    bytes += value === null ? MAX_UNASKED_BYTES : key.length + value.length + XATTR_BYTES;
  }
  return bytes;
}
