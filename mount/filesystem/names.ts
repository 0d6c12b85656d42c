/**
 * Operations that make, remove and move names.
 *
 * Each is made by the tree and appended to the log where the tree may decide it (a lease for writing, and the names known),
 * else asked of the server. Which of the two, and what has to be waited for before, is what is here.
 */
import type { Attributes } from '../../protocol/attributes.js';
import { Failure } from '../../protocol/failure.js';
import {
  CREATE,
  LINK,
  MKDIR,
  RELEASE,
  REMOVEXATTR,
  RENAME,
  RENAME_EXCHANGE,
  RMDIR,
  SYMLINK,
  UNLINK,
  WRITE,
  SETATTR,
  SETXATTR,
} from '../../protocol/operations.js';
import type { FileId, FileRef } from '../../protocol/references.js';
import { S_IFBLK, S_IFCHR, S_IFIFO, S_IFMT, S_IFREG, S_IFSOCK } from '../../posix/flags.js';
import type { Caller, Entry, Eventually } from '../operations.js';
import { ownedBy, ownerOfNew } from '../ownership.js';
import { interruptible } from '../remote/interruption.js';
import type { DirectoryInode, Inode, Name } from '../tree/inode.js';
import type { Charge } from '../log/entry.js';
import type { Doubting } from './doubting.js';
import { NO_CHARGE, ONE_FILE, type Home } from './home.js';

const PERMISSIONS = 0o7777;
/** What can be made in any home, besides directories and symbolic links. */
const KEPT_TYPES: ReadonlySet<number> = new Set([S_IFREG, S_IFIFO, S_IFSOCK]);
/** Operations that concern a file alone. */
const OF_FILE: ReadonlySet<number> = new Set([WRITE, SETATTR, SETXATTR, REMOVEXATTR]);

/** What makes a change: the name that it left, and the entry of the log where it is in there. */
export interface Made {
  readonly name: Name;
  readonly entry: Parameters<Home['answered']>[0];
}

export class Names {
  readonly #home: Home;
  readonly #doubting: Doubting;
  /** Symbolic links and the like made here, counted: they have ids of their own until the server has made them. */
  #provisional = 0n;

  constructor(home: Home, doubting: Doubting) {
    this.#home = home;
    this.#doubting = doubting;
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
    return this.#entry(this.#make(CREATE, directory, key, whole, caller, isDevice(type) ? rdev : 0), caller);
  }

  /** Makes a regular file. EEXIST. */
  create(directory: DirectoryInode, key: string, mode: number, caller: Caller): Eventually<Made> {
    return this.#make(CREATE, directory, key, mode, caller);
  }

  mkdir(directory: DirectoryInode, key: string, mode: number, caller: Caller): Eventually<Entry> {
    return this.#entry(this.#make(MKDIR, directory, key, mode & PERMISSIONS, caller), caller);
  }

  #make(
    kind: typeof CREATE | typeof MKDIR,
    directory: DirectoryInode,
    key: string,
    mode: number,
    caller: Caller,
    rdev = 0,
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
    const again = (): Eventually<Made> => this.#make(kind, directory, key, mode, caller, rdev);
    const wait = this.#home.roomForInode();
    if (wait !== undefined) return this.#after(wait, caller, again);
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

