/**
 * A directory that is too large to be known whole, as one open handle reads it: page by page, from a cursor at the server.
 *
 * Invariant: what is kept of it are the pages that were read last, however large it is. Offsets are the server's own positions,
 * so wherever a program goes on reading, also after a lost connection or a restart of the server, it gets what was there all
 * the time once.
 */
import { Failure } from '../../protocol/failure.js';
import { POSITION_BYTES } from '../../protocol/limits.js';
import type { Result } from '../../protocol/methods.js';
import { packRef } from '../../protocol/references.js';
import type { Caller } from '../operations.js';
import { interruptible } from '../remote/interruption.js';
import type { Listing } from '../tree/directory.js';
import type { DirectoryInode, Name } from '../tree/inode.js';
import type { Home } from './home.js';
import { closeCursor, listed, NOBODY, type Cursor } from './listings.js';

/** The kernel reads on from what it has used of an answer, which may be in the page before. */
const MAX_PAGES = 2;
/** How often a page that is cut off is asked for. */
const MAX_ASKED = 16;
/** The offset behind '..': what is listed comes behind it. */
const START = 2n;
/** The highest offset (loff_t). Of the positions that high, a disk has one: its end. */
const MAX_OFFSET = (1n << 63n) - 1n;

/** Names in the order of the directory. */
export interface LongPage {
  /** The offset of the first. */
  readonly offset: bigint;
  readonly names: readonly Name[];
  /** The offsets behind each. */
  readonly offsets: readonly bigint[];
  /** The offset of the next page. */
  readonly end: bigint;
  /** None follows. */
  readonly last: boolean;
}

/** A cursor is good as long as the server knows the client by which it was opened. */
export class LongListing {
  readonly #home: Home;
  readonly #directory: DirectoryInode;
  #cursor: Cursor | undefined;
  #pages: LongPage[] = [];
  /** What the tree learns by it, while it is read in order. */
  #learned: Listing<Name> | null = null;
  #closed = false;
  #loading: Promise<unknown> = Promise.resolve();

  constructor(home: Home, directory: DirectoryInode) {
    this.#home = home;
    this.#directory = directory;
  }

  /** The page that has what comes at an offset, and where in it. */
  async at(offset: bigint, caller: Caller): Promise<{ page: LongPage; index: number }> {
    const kept = this.#find(offset);
    if (kept !== undefined) return kept;
    // One at a time, also where a caller was let go.
    const loaded = this.#loading.then(() => this.#find(offset) ?? this.#load(offset));
    this.#loading = loaded.catch(() => undefined);
    return interruptible(loaded, caller);
  }

  close(): void {
    this.#closed = true;
    for (const { names } of this.#pages) this.#home.tree.passed(names);
    this.#pages = [];
    this.#closeCursor();
  }

  #find(offset: bigint): { page: LongPage; index: number } | undefined {
    // The newest first: where one ends the next begins.
    for (const page of this.#pages.toReversed()) {
      if (page.offset === offset) return { page, index: 0 };
      const index = page.offsets.indexOf(offset) + 1;
      if (index > 0 && (offset !== page.end || page.last)) return { page, index };
    }
    return undefined;
  }

  async #load(offset: bigint): Promise<{ page: LongPage; index: number }> {
    for (let asked = 1; ; asked++) {
      try {
        const page = await this.#page(offset);
        this.#pages.push(page);
        if (this.#pages.length > MAX_PAGES) this.#home.tree.passed(this.#pages.shift()?.names ?? []);
        if (this.#closed) this.close();
        return { page, index: 0 };
      } catch (thrown) {
        const { kind } = Failure.from(thrown);
        // ESTALE: cut off, by a lost connection or a server that was restarted. EBADF: it was read to its end, or forgotten.
        if (kind === 'EBADF') this.#cursor = undefined;
        if ((kind !== 'ESTALE' && kind !== 'EBADF') || asked >= MAX_ASKED) throw thrown;
      }
    }
  }

  async #page(offset: bigint): Promise<LongPage> {
    const { remote } = this.#home;
    if (this.#cursor?.era !== remote.era) this.#cursor = await this.#open();
    const { handle, era } = this.#cursor;
    return this.#home.ask(
      'listNext',
      [],
      NOBODY,
      () => {
        // Its number may be another's by now.
        if (era !== remote.era) throw new Failure('ESTALE');
        return [handle, offset === MAX_OFFSET ? offset : offset - START];
      },
      (page) => this.#received(offset, page),
    );
  }

  #open(): Promise<Cursor> {
    const { tree, remote } = this.#home;
    const directory = this.#directory;
    return this.#home.ask(
      'list',
      [directory],
      NOBODY,
      () => [packRef(tree.refOf(directory)), 0],
      ([own]) => {
        if (own === undefined || own[2] === null) throw new Failure('EIO', 'the server opened no listing');
        tree.told(directory, own[0]);
        return { handle: own[2], era: remote.era };
      },
    );
  }

  #received(offset: bigint, [entries, cursor, positions]: Result<'listNext'>): LongPage {
    const last = cursor === null;
    const whole = positions?.length === POSITION_BYTES * entries.length;
    if (!whole || (entries.length === 0 && !last)) throw new Failure('EIO', 'the server lists without end');
    if (last) this.#cursor = undefined;
    const { tree } = this.#home;
    const directory = this.#directory;
    const begins = offset === START;
    // Where something was passed over, who asked learns of it, and nobody else.
    if (!begins && this.#pages.at(-1)?.end !== offset) this.#learned = null;
    const told = tree.pageOf(directory, listed(entries), begins, last, begins ? undefined : this.#learned);
    if (begins) this.#learned = directory.directory.listing ?? null;
    const offsets: bigint[] = [];
    let end = offset;
    for (const [at, [name]] of entries.entries()) {
      end = offsetOf(positions.readBigUInt64BE(POSITION_BYTES * at));
      // Those that were removed here meanwhile are not among the told.
      if (told[offsets.length]?.key === name.toString('latin1')) offsets.push(end);
    }
    return { offset, names: told, offsets, end, last };
  }

  #closeCursor(): void {
    if (this.#cursor !== undefined) closeCursor(this.#home, this.#cursor);
    this.#cursor = undefined;
  }
}

function offsetOf(position: bigint): bigint {
  return position > MAX_OFFSET - START ? MAX_OFFSET : position + START;
}
