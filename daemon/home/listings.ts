/*
 * Listings: of one directory page by page, and of those below it along with it, breadth first, while they fit.
 *
 * A listing is what is read of its directory, and what is read needs that nobody has changed it without telling. Only the
 * directory that was asked for is waited for; one below it that somebody else has is left out.
 *
 * What is told is looked at in one stretch of some milliseconds: what comes behind that is another page. Of a disk that is too slow
 * for a page that is worth it, they are looked at on another thread before. Of a listing of many pages each is looked at in several
 * turns, and told where nothing was changed meanwhile: then all of it is as it was. (A page of 1,024 entries takes 6.5 ms: 4 to
 * look at them, 2 to pack them; AMD EPYC, Node 20.20.)
 */
import { MAX_PAGE_ENTRIES, POSITION_BYTES } from '../../protocol/limits.js';
import type { FileRef } from '../../protocol/references.js';
import { DirectoryCursor, type Entry, type IsOver, type Page, type Room } from './disk/directory-cursor.js';
import type { Call } from './calls/call.js';
import type { Turns } from './calls/turns.js';
import type { DiskWatch } from './leases/disk-watch.js';
import { idOf, isDirectory } from './disk/file-ids.js';
import type { HomeClient } from './home-client.js';
import type { Identities } from './files/identities.js';
import type { Leases } from './leases/leases.js';
import type { Telling } from './files/telling.js';
import { Unfinished } from './calls/unfinished.js';

/** Bytes of targets of symbolic links in one answer: a thousand entries of the longest names beside them fit a record. */
const MAX_TARGETS = 512 * 1024;

const WHOLE_PAGE: Readonly<Room> = { entries: MAX_PAGE_ENTRIES, targets: MAX_TARGETS };

/** For how long entries are looked at (milliseconds): a full page that the kernel knows takes less. */
const SLICE_MS = 4;
/** Entries of a page that is worth a way to the client and back; and for how long they are looked at (milliseconds). */
const ENOUGH_ENTRIES = 128;
const PATIENCE_MS = 16;

/** Entries of a page that are looked at and packed together, in less than a millisecond. */
const PIECE_ENTRIES = 128;

/** A page as it travels, or as much of it as was looked at: of the entries nothing else is kept, for the collector's sake. */
interface Made {
  readonly told: unknown[][];
  /** The positions behind them, in pieces. */
  readonly positions: Buffer[];
  /** Of them, those with attributes of units of their own. */
  readonly units: bigint[];
  /** Where it ends. */
  end: bigint;
  /** No page follows. */
  last: boolean;
}

/** A page that is looked at in several turns. */
interface Begun {
  readonly call: Call;
  readonly from: bigint;
  /** Of the home, when it was begun. */
  readonly changes: number;
  readonly room: Room;
  readonly made: Made;
  /** For how long entries were looked at (milliseconds). */
  ms: number;
  /** All of it was looked at. */
  isWhole: boolean;
}

/** [attributes of the directory, entries, cursor of the next page or null], as it travels. */
type Listing = [attributes: unknown[], entries: unknown[][], cursor: number | null];

export class Listings {
  readonly #identities: Identities;
  readonly #telling: Telling;
  readonly #leases: Leases;
  readonly #watch: DiskWatch;
  readonly #turns: Turns;
  readonly #changes: () => number;
  readonly #sliceMs: number;
  readonly #patienceMs: number;
  /** Those for which the disk was looked at ahead. */
  readonly #lookedAhead = new WeakSet<Call>();
  /** The page of a client that was begun last: one of them, for what it takes of the memory. */
  readonly #begun = new WeakMap<HomeClient, Begun>();
  /** Those whose page was begun: where that is of no use any more, it is looked at in one stretch. */
  readonly #hadBegun = new WeakSet<Call>();

  /** `changes`: another number after each change of the home. `sliceMs`: for tests; 0: the fewest entries. */
  constructor(parts: {
    identities: Identities;
    telling: Telling;
    leases: Leases;
    watch: DiskWatch;
    turns: Turns;
    changes: () => number;
    sliceMs?: number | undefined;
  }) {
    this.#identities = parts.identities;
    this.#telling = parts.telling;
    this.#leases = parts.leases;
    this.#watch = parts.watch;
    this.#turns = parts.turns;
    this.#changes = parts.changes;
    this.#sliceMs = parts.sliceMs ?? SLICE_MS;
    this.#patienceMs = parts.sliceMs ?? PATIENCE_MS;
  }

