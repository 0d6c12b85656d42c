/**
 * Learning all names of a directory: one listing at a time for each, shared by all who want it. One that is too large to be
 * known whole is given up; who reads it has a listing of its own (long-listing.ts).
 *
 * A listing tells names, attributes and the targets of symbolic links, and brings the listings of directories below along;
 * more of them are asked for while a program walks (data/list-ahead.ts). So a walk of a cold tree costs a few round trips,
 * and so does a `git status`. One that is cut off by a lost connection is begun anew: a page is told once.
 *
 * The top of a new mount is listed before anybody asks, where that takes nothing from another client. Of what nobody waits
 * for, only the first page comes: the directory may have a million names.
 */
import type { Attributes } from '../../protocol/attributes.js';
import { Failure } from '../../protocol/failure.js';
import type { RemoteHandle } from '../../protocol/ids.js';
import { MAX_PAGE_ENTRIES } from '../../protocol/limits.js';
import { WHOLE_HOME, type Result } from '../../protocol/methods.js';
import { packRef, sameId } from '../../protocol/references.js';
import { ListAhead } from '../data/list-ahead.js';
import type { Caller } from '../operations.js';
import { interruptible } from '../remote/interruption.js';
import type { Listing as TreeListing } from '../tree/directory.js';
import type { DirectoryInode, Name } from '../tree/inode.js';
import type { ListedEntry } from '../tree/learning.js';
import type { Home } from './home.js';
import { ToldNames } from './told-names.js';

type Listing = Result<'list'>[number];

/** The first page of a listing was told. */
/** A listing that is open at the server. Its number is another's when the server has forgotten this client (Remote.era). */
export interface Cursor {
  readonly handle: RemoteHandle;
  readonly era: number;
}

interface First {
  readonly cursor: Cursor | null;
  /** What the tree learns by it. */
  readonly listing: TreeListing<Name> | null;
}

/** A second name asked for one by one makes it worth to list the directory. */
const MISSES_BEFORE_LISTING = 1;
/** Names of a directory that are gathered before anybody reads them: of so many all are kept (tree.ts). */
export const MAX_NAMES_AT_ONCE = 16 * MAX_PAGE_ENTRIES;
/** How often a listing that is cut off is begun. */
const MAX_BEGUN = 16;
/** Whoever waits for a listing that others wait for, too, is let go by itself. */
export const NOBODY: Caller = { uid: 0, gid: 0, pid: 0 };

/** A listing under way. */
interface Load {
  /** The first page has come. */
  readonly first: Promise<unknown>;
  /** All pages have; one that is not wanted ends with the first. */
  readonly all: Promise<ToldNames | undefined>;
  /** Somebody waits for it. */
  wanted: boolean;
}

export class Listings {
  readonly #home: Home;
  readonly #ahead: ListAhead<DirectoryInode>;
  readonly #loads = new Map<DirectoryInode, Load>();
  /** Those with more names than are gathered. */
  readonly #long = new WeakSet<DirectoryInode>();
  /** Lookups that had to be asked for one by one. Infinity: the directory is too large to be listed for a lookup, or cannot be. */
  readonly #misses = new WeakMap<DirectoryInode, number>();
  #begun = false;

