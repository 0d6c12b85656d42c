/**
 * What is made in a directory: files, directories, symbolic links. It is made by the tree and appended to the log where the tree
 * may decide it (names.ts), with an id that was granted, or with one of its own until the server has told its own.
 */
import type { Attributes } from '../../protocol/attributes.js';
import { Failure } from '../../protocol/failure.js';
import { CREATE, MKDIR, SYMLINK, TMPFILE } from '../../protocol/operations.js';
import type { FileId, FileRef } from '../../protocol/references.js';
import { PERMISSIONS, S_IFBLK, S_IFCHR, S_IFIFO, S_IFMT, S_IFREG, S_IFSOCK } from '../../posix/flags.js';
import type { Caller, Entry, Eventually } from '../operations.js';
import { ownedBy, ownerOfNew } from '../ownership.js';
import { interruptible } from '../remote/interruption.js';
import type { DirectoryInode, Inode, Name } from '../tree/inode.js';
import type { Acls } from './acls.js';
import { ONE_FILE, type Home } from './home.js';

/** What can be made in any home, besides directories and symbolic links. */
const KEPT_TYPES: ReadonlySet<number> = new Set([S_IFREG, S_IFIFO, S_IFSOCK]);
/** What makes a change: the name that it left, and the entry of the log where it is in there. */
export interface Made {
  readonly name: Name;
  readonly entry: Parameters<Home['answered']>[0];
}

/** Removes again what was made. */
type Unmake = (inode: Inode, directory: DirectoryInode, key: string, caller: Caller) => Eventually<void>;

export class Making {
  readonly #home: Home;
  readonly #acls: Acls | undefined;
  readonly #unmake: Unmake;
  /** Symbolic links and the like made here, counted: they have ids of their own until the server has made them. */
  #provisional = 0n;

  constructor(home: Home, { acls, unmake }: { acls: Acls | undefined; unmake: Unmake }) {
    this.#home = home;
    this.#acls = acls;
    this.#unmake = unmake;
  }

  /** EPERM: a device, and files have no owners of their own. */
  mknod(
    directory: DirectoryInode,
    key: string,
    mode: number,
    rdev: number,
    caller: Caller,
  ): Eventually<Entry> {
    const type = mode & S_IFMT || S_IFREG;
    const mayBe = isDevice(type) ? directory.attributes.owner !== null : KEPT_TYPES.has(type);
    if (!mayBe) throw new Failure('EPERM', 'this home has no device nodes');
    const whole = type | (mode & PERMISSIONS);
    return this.entry(this.#make(CREATE, directory, key, whole, caller, isDevice(type) ? rdev : 0), caller);
  }

  /** Makes a regular file. EEXIST. */
  create(directory: DirectoryInode, key: string, mode: number, caller: Caller): Eventually<Made> {
    return this.#make(CREATE, directory, key, mode, caller);
  }

  mkdir(directory: DirectoryInode, key: string, mode: number, caller: Caller): Eventually<Entry> {
    return this.entry(this.#make(MKDIR, directory, key, mode & PERMISSIONS, caller), caller);
  }

  #make(
    kind: typeof CREATE | typeof MKDIR,
    directory: DirectoryInode,
    key: string,
    mode: number,
    caller: Caller,
    rdev = 0,
  ): Eventually<Made> {
    const make = (whole: number): Eventually<Made> =>
      this.#makeWith(kind, directory, key, whole, caller, rdev);
    if (this.#acls === undefined) return make(mode);
    return this.#acls.making(directory, mode, caller, {
      make,
      inodeOf: ({ name }) => name.inode,
      undo: ({ name }) => this.#unmake(name.inode, directory, key, caller),
    });
  }