  /** The answer of `list`; the directory itself was touched. Unfinished. */
  list(client: HomeClient, directory: FileRef, budget: number, call: Call): Listing[] {
    const isOver = this.#slice(call);
    const room: Room = { entries: budget === 0 ? 0 : MAX_PAGE_ENTRIES, targets: MAX_TARGETS };
    const cursor = this.#open(directory);
    const told: Entry[] = [];
    let listing: Listing;
    try {
      const page = this.#page(cursor, room, 0n, call, isOver);
      cursor.position = page.end;
      told.push(...page.entries);
      listing = this.#listing(client, cursor, page);
      if (!page.last) {
        // It stays open.
        client.handles.requireRoom();
        listing[2] = client.handles.add({ kind: 'cursor', cursor });
        this.#mention(client, unitsOf(told));
        return [listing];
      }
    } catch (error) {
      cursor.close();
      throw error;
    }
    cursor.close();
    room.entries = budget - told.length;
    // Of a slow disk nothing is told ahead of need.
    const below = this.#lookedAhead.has(call) ? [] : this.#listingsBelow(client, told, room, isOver);
    this.#mention(client, unitsOf(told));
    return [listing, ...below];
  }

  /** The answer of `listNext`; the directory was touched. Unfinished. */
  next(
    client: HomeClient,
    number: Parameters<HomeClient['handles']['ofKind']>[0],
    position: bigint | null,
    call: Call,
  ): unknown[] {
    const { cursor } = client.handles.ofKind(number, 'cursor');
    const { told, positions, units, end, last } = this.#pageInTurns(
      client,
      cursor,
      position ?? cursor.position,
      call,
    );
    cursor.position = end;
    if (last) {
      client.handles.take(number);
      cursor.close();
    }
    this.#mention(client, units);
    return [told, last ? null : number, Buffer.concat(positions)];
  }

  /** Whole listings of what `told` lists, and then of what these list; their entries are appended to `told`. */
  #listingsBelow(client: HomeClient, told: Entry[], room: Room, isOver: IsOver): Listing[] {
    const listings: Listing[] = [];
    for (let at = 0; at < told.length && room.entries > 0 && !isOver(told.length); at++) {
      const { status } = told[at] as Entry;
      if (!isDirectory(status) || !this.#leases.mayRead(client, status.ino)) continue;
      const before: Room = { ...room };
      this.#watch.cover(client, [{ unit: status.ino, write: false }]);
      const below = this.#whole(client, { ...idOf(status), path: null }, room, (more) =>
        isOver(told.length + more),
      );
      if (below === undefined) {
        if (room.entries === before.entries) continue;
        break; // too large, or too much in all: what comes after may be, too
      }
      this.#leases.grant(client, [{ unit: status.ino, write: false }]);
      told.push(...below.entries);
      listings.push(below.listing);
    }
    return listings;
  }

  /** A whole listing: undefined where it does not fit, or cannot be read. */
  #whole(
    client: HomeClient,
    directory: FileRef,
    room: Room,
    isOver: IsOver,
  ): { listing: Listing; entries: Entry[] } | undefined {
    const cursor = this.#openIfReadable(directory);
    if (cursor === undefined) return undefined;
    try {
      const page = cursor.page(room, 0n, isOver);
      return page.last ? { listing: this.#listing(client, cursor, page), entries: page.entries } : undefined;
    } finally {
      cursor.close();
    }
  }

  /** Whether looking has taken too long, from now on. */
  #slice(call: Call): IsOver {
    const began = performance.now();
    const patienceMs = this.#lookedAhead.has(call) ? Infinity : this.#patienceMs;
    return (told) => performance.now() - began >= (told < ENOUGH_ENTRIES ? patienceMs : this.#sliceMs);
  }

  /** Unfinished, once for a call: too few entries in the time; then the kernel knows them. */
  #page(cursor: DirectoryCursor, room: Room, from: bigint, call: Call, isOver: IsOver): Page {
    const page = cursor.page(room, from, isOver);
    if (page.late && page.entries.length < ENOUGH_ENTRIES) this.#lookAhead(cursor, from, call);
    return page;
  }

  #lookAhead(cursor: DirectoryCursor, from: bigint, call: Call): never {
    this.#lookedAhead.add(call);
    throw new Unfinished(cursor.lookAhead(this, from));
  }

  /** Unfinished: after each turn, until it is to be told. */
  #pageInTurns(client: HomeClient, cursor: DirectoryCursor, from: bigint, call: Call): Made {
    const begun = this.#begunPage(client, from, call);
    if (begun === undefined) {
      const made = nothingOf(from);
      this.#add(client, cursor, made, this.#page(cursor, { ...WHOLE_PAGE }, from, call, this.#slice(call)));
      return made;
    }
    while (!begun.isWhole) {
      this.#lookAtSome(client, cursor, begun);
      if (this.#turns.isOver) throw new Unfinished(this.#turns.putOff(() => undefined));
    }
    this.#begun.delete(client);
    return begun.made;
  }

  #lookAtSome(client: HomeClient, cursor: DirectoryCursor, begun: Begun): void {
    const { call, from, room, made } = begun;
    const since = performance.now() - begun.ms;
    const isLate = (): boolean => performance.now() - since >= this.#patienceMs;
    const some: Room = { entries: Math.min(PIECE_ENTRIES, room.entries), targets: room.targets };
    const piece = cursor.page(some, made.end, () => this.#turns.isOver || isLate());
    const late = piece.late && isLate();
    if (late && made.told.length + piece.entries.length < ENOUGH_ENTRIES) {
      this.#begun.delete(client);
      this.#lookAhead(cursor, from, call);
    }
    this.#add(client, cursor, made, piece);
    room.entries -= piece.entries.length;
    room.targets = some.targets;
    begun.ms = performance.now() - since;
    begun.isWhole = late || piece.last || room.entries < PIECE_ENTRIES / 2;
  }

  #add(client: HomeClient, cursor: DirectoryCursor, made: Made, piece: Page): void {
    made.told.push(...this.#entries(client, cursor, piece));
    made.positions.push(positionsOf(piece));
    made.units.push(...unitsOf(piece.entries));
    made.end = piece.end;
    made.last = piece.last;
  }

  /** What a call has of its page, or begins; undefined: it is to be looked at in one stretch. */
  #begunPage(client: HomeClient, from: bigint, call: Call): Begun | undefined {
    const changes = this.#changes();
    const before = this.#begun.get(client);
    if (this.#hadBegun.has(call)) {
      return before?.call === call && before.from === from && before.changes === changes ? before : undefined;
    }
    const room = { ...WHOLE_PAGE };
    const begun: Begun = { call, from, changes, room, made: nothingOf(from), ms: 0, isWhole: false };
    this.#hadBegun.add(call);
    this.#begun.set(client, begun);
    return begun;
  }

  #open(directory: FileRef): DirectoryCursor {
    return new DirectoryCursor(this.#identities.openDirectory(directory), this.#identities.root.ino);
  }

  /** What cannot be listed now is asked for by itself, and fails then. */
  #openIfReadable(directory: FileRef): DirectoryCursor | undefined {
    try {
      return this.#open(directory);
    } catch {
      return undefined;
    }
  }

  #listing(client: HomeClient, cursor: DirectoryCursor, page: Page): Listing {
    return [this.#telling.attributesOf(cursor.file()), this.#entries(client, cursor, page), null];
  }

  #entries(client: HomeClient, cursor: DirectoryCursor, { entries }: Page): unknown[][] {
    return entries.map((entry) => {
      const { name, status, target } = entry;
      this.#identities.learn(status, cursor.ino, name);
      const isNew = isUnit(entry) && this.#watch.cover(client, [{ unit: status.ino, write: false }]);
      const now = isNew ? cursor.again(entry).status : status;
      return [name, this.#telling.attributesOf(cursor.fileOf(name, now)), target];
    });
  }

  /** The client was told the attributes of directories, and of files with several names: of units that it did not touch. */
  #mention(client: HomeClient, units: readonly bigint[]): void {
    if (units.length > 0) this.#leases.mention(client, units);
  }
}

function nothingOf(from: bigint): Made {
  return { told: [], positions: [], units: [], end: from, last: false };
}

function unitsOf(entries: readonly Entry[]): bigint[] {
  return entries.filter(isUnit).map(({ status }) => status.ino);
}

/** The positions behind the entries of a page, 64 bits each. */
function positionsOf({ entries }: Page): Buffer {
  const positions = Buffer.allocUnsafe(POSITION_BYTES * entries.length);
  for (const [at, { next }] of entries.entries()) positions.writeBigUInt64BE(next, POSITION_BYTES * at);
  return positions;
}

/** Whether the attributes of an entry belong to another unit than the directory that it is in. */
function isUnit({ status }: Entry): boolean {
  return isDirectory(status) || status.nlink > 1;
}
