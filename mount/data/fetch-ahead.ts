/**
 * Fetching small files before they are read, many with one request, for a program that reads the files of a tree in order.
 *
 * Two files that are read in the order of their directory begin a run, and each file that the run foresaw carries it on: the
 * next ones are fetched when half of what was asked for has been read, twice as many each time, up to what keeps the line
 * busy. Once a run was right, the first file of another directory begins one: programs differ in when they descend.
 *
 * Invariants:
 * - What is fetched and was not read yet is bounded, by the line's window and by the budget of the cache.
 * - A program that reads files in no order costs nothing but the look whether it does: a fixed time for each file.
 */
import { S_IFMT, S_IFREG } from '../../posix/flags.js';
import { MAX_DATA, MAX_FETCH } from '../../protocol/limits.js';
import type { Bandwidth } from './bandwidth.js';
import type { FileCache } from './cache.js';
import type { Cancel } from './fetch.js';
import { inOrder, Walk, type Listing, type Order, type TreeName } from './reading-order.js';

/** Asks for files, whole, as many as fit into `bytes`. Neither function is called before it has returned. */
export type FetchFiles<N> = (
  names: readonly N[],
  bytes: number,
  /** Gets the data of one (a view, valid during the call); undefined: not fetched, or not what it was. */
  arrived: (index: number, data: Buffer | undefined) => void,
  /** Called once, at the end. */
  done: () => void,
) => Cancel;

export interface FetchAheadParts<N extends TreeName<N>> {
  readonly cache: FileCache;
  readonly bandwidth: Bandwidth;
  readonly listing: Listing<N>;
  /** Whether the data of a file would be believed, and are not known already. */
  readonly wanted: (name: N) => boolean;
  readonly fetch: FetchFiles<N>;
}

/** Bytes of a file that is fetched: a larger one takes several reads anyway, and is read ahead. */
const MAX_SMALL = 128 * 1024;
/** Files of the first request of a run: with small ones, what a round trip brings anyway. */
const FIRST_FILES = 64;
/** Of one where most are passed over. */
const MIN_FILES = 16;
/** Files that were fetched, or are being, and were not read; and others in between. */
const MAX_FILES = 2 * MAX_FETCH;
const MAX_UPCOMING = 4 * MAX_FETCH;
/** Programs (or parts of one) that read at the same time. */
const MAX_RUNS = 4;
/** Files that were read last and belong to no run. */
const MAX_STRAYS = 4;
/** A file may be followed by one of the next few: empty files are not read, others are passed over. */
const NEAR = 4;
/** Names that may be looked at, on an average, for each file that belongs to no run. */
const LOOKS = 64;

/** One program's way through the tree. */
interface Run<N extends TreeName<N>> {
  readonly walk: Walk<N>;
  /** Taken from the walk, and not foreseen yet: there was no room. */
  postponed: N | undefined;
  /** What was foreseen and not read, in order; with the bytes that were asked for. */
  readonly upcoming: Map<object, number>;
  /** Of those, what was asked for. */
  files: number;
  bytes: number;
  /** Files asked for that were read, and that were passed over, since the last request. */
  used: number;
  passed: number;
  /** Files that may be asked for and not read. */
  goal: number;
  /** It was right at least once. */
  right: boolean;
  readonly cancels: Set<Cancel>;
}

export class FetchAhead<N extends TreeName<N>> {
  readonly #parts: FetchAheadParts<N>;
  /** The one that was carried on last is the last. */
  #runs: Run<N>[] = [];
  #strays: N[] = [];
  /** Names that were looked at and are not paid for. */
  #debt = 0;

  constructor(parts: FetchAheadParts<N>) {
    this.#parts = parts;
  }

  /** A program begins to read a regular file whose data the kernel does not have. */
  reading(name: N): void {
    const run = this.#runs.findLast(({ upcoming }) => upcoming.has(name.inode)) ?? this.#begin(name);
    if (run === undefined) return;
    this.#runs = [...this.#runs.filter((other) => other !== run), run];
    if (this.#runs.length > MAX_RUNS) this.#end(this.#runs.shift());
    this.#advance(run, name);
    this.#refill(run);
  }

  /** Gives up what is under way, and forgets all. */
  ended(): void {
    const runs = this.#runs;
    this.#runs = [];
    this.#strays = [];
    for (const run of runs) this.#end(run);
  }

  #end(run: Run<N> | undefined): void {
    for (const cancel of run?.cancels ?? []) cancel();
  }

