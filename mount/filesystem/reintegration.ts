/**
 * What was done here under a lease that was lost before the server had it: each operation is carried out as an awaited change,
 * where what it expects still holds. Else somebody else has changed the same meanwhile, and both versions are kept
 * (conflict-copies.ts); never is one put over the other, and never is it silent.
 *
 * Names are judged by the server: an operation says which file a name leads to, or that it is free. Of data an operation
 * says nothing, so a file is asked for before anything is done to it: it was changed by somebody else if its ctime is not the
 * one that it has by what this mount knows.
 *
 * Invariant: operations are taken in the order of the log, and none is sent from there before they are through.
 */
import { hostname } from 'node:os';
import { Failure } from '../../protocol/failure.js';
import {
  CREATE,
  LINK,
  MKDIR,
  RENAME_EXCHANGE,
  RENAME_NOREPLACE,
  RMDIR,
  RELEASE,
  REMOVEXATTR,
  RENAME,
  SETATTR,
  SETXATTR,
  SYMLINK,
  UNLINK,
  WRITE,
  type Create,
  type Link,
  type Mkdir,
  type LogOperation,
  type Rename,
  type Rmdir,
  type Symlink,
  type Unlink,
} from '../../protocol/operations.js';
import { keyOf, sameId, type FileId, type FileRef } from '../../protocol/references.js';
import type { Entry } from '../log/entry.js';
import type { Log } from '../log/log.js';
import type { Inode } from '../tree/inode.js';
import type { Tree } from '../tree/tree.js';
import { isMissing, type AwaitedChanges } from './awaited-changes.js';
import { ConflictCopies, type FileChange, type Place } from './conflict-copies.js';
import { conflictSuffix } from './conflict-name.js';
import type { Hints } from './hints.js';
import type { Losses } from './losses.js';
import type { ServerIds } from './server-ids.js';

/** What somebody else did to a file meanwhile. */
type Fate = 'same' | 'changed' | 'gone';

export interface ReintegrationParts {
  readonly tree: Tree;
  readonly log: Log;
  readonly ids: ServerIds;
  readonly hints: Hints;
  readonly losses: Losses;
  readonly changes: AwaitedChanges;
}

export class Reintegration {
  readonly #parts: ReintegrationParts;
  #running: Promise<void> | undefined;

  constructor(parts: ReintegrationParts) {
    this.#parts = parts;
  }

  /** There is a connection, and the log was brought up to date. Resolves when nothing of lost leases is in the log. */
  connected(): Promise<void> | undefined {
    if (this.#running === undefined && this.#parts.log.orphan === undefined) return undefined;
    this.#running ??= new Run(this.#parts).all().finally(() => {
      this.#running = undefined;
      this.#parts.log.hurryUp();
    });
    return this.#running;
  }
}

/** One return after leases were lost. */
class Run {
  readonly #parts: ReintegrationParts;
  readonly #copies: ConflictCopies;
  /** By keyOf(). */
  readonly #inodes = new Map<string, Inode>();
  readonly #fates = new Map<string, Promise<Fate>>();
  /** Where files are whose name was taken. */
  readonly #moved = new Map<string, Place>();

  constructor(parts: ReintegrationParts) {
    this.#parts = parts;
    const suffix = conflictSuffix(Date.now(), hostname());
    this.#copies = new ConflictCopies({ ...parts, suffix });
  }

  async all(): Promise<void> {
    const { log, tree, changes } = this.#parts;
    let looked = false;
    for (let entry = log.orphan; entry !== undefined; entry = log.orphan) {
      // What is before it comes first: answers that were lost, and what a server has lost that broke meanwhile.
      const { previous } = entry;
      if (previous?.state === 'sent' || previous?.state === 'unsent') {
        await log.whenApplied(previous);
        continue;
      }
      if (!looked) for (const inode of tree.unsettled()) this.#inodes.set(keyOf(inode.id), inode);
      looked = true;
      try {
        await this.#one(entry);
      } catch (thrown) {
        log.giveUp(entry, Failure.from(thrown));
        continue;
      }
      log.reintegrated(entry);
    }
    if (this.#copies.count > 0) await changes.sync(log.lastNumber).catch(() => undefined);
  }

  #one(entry: Entry): Promise<unknown> {
    const operation: LogOperation = this.#parts.hints.add(entry.operation, entry);
    switch (operation.kind) {
      case CREATE:
      case MKDIR:
      case SYMLINK:
        return this.#make(operation, entry);
      case LINK:
        return this.#link(operation);
      case UNLINK:
      case RMDIR:
        return this.#remove(operation);
      case RENAME:
        return this.#rename(operation);
      case SETATTR:
      case WRITE:
      case SETXATTR:
      case REMOVEXATTR:
        return this.#changeFile(operation, entry);
      case RELEASE:
        return this.#parts.changes.change(operation);
    }
  }