  #makeWith(
    kind: typeof CREATE | typeof MKDIR,
    directory: DirectoryInode,
    key: string,
    mode: number,
    caller: Caller,
    rdev: number,
  ): Eventually<Made> {
    const { tree, grants, leases } = this.#home;
    requireThere(directory);
    const name = bytesOf(key);
    const ask = (): Promise<Made> =>
      this.#ask(directory, key, caller, (ref) => ({
        kind,
        directory: ref,
        name,
        time: null,
        mode,
        id: null,
        ...ownedBy(directory, caller),
        ...(rdev === 0 ? {} : { rdev }),
      }));
    if (!tree.mayChangeName(directory, key)) return ask();
    this.#requireFree(directory, key);
    const again = (): Eventually<Made> => this.#makeWith(kind, directory, key, mode, caller, rdev);
    const wait = this.#home.roomForInode();
    if (wait !== undefined) return this.#home.after(wait, caller, again);
    const id = this.#takeId(kind, mode);
    if (id === undefined) {
      return this.#afterId(kind === MKDIR ? grants.whenDirectory() : grants.whenFile(), caller, again, ask);
    }
    const time = this.#home.clock.now();
    const owner = ownerOfNew(directory.attributes, caller);
    const making = { id, mode, time, owner, rdev };
    const inode = kind === MKDIR ? tree.mkdir(directory, key, making) : tree.create(directory, key, making);
    if (kind === MKDIR) leases.entered(id.ino, directory.id.ino);
    // A directory has the set-group-id bit of the one that it is in.
    const made = kind === MKDIR ? inode.attributes.mode & PERMISSIONS : mode;
    const operation = { kind, directory: byId(directory), name, time, mode: made, id, owner, rdev };
    const entry = this.#home.append(operation, ONE_FILE, [directory, inode]);
    return { name: nameIn(directory, key), entry };
  }

  /** Makes a regular file without a name, which the server holds from the start. `unused`: nobody waits for it any more. */
  unnamed(
    directory: DirectoryInode,
    mode: number,
    caller: Caller,
    unused: (inode: Inode) => void,
  ): Promise<Inode> {
    requireThere(directory);
    const make = (whole: number): Promise<Inode> => this.#makeUnnamed(directory, whole, caller, unused);
    if (this.#acls === undefined) return make(mode);
    const how = { make, inodeOf: (inode: Inode) => inode, undo: unused };
    return Promise.resolve(this.#acls.making(directory, mode, caller, how));
  }

  #makeUnnamed(
    directory: DirectoryInode,
    mode: number,
    caller: Caller,
    unused: (inode: Inode) => void,
  ): Promise<Inode> {
    const { tree } = this.#home;
    let letGo = false;
    const made = this.#home.change(
      [directory],
      caller,
      () => ({
        kind: TMPFILE,
        directory: tree.refOf(directory),
        time: null,
        mode,
        ...ownedBy(directory, caller),
      }),
      ([left]) => {
        if (left === undefined) throw new Failure('EPROTO', 'the server does not tell what it made');
        const inode = tree.unnamed(left);
        inode.held = true;
        if (letGo) unused(inode);
        return inode;
      },
    );
    return made.catch((failure: unknown) => {
      letGo = true;
      throw failure;
    });
  }

  /** Undefined: one has to be granted first. */
  #takeId(kind: typeof CREATE | typeof MKDIR, mode: number): FileId | undefined {
    const { grants } = this.#home;
    if (kind === MKDIR) return grants.takeDirectory();
    const type = mode & S_IFMT;
    // A device is an empty file at the server.
    return type === S_IFREG || isDevice(type) ? grants.takeFile() : this.provisionalId();
  }

  symlink(directory: DirectoryInode, key: string, target: Buffer, caller: Caller): Eventually<Entry> {
    return this.entry(this.#symlink(directory, key, target, caller), caller);
  }

  #symlink(directory: DirectoryInode, key: string, target: Buffer, caller: Caller): Eventually<Made> {
    const { tree } = this.#home;
    requireThere(directory);
    const name = bytesOf(key);
    if (!tree.mayChangeName(directory, key)) {
      const owner = ownedBy(directory, caller);
      return this.#ask(
        directory,
        key,
        caller,
        (ref) => ({ kind: SYMLINK, directory: ref, name, time: null, target, id: null, ...owner }),
        target,
      );
    }
    this.#requireFree(directory, key);
    const wait = this.#home.roomForInode();
    if (wait !== undefined) {
      return this.#home.after(wait, caller, () => this.#symlink(directory, key, target, caller));
    }
    const id = this.provisionalId();
    const time = this.#home.clock.now();
    const owner = ownerOfNew(directory.attributes, caller);
    const inode = tree.symlink(directory, key, { id, target, time, owner });
    const operation = { kind: SYMLINK, directory: byId(directory), name, time, target, id, owner } as const;
    const entry = this.#home.append(operation, ONE_FILE, [directory, inode]);
    return { name: nameIn(directory, key), entry };
  }

  // What the server made

  #ask(
    directory: DirectoryInode,
    key: string,
    caller: Caller,
    operation: (ref: FileRef) => Parameters<Home['append']>[0],
    target: Buffer | null = null,
  ): Promise<Made> {
    const { tree } = this.#home;
    return this.#home.change(
      [directory],
      caller,
      () => operation(tree.refOf(directory)),
      (left) => this.made(directory, key, left, target),
    );
  }

  /** The server made a name: it tells what it leads to, and of the directory. `target`: of a symbolic link. */
  made(
    directory: DirectoryInode,
    key: string,
    left: readonly Attributes[],
    target: Buffer | null = null,
  ): Made {
    const [own, parent] = left;
    if (own === undefined) throw new Failure('EPROTO', 'the server does not tell what it made');
    if (parent !== undefined) this.#home.tree.told(directory, parent);
    return { name: this.#home.tree.made(directory, key, own, target), entry: undefined };
  }

  /** Before room is asked for: a name that is taken is EEXIST also where the quota is full. */
  #requireFree(directory: DirectoryInode, key: string): void {
    const found = this.#home.tree.lookup(directory, key);
    if (found !== undefined && found !== 'absent') throw new Failure('EEXIST');
  }

  /** An id for a file until the server has told its own. */
  provisionalId(): FileId {
    return { ino: 0n, birth: (this.#provisional += 1n) };
  }

  /** As Home.after(), of an inode number that is to be granted: a server that has none makes the file by itself. */
  #afterId<T>(
    wait: Promise<void>,
    caller: Caller,
    then: () => Eventually<T>,
    without: () => Promise<T>,
  ): Promise<T> {
    return interruptible(this.#home.remote.bounded(wait), caller).then(then, (failure: unknown) => {
      if (Failure.from(failure).kind !== 'ENOSPC') throw failure;
      return without();
    });
  }

  /** As the kernel is answered. */
  entry(made: Eventually<Made>, caller: Caller): Eventually<Entry> {
    if (made instanceof Promise) return made.then((each) => this.entry(each, caller));
    // It counts as a lookup, so it is made when it is answered.
    const entry = (): Entry => this.#home.takenIn(this.#home.kernel.entry(made.name));
    const answered = this.#home.answered(made.entry, undefined, caller);
    return answered instanceof Promise ? answered.then(entry) : entry();
  }
}

/** For the log: what is sent in order needs no hints, and gets them where the server asks for them. */
export function byId({ id }: Inode): FileRef {
  return { ino: id.ino, birth: id.birth, path: null };
}

/** Before the server is asked for anything: nothing is in a directory that was removed, and nothing can be made in it. ENOENT. */
export function requireThere(directory: DirectoryInode): void {
  if (directory.removed) throw new Failure('ENOENT', 'the directory was removed');
}

/** A name, of its key in the tree. */
export function bytesOf(key: string): Buffer {
  return Buffer.from(key, 'latin1');
}

function isDevice(type: number): boolean {
  return type === S_IFCHR || type === S_IFBLK;
}

function nameIn(directory: DirectoryInode, key: string): Name {
  const name = directory.directory.names.get(key);
  if (name === undefined) throw new Error('a name that was just made is not there');
  return name;
}