  /** Undefined: one has to be granted first. */
  #takeId(kind: typeof CREATE | typeof MKDIR, mode: number): FileId | undefined {
    const { grants } = this.#home;
    if (kind === MKDIR) return grants.takeDirectory();
    const type = mode & S_IFMT;
    // A device is an empty file at the server.
    return type === S_IFREG || isDevice(type) ? grants.takeFile() : this.provisionalId();
  }

  symlink(directory: DirectoryInode, key: string, target: Buffer, caller: Caller): Eventually<Entry> {
    return this.#entry(this.#symlink(directory, key, target, caller), caller);
  }

  #symlink(directory: DirectoryInode, key: string, target: Buffer, caller: Caller): Eventually<Made> {
    const { tree } = this.#home;
    requireThere(directory);
    const name = bytesOf(key);
    if (!tree.mayChangeName(directory, key)) {
      return this.#ask(directory, key, caller, (ref) => ({
        kind: SYMLINK,
        directory: ref,
        name,
        time: null,
        target,
        id: null,
        ...ownedBy(directory, caller),
      }));
    }
    this.#requireFree(directory, key);
    const wait = this.#home.roomForInode();
    if (wait !== undefined) {
      return this.#after(wait, caller, () => this.#symlink(directory, key, target, caller));
    }
    const id = this.provisionalId();
    const time = this.#home.clock.now();
    const owner = ownerOfNew(directory.attributes, caller);
    const inode = tree.symlink(directory, key, { id, target, time, owner });
    const operation = { kind: SYMLINK, directory: byId(directory), name, time, target, id, owner } as const;
    const entry = this.#home.append(operation, ONE_FILE, [directory, inode]);
    return { name: nameIn(directory, key), entry };
  }

  link(inode: Inode, directory: DirectoryInode, key: string, caller: Caller): Eventually<Entry> {
    const { tree } = this.#home;
    requireThere(directory);
    const name = bytesOf(key);
    // With its second name a file is a unit of the leases, by an inode number that the server may have yet to tell.
    // Whether one without a name may have one only the server's disk knows: it was made so, or has lost its name.
    const mayLink =
      tree.mayChangeName(directory, key) &&
      tree.mayChange(inode) &&
      !isProvisional(inode.id) &&
      !inode.removed;
    if (!mayLink) {
      const asked = this.#home.change(
        [inode, directory],
        caller,
        () => ({ kind: LINK, directory: tree.refOf(directory), name, time: null, file: tree.refOf(inode) }),
        (left) => this.#doubting.renaming([inode], () => this.#made(directory, key, left)),
      );
      return this.#entry(asked, caller);
    }
    const wait = this.#home.room(NO_CHARGE);
    if (wait !== undefined) return this.#after(wait, caller, () => this.link(inode, directory, key, caller));
    const time = this.#home.clock.now();
    const made = tree.link(inode, directory, key, time);
    if (inode.attributes.nlink === 2) this.#home.leases.entered(inode.id.ino, directory.id.ino);
    const operation = { kind: LINK, directory: byId(directory), name, time, file: byId(inode) } as const;
    const entry = this.#home.append(operation, NO_CHARGE, [inode, directory]);
    return this.#entry({ name: made, entry }, caller);
  }

  unlink(directory: DirectoryInode, key: string, caller: Caller): Eventually<void> {
    const { tree } = this.#home;
    requireThere(directory);
    const name = bytesOf(key);
    if (!tree.mayChangeName(directory, key)) {
      const [known] = this.#known(directory, key);
      let hold = false;
      return this.#home.change(
        known === undefined ? [directory] : [directory, known],
        caller,
        () => {
          hold = isOpen(known);
          return { kind: UNLINK, directory: tree.refOf(directory), name, time: null, id: null, hold };
        },
        (left) =>
          this.#doubting.renaming([known], () => {
            tree.gone(directory, key);
            this.#learn(left, known, directory);
            if (hold) this.#held(known);
          }),
      );
    }
    const wait = this.#home.room(NO_CHARGE);
    if (wait !== undefined) return this.#after(wait, caller, () => this.unlink(directory, key, caller));
    const time = this.#home.clock.now();
    const { inode, freed, hold } = this.#doubting.renaming(this.#known(directory, key), () => {
      const removed = tree.unlink(directory, key, time);
      this.#doubting.lostName(removed.inode, directory);
      return { ...removed, hold: isHeldOpen(removed.inode) };
    });
    if (this.#takeBack(inode)) return undefined;
    const entry = this.#home.append(
      { kind: UNLINK, directory: byId(directory), name, time, id: inode.id, hold },
      freed,
      [directory, inode],
    );
    return this.#home.answered(entry, undefined, caller);
  }

  /** A file that was made and removed before anything of it was sent never travels. */
  #takeBack(inode: Inode): boolean {
    if (inode.names.size > 0 || inode.opens > 0) return false;
    const [first, ...others] = inode.entries;
    if (first?.operation.kind !== CREATE || first.state !== 'unsent') return false;
    const own = others.every(({ operation: { kind } }) => OF_FILE.has(kind));
    if (!own || !this.#home.log.cancel(inode.entries)) return false;
    if (!isProvisional(inode.id)) this.#home.grants.returnFile(inode.id);
    return true;
  }

  rmdir(directory: DirectoryInode, key: string, caller: Caller): Eventually<void> {
    const { tree } = this.#home;
    requireThere(directory);
    const name = bytesOf(key);
    if (!tree.mayRmdir(directory, key)) {
      return this.#home.change(
        [directory, ...this.#known(directory, key)],
        caller,
        () => ({ kind: RMDIR, directory: tree.refOf(directory), name, time: null, id: null }),
        (left) => {
          tree.gone(directory, key);
          this.#learn(left, undefined, directory);
        },
      );
    }
    const wait = this.#home.room(NO_CHARGE);
    if (wait !== undefined) return this.#after(wait, caller, () => this.rmdir(directory, key, caller));
    const time = this.#home.clock.now();
    const { inode, freed } = tree.rmdir(directory, key, time);
    this.#doubting.lostName(inode, directory);
    const operation = { kind: RMDIR, directory: byId(directory), name, time, id: inode.id } as const;
    const entry = this.#home.append(operation, freed, [directory, inode]);
    return this.#home.answered(entry, undefined, caller);
  }

  rename(
    directory: DirectoryInode,
    key: string,
    newDirectory: DirectoryInode,
    newKey: string,
    flags: number,
    caller: Caller,
  ): Eventually<void> {
    const { tree } = this.#home;
    requireThere(directory);
    requireThere(newDirectory);
    const [name, newName] = [bytesOf(key), bytesOf(newKey)];
    if (!tree.mayRename(directory, key, newDirectory, newKey, flags)) {
      return this.#askRename(directory, key, newDirectory, newKey, flags, caller);
    }
    const wait = this.#home.room(NO_CHARGE);
    if (wait !== undefined) {
      return this.#after(wait, caller, () =>
        this.rename(directory, key, newDirectory, newKey, flags, caller),
      );
    }
    const time = this.#home.clock.now();
    const expected = newDirectory.directory.names.get(newKey)?.inode;
    const { inode, freed, hold } = this.#doubting.renaming([...this.#known(directory, key), expected], () => {
      const renamed = tree.rename(directory, key, newDirectory, newKey, flags, time);
      // Two names of one file: nothing happens (rename(2)).
      const replaced = renamed.replaced === renamed.inode ? undefined : renamed.replaced;
      if (replaced !== undefined) this.#doubting.lostName(replaced, newDirectory);
      return { ...renamed, hold: isHeldOpen(replaced) };
    });
    if (expected === inode) return undefined;
    this.#home.kernel.moved(
      { parent: directory, key },
      { parent: newDirectory, key: newKey },
      flags === RENAME_EXCHANGE,
    );
    const entry = this.#home.append(
      {
        kind: RENAME,
        directory: byId(directory),
        name,
        time,
        id: inode.id,
        newDirectory: byId(newDirectory),
        newName,
        replaced: expected?.id ?? null,
        flags,
        hold,
      },
      freed,
      [directory, newDirectory, inode, ...(expected === undefined ? [] : [expected])],
    );
    return this.#home.answered(entry, undefined, caller);
  }

  #askRename(
    directory: DirectoryInode,
    key: string,
    newDirectory: DirectoryInode,
    newKey: string,
    flags: number,
    caller: Caller,
  ): Promise<void> {
    const { tree } = this.#home;
    const [moved] = this.#known(directory, key);
    const [replaced] = this.#known(newDirectory, newKey);
    const exchanges = (flags & RENAME_EXCHANGE) !== 0;
    let hold = false;
    return this.#home.change(
      [directory, newDirectory, ...this.#known(directory, key), ...this.#known(newDirectory, newKey)],
      caller,
      () => {
        hold = !exchanges && isOpen(replaced);
        return {
          kind: RENAME,
          ...{ directory: tree.refOf(directory), name: bytesOf(key), time: null, id: null },
          ...{
            newDirectory: tree.refOf(newDirectory),
            newName: bytesOf(newKey),
            replaced: null,
            flags,
            hold,
          },
        };
      },
      (left) =>
        this.#doubting.renaming([moved, replaced], () => {
          tree.moved(directory, key, newDirectory, newKey, flags);
          this.#home.kernel.moved(
            { parent: directory, key },
            { parent: newDirectory, key: newKey },
            exchanges,
          );
          this.#learn(left, moved, directory, newDirectory);
          if (hold) this.#held(replaced);
        }),
    );
  }

  /** The server holds a file that was open here when this was asked for. */
  #held(inode: Inode | undefined): void {
    if (inode === undefined) return;
    if (inode.opens > 0 || inode.openings > 0) inode.held = true;
    else this.release(inode, this.#home.tree.closed(inode));
  }

  /** The last close of a file that the server holds for this mount. `freed`: what a file without a name gives back. */
  release(inode: Inode, freed: Charge): void {
    inode.held = false;
    this.#home.append({ kind: RELEASE, id: inode.id }, freed, [inode]);
  }

  // What the server made

  #ask(
    directory: DirectoryInode,
    key: string,
    caller: Caller,
    operation: (ref: FileRef) => Parameters<Home['append']>[0],
  ): Promise<Made> {
    const { tree } = this.#home;
    return this.#home.change(
      [directory],
      caller,
      () => operation(tree.refOf(directory)),
      (left) => this.#made(directory, key, left),
    );
  }

  #made(directory: DirectoryInode, key: string, left: readonly Attributes[]): Made {
    return { name: this.made(directory, key, left), entry: undefined };
  }

  /** The server made a name: it tells what it leads to, and of the directory. */
  made(directory: DirectoryInode, key: string, left: readonly Attributes[]): Name {
    const [own, parent] = left;
    if (own === undefined) throw new Failure('EPROTO', 'the server does not tell what it made');
    if (parent !== undefined) this.#home.tree.told(directory, parent);
    return this.#home.tree.made(directory, key, own);
  }

  #learn(left: readonly Attributes[], ...inodes: (Inode | undefined)[]): void {
    for (const attributes of left) {
      const told = inodes.find((inode) => inode?.id.ino === attributes.ino);
      if (told !== undefined) this.#home.tree.told(told, attributes);
    }
  }

  #known(directory: DirectoryInode, key: string): Inode[] {
    const inode = directory.directory.names.get(key)?.inode;
    return inode === undefined ? [] : [inode];
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

  #after<T>(wait: Promise<unknown>, caller: Caller, then: () => Eventually<T>): Promise<T> {
    return interruptible(this.#home.remote.bounded(wait), caller).then(then);
  }

  /** As #after, of an inode number that is to be granted: a server that has none makes the file by itself. */
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

  #entry(made: Eventually<Made>, caller: Caller): Eventually<Entry> {
    if (made instanceof Promise) return made.then((each) => this.#entry(each, caller));
    // It counts as a lookup, so it is made when it is answered.
    const entry = (): Entry => this.#home.kernel.entry(made.name);
    const answered = this.#home.answered(made.entry, undefined, caller);
    return answered instanceof Promise ? answered.then(entry) : entry();
  }
}

/** For the log: what is sent in order needs no hints, and gets them where the server asks for them. */
function byId({ id }: Inode): FileRef {
  return { ino: id.ino, birth: id.birth, path: null };
}

/** Before the server is asked for anything: nothing is in a directory that was removed, and nothing can be made in it. ENOENT. */
function requireThere(directory: DirectoryInode): void {
  if (directory.removed) throw new Failure('ENOENT', 'the directory was removed');
}

function isProvisional({ ino }: FileId): boolean {
  return ino === 0n;
}

function isDevice(type: number): boolean {
  return type === S_IFCHR || type === S_IFBLK;
}

function isOpen(inode: Inode | undefined): boolean {
  return inode !== undefined && inode.opens > 0;
}

/** Whether a file that loses a name is open here: then the server holds it, as the operation says. */
function isHeldOpen(inode: Inode | undefined): boolean {
  if (inode === undefined || !isOpen(inode)) return false;
  inode.held = true;
  return true;
}

function bytesOf(key: string): Buffer {
  return Buffer.from(key, 'latin1');
}

function nameIn(directory: DirectoryInode, key: string): Name {
  const name = directory.directory.names.get(key);
  if (name === undefined) throw new Error('a name that was just made is not there');
  return name;
}