  async #make(operation: Create | Mkdir | Symlink, entry: Entry): Promise<void> {
    const { changes, ids } = this.#parts;
    const { id } = operation;
    const { left, place } = await this.#copies.atNameOrBeside(operation, ({ directory, name }) =>
      changes.change({ ...operation, directory, name }),
    );
    const [made] = left;
    if (made === undefined || id === null) return;
    ids.told(entry, made);
    const key = keyOf(made);
    this.#fates.set(key, Promise.resolve('same'));
    if (place !== undefined) this.#moved.set(key, place);
  }

  async #link(operation: Link): Promise<void> {
    if ((await this.#fateOf(operation.file)) === 'gone') throw new Failure('ESTALE', 'the file was removed');
    await this.#copies.atNameOrBeside(operation, ({ directory, name }) =>
      this.#parts.changes.change({ ...operation, directory, name }),
    );
  }

  async #remove(operation: Unlink | Rmdir): Promise<void> {
    const { losses } = this.#parts;
    const path = this.#copies.pathOf(operation);
    if (operation.kind === UNLINK && operation.id !== null) {
      const fate = await this.#fateOf(refAt(operation.id, operation));
      if (fate === 'changed') return losses.conflict({ path, reason: 'removed here, changed elsewhere' });
    }
    const place = this.#placeOf(operation.id) ?? operation;
    try {
      await this.#parts.changes.change({ ...operation, directory: place.directory, name: place.name });
    } catch (thrown) {
      const failure = Failure.from(thrown);
      if (!isMissing(failure) && !isTaken(failure)) throw failure;
      const there = await this.#parts.changes.lookup(place.directory, place.name);
      if (there !== undefined)
        losses.conflict({ path, reason: 'removed here, filled or replaced elsewhere' });
    }
  }

  async #rename(operation: Rename): Promise<void> {
    const { changes, losses } = this.#parts;
    const { id, replaced, newDirectory, newName } = operation;
    const source = this.#placeOf(id) ?? operation;
    const moving: Rename = { ...operation, directory: source.directory, name: source.name };
    if (id !== null) await this.#fateOf(refAt(id, source));
    const path = this.#copies.pathOf(operation);
    if ((operation.flags & RENAME_EXCHANGE) !== 0) {
      await changes.change(moving).catch((thrown: unknown) => {
        const failure = Failure.from(thrown);
        if (!isMissing(failure) && !isTaken(failure)) throw failure;
        losses.conflict({ path, reason: 'exchanged here, moved or removed elsewhere' });
      });
      return;
    }
    const there = await changes.lookup(source.directory, source.name);
    if (there === undefined || (id !== null && !sameId(there, id))) {
      return losses.conflict({ path, reason: 'renamed here, moved or removed elsewhere' });
    }
    const target: Place = { directory: newDirectory, name: newName };
    const changed = replaced !== null && (await this.#fateOf(refAt(replaced, target))) === 'changed';
    const { place } = await this.#copies.atNameOrBeside(
      target,
      (at) => {
        const beside = at !== target;
        if (!beside && changed) throw new Failure('EEXIST', 'changed elsewhere');
        const own = beside ? { replaced: null, flags: RENAME_NOREPLACE, hold: false } : {};
        return changes.change({ ...moving, newDirectory: at.directory, newName: at.name, ...own });
      },
      isTaken,
    );
    if (id === null) return;
    if (place === undefined) this.#moved.delete(keyOf(id));
    else this.#moved.set(keyOf(id), place);
  }

  async #changeFile(operation: FileChange, entry: Entry): Promise<void> {
    const { file } = operation;
    if (file.ino === null) throw new Failure('EINVAL');
    const copy = this.#copies.of(file);
    if (copy !== undefined) return this.#copies.apply(copy, operation);
    const hasData = operation.kind === WRITE || (operation.kind === SETATTR && operation.size !== null);
    let fate = await this.#fateOf(file);
    if (fate === 'same' || (fate === 'changed' && !hasData)) {
      try {
        await this.#parts.changes.change(operation);
        return;
      } catch (thrown) {
        if (!isMissing(Failure.from(thrown))) throw thrown;
        fate = 'gone';
      }
    }
    if (!hasData) return;
    const inode = this.#inodeOf(file);
    if (inode === undefined || inode.isDirectory()) throw new Failure('ESTALE', 'the file was removed');
    const made = await this.#copies.make(inode, file, {
      there: fate === 'changed',
      first: operation,
      until: entry,
    });
    await this.#copies.apply(made, operation);
  }

  /** What became of a file, which is asked for once, before anything is done to it here. */
  #fateOf(file: FileRef): Promise<Fate> {
    if (file.ino === null) return Promise.resolve('same');
    const key = keyOf(file);
    let fate = this.#fates.get(key);
    if (fate === undefined) this.#fates.set(key, (fate = this.#askFate(file, this.#inodeOf(file))));
    return fate;
  }

  async #askFate(file: FileRef, inode: Inode | undefined): Promise<Fate> {
    try {
      const { ctime } = await this.#parts.changes.getattr(file);
      if (inode?.isDirectory() === true) return 'same';
      const expected = inode?.ctimeAtServer;
      return expected?.sec === ctime.sec && expected.nsec === ctime.nsec ? 'same' : 'changed';
    } catch (thrown) {
      const failure = Failure.from(thrown);
      if (!isMissing(failure)) throw failure;
      return 'gone';
    }
  }

  #inodeOf(id: FileId): Inode | undefined {
    return this.#inodes.get(keyOf(id)) ?? this.#parts.tree.byId(id);
  }

  #placeOf(id: FileId | null): Place | undefined {
    return id === null ? undefined : this.#moved.get(keyOf(id));
  }
}

/** A file by its id, with the name that it should have as a hint. */
function refAt(id: FileId, { directory, name }: Place): FileRef {
  const { path } = directory;
  if (path === null) return { ...id, path: null };
  const hint = path.length === 0 ? name : Buffer.concat([path, Buffer.from('/'), name]);
  return { ...id, path: hint as typeof path };
}

/** Whether a name is not what a change expects of it. */
function isTaken({ kind }: Failure): boolean {
  return kind === 'EEXIST' || kind === 'ESTALE' || kind === 'ENOTEMPTY' || kind === 'EISDIR';
}