  constructor(home: Home) {
    this.#home = home;
    this.#ahead = new ListAhead<DirectoryInode>({
      below: directoriesIn,
      // What was told of a directory and is not believed, another client has for writing: it would have to give it back.
      wanted: (directory) =>
        !directory.removed &&
        home.tree.knows(directory) &&
        !this.#isKnown(directory) &&
        !this.isLong(directory),
      list: (directory, entries, done) => {
        const ended = (): void => done();
        this.#begin(directory, entries).all.then(ended, ended);
      },
    });
  }

  /** Units were leased: once it is the whole home, nobody else's leases are in the way of the first listing. */
  leased(): void {
    const { tree, leases } = this.#home;
    if (this.#begun || !leases.believes(WHOLE_HOME)) return;
    this.#begun = true;
    if (!this.#isKnown(tree.root)) this.#begin(tree.root, MAX_PAGE_ENTRIES);
  }

  #isKnown(directory: DirectoryInode): boolean {
    return this.#loads.has(directory) || this.#home.tree.isWhole(directory);
  }

  /** A program listed the directory, or looked up in it. */
  used(directory: DirectoryInode): void {
    this.#ahead.used(directory);
  }

  /** Whether listing the directory is likely to be cheaper than to ask for one more name of it. Counts the miss. */
  isWorthIt(directory: DirectoryInode): boolean {
    const misses = this.#misses.get(directory) ?? 0;
    if (!Number.isFinite(misses)) return false;
    if (misses >= MISSES_BEFORE_LISTING || this.#loads.has(directory)) return true;
    this.#misses.set(directory, misses + 1);
    return false;
  }

  /** Whether the directory was found to have too many names. */
  isLong(directory: DirectoryInode): boolean {
    return this.#long.has(directory);
  }

  /**
   * All names of the directory, as they were told: a snapshot, whatever the tree then keeps of it. Undefined where there are too
   * many.
   */
  names(directory: DirectoryInode, caller: Caller): Promise<ToldNames | undefined> {
    return interruptible(this.#wanted(directory).all, caller);
  }

  /** Lists the directory, and waits for the first page: it has all names of most, and the others are asked for one by one. */
  async firstPage(directory: DirectoryInode, caller: Caller): Promise<void> {
    await interruptible(this.#wanted(directory).first, caller);
  }

  #wanted(directory: DirectoryInode): Load {
    const load = this.#loads.get(directory) ?? this.#begin(directory, this.#ahead.entries(directory));
    load.wanted = true;
    return load;
  }

  #begin(directory: DirectoryInode, entries: number): Load {
    this.#misses.delete(directory);
    const names = new ToldNames();
    const first = this.#first(directory, entries, names);
    const all = first.then((told) => this.#rest(directory, load, names, told));
    const load: Load = { first, all, wanted: false };
    this.#loads.set(directory, load);
    all.catch(() => {
      this.#misses.set(directory, Number.POSITIVE_INFINITY);
      this.#loads.delete(directory);
    });
    return load;
  }

  /** The pages behind the first one, if anybody wants them. */
  async #rest(
    directory: DirectoryInode,
    load: Load,
    toldFirst: ToldNames,
    { cursor: opened, listing: begunListing }: First,
  ): Promise<ToldNames | undefined> {
    let [names, cursor, listing] = [toldFirst, opened, begunListing];
    for (let begun = 1; ; begun++) {
      if (cursor !== null && load.wanted) this.#misses.set(directory, Number.POSITIVE_INFINITY);
      try {
        while (cursor !== null && load.wanted && names.length < MAX_NAMES_AT_ONCE) {
          cursor = await this.#next(directory, cursor, names, listing);
        }
        // Before anybody else can want the rest of one that was not wanted.
        this.#loads.delete(directory);
        if (cursor === null) {
          names.end();
          return names;
        }
        if (load.wanted) this.#long.add(directory);
        closeCursor(this.#home, cursor);
        return undefined;
      } catch (thrown) {
        if (cursor !== null) closeCursor(this.#home, cursor);
        const failure = Failure.from(thrown);
        // Cut off: by a lost connection, or a server that was restarted.
        if (failure.kind !== 'ESTALE' || begun >= MAX_BEGUN) throw failure;
      }
      names = new ToldNames();
      ({ cursor, listing } = await this.#first(directory, this.#ahead.entries(directory), names));
    }
  }

  #first(directory: DirectoryInode, count: number, names: ToldNames): Promise<First> {
    const { tree, remote } = this.#home;
    return this.#home.ask(
      'list',
      [directory],
      NOBODY,
      () => [packRef(tree.refOf(directory)), count],
      ([own, ...below]) => {
        if (own === undefined || !sameId(own[0], directory.id)) throw new Failure('ESTALE');
        const [attributes, entries, handle] = own;
        const cursor = handle === null ? null : { handle, era: remote.era };
        tree.told(directory, attributes);
        names.add(tree.pageOf(directory, listed(entries), true, cursor === null));
        const listing = directory.directory.listing ?? null;
        this.#ahead.came([directory, ...this.#learnBelow(below)]);
        return { cursor, listing };
      },
    );
  }

  #next(
    directory: DirectoryInode,
    { handle, era }: Cursor,
    names: ToldNames,
    listing: First['listing'],
  ): Promise<Cursor | null> {
    return this.#home.ask(
      'listNext',
      [],
      NOBODY,
      () => [handle],
      ([entries, next]) => {
        names.add(this.#home.tree.pageOf(directory, listed(entries), false, next === null, listing));
        return next === null ? null : { handle: next, era };
      },
    );
  }

  /** Listings of directories below that came along. Returns the directories that are known by them. */
  #learnBelow(listings: readonly Listing[]): DirectoryInode[] {
    const { tree, remote } = this.#home;
    const learned: DirectoryInode[] = [];
    for (const [attributes, entries, cursor] of listings) {
      if (cursor !== null) closeCursor(this.#home, { handle: cursor, era: remote.era });
      const child = this.#directoryOf(attributes);
      // What was changed in it after this was asked for is not in its listing.
      if (child === undefined || child.pending || this.#loads.has(child)) continue;
      tree.told(child, attributes);
      tree.pageOf(child, listed(entries), true, cursor === null);
      learned.push(child);
    }
    return learned;
  }

  #directoryOf(attributes: Attributes): DirectoryInode | undefined {
    const inode = this.#home.tree.byIndex(attributes.ino);
    return inode !== undefined && sameId(inode.id, attributes) && inode.isDirectory() ? inode : undefined;
  }
}

function* directoriesIn({ directory }: DirectoryInode): Generator<DirectoryInode> {
  for (const { inode } of directory.names.values()) if (inode.isDirectory()) yield inode;
}

export function closeCursor({ remote }: Home, { handle, era }: Cursor): void {
  if (era === remote.era) remote.request('close', [handle], undefined, () => undefined);
}

export function* listed(entries: Listing[1]): Generator<ListedEntry> {
  for (const [name, attributes, target] of entries)
    yield { key: name.toString('latin1'), attributes, target };
}
