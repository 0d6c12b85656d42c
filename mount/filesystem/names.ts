/**
 * Operations that remove and move names, and make further ones of files (making.ts makes the files).
 *
 * Each is made by the tree and appended to the log where the tree may decide it (a lease for writing, and the names known),
 * else asked of the server. Which of the two, and what has to be waited for before, is what is here.
 */
import type { Attributes } from '../../protocol/attributes.js';
import {
  CREATE,
  LINK,
  RELEASE,
  REMOVEXATTR,
  RENAME,
  RENAME_EXCHANGE,
  RMDIR,
  UNLINK,
  WRITE,
  SETATTR,
  SETXATTR,
} from '../../protocol/operations.js';
import type { FileId } from '../../protocol/references.js';
import type { Caller, Entry, Eventually } from '../operations.js';
import type { DirectoryInode, Inode } from '../tree/inode.js';
import type { Charge } from '../log/entry.js';
import type { Doubting } from './doubting.js';
import type { FileLocks } from './file-locks.js';
import { NO_CHARGE, type Home } from './home.js';
import { byId, bytesOf, requireThere, type Making } from './making.js';

/** Operations that concern a file alone. */
const OF_FILE: ReadonlySet<number> = new Set([WRITE, SETATTR, SETXATTR, REMOVEXATTR]);

export class Names {
  readonly #home: Home;
  readonly #making: Making;
  readonly #doubting: Doubting;
  readonly #locks: FileLocks;

  constructor(home: Home, parts: { making: Making; doubting: Doubting; locks: FileLocks }) {
    this.#home = home;
    this.#making = parts.making;
    this.#doubting = parts.doubting;
    this.#locks = parts.locks;
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
      const locked = this.#locksLeaving([inode], true);
      if (locked !== undefined)
        return this.#home.after(locked, caller, () => this.link(inode, directory, key, caller));
      const asked = this.#home.change(
        [inode, directory],
        caller,
        () => ({ kind: LINK, directory: tree.refOf(directory), name, time: null, file: tree.refOf(inode) }),
        (left) => this.#doubting.renaming([inode], () => this.#making.made(directory, key, left)),
      );
      return this.#making.entry(asked, caller);
    }
    const wait = this.#home.room(NO_CHARGE);
    if (wait !== undefined)
      return this.#home.after(wait, caller, () => this.link(inode, directory, key, caller));
    const time = this.#home.clock.now();
    const made = tree.link(inode, directory, key, time);
    if (inode.attributes.nlink === 2) this.#home.leases.entered(inode.id.ino, directory.id.ino);
    const operation = { kind: LINK, directory: byId(directory), name, time, file: byId(inode) } as const;
    const entry = this.#home.append(operation, NO_CHARGE, [inode, directory]);
    return this.#making.entry({ name: made, entry }, caller);
  }

  unlink(directory: DirectoryInode, key: string, caller: Caller): Eventually<void> {
    const { tree } = this.#home;
    requireThere(directory);
    const name = bytesOf(key);
    const isOwn = tree.mayChangeName(directory, key);
    const wait =
      this.#locksLeaving(this.#known(directory, key), !isOwn) ??
      (isOwn ? this.#home.room(NO_CHARGE) : undefined);
    if (wait !== undefined) return this.#home.after(wait, caller, () => this.unlink(directory, key, caller));
    if (!isOwn) {
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

  /**
   * Before names of files change: their locks are said to the server where a file may come into a unit that is not leased to this
   * mount. That is where the server is `asked` to change them, as a directory is not this mount's, and where of two names one is
   * left, which may be anywhere. Undefined: there is nothing to wait for.
   */
  #locksLeaving(files: readonly Inode[], asked: boolean): Promise<unknown> | undefined {
    const waits: Promise<unknown>[] = [];
    for (const inode of files) {
      if (!asked && inode.attributes.nlink !== 2) continue;
      const wait = this.#locks.leaving(inode);
      if (wait !== undefined) waits.push(wait);
    }
    return waits.length === 0 ? undefined : Promise.all(waits);
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
    if (wait !== undefined) return this.#home.after(wait, caller, () => this.rmdir(directory, key, caller));
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
    const isOwn = tree.mayRename(directory, key, newDirectory, newKey, flags);
    const files = [...this.#known(directory, key), ...this.#known(newDirectory, newKey)];
    const wait = this.#locksLeaving(files, !isOwn) ?? (isOwn ? this.#home.room(NO_CHARGE) : undefined);
    if (wait !== undefined) {
      return this.#home.after(wait, caller, () =>
        this.rename(directory, key, newDirectory, newKey, flags, caller),
      );
    }
    if (!isOwn) return this.#askRename(directory, key, newDirectory, newKey, flags, caller);
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
}

function isProvisional({ ino }: FileId): boolean {
  return ino === 0n;
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