  #begin(name: N): Run<N> | undefined {
    const order = this.#orderOfLast() ?? this.#orderTo(name);
    if (order === undefined) {
      this.#strays = [name, ...this.#strays.slice(0, MAX_STRAYS - 1)];
      return undefined;
    }
    this.#strays = [];
    const walk = new Walk<N>(name, order, this.#parts.listing);
    const counts = { files: 0, bytes: 0, used: 0, passed: 0, goal: FIRST_FILES, right: false };
    return { walk, postponed: undefined, upcoming: new Map(), ...counts, cancels: new Set() };
  }

  /** The order of the latest run, where that was right: another directory is likely to be read in the same way. */
  #orderOfLast(): Order | undefined {
    const last = this.#runs.at(-1);
    return last?.right === true ? last.walk.order : undefined;
  }

  /** The order in which the file follows one that was read shortly before. */
  #orderTo(name: N): Order | undefined {
    this.#debt = Math.max(0, this.#debt - LOOKS);
    const before = this.#strays.filter(({ parent }) => parent === name.parent);
    if (before.length === 0 || this.#debt > 0) return undefined;
    const names = this.#parts.listing(name.parent);
    if (names === undefined) return undefined;
    this.#debt = names.length;
    const isNext = (order: Order): boolean => {
      const files = inOrder(names, order).filter(isFile);
      const index = files.findIndex(({ inode }) => inode === name.inode);
      const near = files.slice(Math.max(index - NEAR, 0), Math.max(index, 0));
      return near.some((one) => before.some(({ inode }) => inode === one.inode));
    };
    return (['listed', 'sorted'] as const).find(isNext);
  }

  /** The file is being read: what was foreseen before it will not be. */
  #advance(run: Run<N>, { inode }: N): void {
    if (!run.upcoming.has(inode)) return;
    run.right = true;
    for (const [file, bytes] of run.upcoming) {
      run.upcoming.delete(file);
      if (bytes > 0) {
        run.files--;
        run.bytes -= bytes;
        if (file === inode) run.used++;
        else run.passed++;
      }
      if (file === inode) break;
    }
  }

  #refill(run: Run<N>): void {
    const { bandwidth } = this.#parts;
    if (run.files > run.goal / 2 || run.bytes > bandwidth.window / 2) return;
    const goal = run.used >= run.passed ? 2 * run.goal : run.goal / 2;
    const room = Math.min(bandwidth.window - run.bytes, MAX_DATA);
    if (!bandwidth.admits(room)) return;
    if (run.used + run.passed > 0) run.goal = Math.min(Math.max(goal, MIN_FILES), MAX_FILES);
    run.used = 0;
    run.passed = 0;
    this.#fetch(run, this.#foresee(run, Math.min(run.goal - run.files, MAX_FETCH), room));
  }

  /** The next files that are worth fetching. */
  #foresee(run: Run<N>, files: number, bytes: number): N[] {
    const { cache, wanted } = this.#parts;
    const found: N[] = [];
    let left = bytes;
    while (found.length < files && run.upcoming.size < MAX_UPCOMING) {
      const name = run.postponed ?? run.walk.next();
      run.postponed = undefined;
      if (name === undefined) break;
      if (!isFile(name) || run.upcoming.has(name.inode)) continue;
      const { id, attributes } = name.inode;
      const { size } = attributes;
      const isWorthIt = size > 0 && size <= MAX_SMALL && cache.find(id) === undefined && wanted(name);
      if (isWorthIt && size > left) {
        run.postponed = name;
        break;
      }
      run.upcoming.set(name.inode, isWorthIt ? size : 0);
      if (!isWorthIt) continue;
      found.push(name);
      left -= size;
    }
    return found;
  }

  #fetch(run: Run<N>, names: readonly N[]): void {
    if (names.length === 0) return;
    const { cache, bandwidth, fetch } = this.#parts;
    const bytes = names.reduce((sum, { inode }) => sum + inode.attributes.size, 0);
    run.files += names.length;
    run.bytes += bytes;
    const expected = new Map(names.map(({ inode }, index) => [index, cache.open(inode.id).expect()]));
    const flight = bandwidth.sent(bytes, true);
    let received = 0;
    const arrived = (index: number, data: Buffer | undefined): void => {
      received += data?.length ?? 0;
      expected.get(index)?.(data);
      expected.delete(index);
    };
    const done = (): void => {
      run.cancels.delete(cancel);
      flight.arrived(received);
      for (const index of expected.keys()) arrived(index, undefined);
    };
    const cancel = fetch(names, bytes, arrived, done);
    run.cancels.add(cancel);
  }
}

function isFile<N extends TreeName<N>>({ inode }: N): boolean {
  return (inode.attributes.mode & S_IFMT) === S_IFREG;
}
