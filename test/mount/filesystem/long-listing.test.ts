/*
 * Directories with more names than are known whole: what was there all the time comes once, whatever happens meanwhile, and
 * no more of it is asked for than is read.
 */
import t from 'tap';
import { Failure } from '../../../protocol/failure.js';
import { ROOT_NODE, type HandleId } from '../../../protocol/ids.js';
import { MAX_PAGE_ENTRIES, POSITION_BYTES } from '../../../protocol/limits.js';
import { LEASE_WRITE, WHOLE_HOME } from '../../../protocol/methods.js';
import { MAX_NAMES_AT_ONCE } from '../../../mount/filesystem/listings.js';
import type { DirectoryEntry } from '../../../mount/operations.js';
import { attributesOf, ROOT_INO } from '../tree/planted.js';
import { CALLER, ScriptedHome } from './scripted-home.js';

const COUNT = MAX_NAMES_AT_ONCE + 4 * MAX_PAGE_ENTRIES;
/** Between two files, so that others have room. */
const STEP = 10;
/** Requests until it is found to be long. */
const GATHERED = MAX_NAMES_AT_ONCE / MAX_PAGE_ENTRIES + 1;
/** How much of an answer the kernel takes. */
const TAKEN = 700;

/** A server with one directory, whose files are where their numbers say. */
class LongDirectory {
  /** By the position behind them. */
  readonly files = new Map<number, string>();
  readonly cursors = new Map<number, number>();
  pages = 0;
  home!: ScriptedHome;
  #opened = 0;

  constructor() {
    for (let i = 1; i <= COUNT; i++) this.files.set(i * STEP, `f${i}`);
  }

  static async open(scope: Parameters<typeof ScriptedHome.open>[0]): Promise<LongDirectory> {
    const directory = new LongDirectory();
    directory.home = await ScriptedHome.open(scope, {
      list: ([, entries]) => directory.#list(Number(entries)),
      listNext: ([cursor, position]) => directory.#next(Number(cursor), position),
      close: ([cursor]) => (directory.cursors.delete(Number(cursor)), null),
    });
    directory.home.server.connection.notifications.lease?.([
      [ROOT_INO, LEASE_WRITE],
      [WHOLE_HOME, LEASE_WRITE],
    ]);
    return directory;
  }

  #list(entries: number): unknown {
    const cursor = (this.#opened += 1);
    this.cursors.set(cursor, 0);
    const page = entries === 0 ? [] : this.#page(cursor, 0);
    return [[this.home.root, page.map(entryOf), cursor]];
  }

  #next(cursor: number, position: unknown): unknown {
    const from = this.cursors.get(cursor);
    if (from === undefined) throw new Failure('EBADF');
    const page = this.#page(cursor, position === null || position === undefined ? from : Number(position));
    const positions = Buffer.alloc(POSITION_BYTES * page.length);
    for (const [at, [position]] of page.entries())
      positions.writeBigUInt64BE(BigInt(position), POSITION_BYTES * at);
    const last = page.length < MAX_PAGE_ENTRIES;
    if (last) this.cursors.delete(cursor);
    return [page.map(entryOf), last ? null : cursor, positions];
  }

  #page(cursor: number, from: number): [number, string][] {
    this.pages += 1;
    const all = [...this.files].filter(([position]) => position > from).toSorted(([a], [b]) => a - b);
    const page = all.slice(0, MAX_PAGE_ENTRIES);
    this.cursors.set(cursor, page.at(-1)?.[0] ?? from);
    return page;
  }
}

function entryOf([position, name]: [number, string]): unknown[] {
  return [Buffer.from(name), attributesOf(1000 + position), null];
}

/** An open directory, read as a program does. */
class Reading {
  readonly #home: ScriptedHome;
  readonly #handle: HandleId;
  readonly names: string[] = [];
  /** Where it goes on. */
  offset = 0n;

  private constructor(home: ScriptedHome, handle: HandleId) {
    this.#home = home;
    this.#handle = handle;
  }

  static async open({ home }: LongDirectory): Promise<Reading> {
    const { handle } = await home.filesystem.opendir(ROOT_NODE, CALLER);
    return new Reading(home, handle);
  }

  /** Reads an answer's worth. False at the end. */
  async next(): Promise<boolean> {
    let taken = 0;
    const sink = ({ name, offset }: DirectoryEntry): boolean => {
      if (taken === TAKEN) return false;
      taken += 1;
      this.offset = offset;
      const text = name.toString();
      if (text !== '.' && text !== '..') this.names.push(text);
      return true;
    };
    await this.#home.filesystem.readdir(ROOT_NODE, this.#handle, this.offset, false, sink, CALLER);
    return taken > 0;
  }

  async rest(): Promise<string[]> {
    while (await this.next());
    return this.names;
  }

  close(): unknown {
    return this.#home.filesystem.releasedir(ROOT_NODE, this.#handle);
  }
}

const ALL = Array.from({ length: COUNT }, (_, i) => `f${i + 1}`);

t.test('a long directory is asked for as it is read, and let go when it is closed', async (t) => {
  const directory = await LongDirectory.open(t);
  const reading = await Reading.open(directory);
  await reading.next();
  directory.pages = 0;
  await reading.next();
  t.ok(directory.pages <= 1, `${directory.pages} pages`);
  const again = await Reading.open(directory);
  directory.pages = 0;
  await again.next();
  t.equal(directory.pages, 1, 'the next time, from the first page on');
  await again.close();
  t.same(await reading.rest(), ALL, 'whatever others read');
  t.equal(directory.cursors.size, 0);
});

t.test('what comes and goes while it is read neither hides nor doubles what stays', async (t) => {
  const directory = await LongDirectory.open(t);
  const reading = await Reading.open(directory);
  const removed = new Set<string>();
  for (let round = 0; await reading.next(); round++) {
    for (let i = round % 7; i < COUNT; i += 997) {
      directory.files.delete((i + 1) * STEP);
      removed.add(`f${i + 1}`);
      directory.files.set(i * STEP + 1 + (round % (STEP - 1)), `new-${round}-${i}`);
    }
  }
  t.same(
    reading.names.filter((name) => !name.startsWith('new') && !removed.has(name)),
    ALL.filter((name) => !removed.has(name)),
  );
  t.equal(new Set(reading.names).size, reading.names.length);
});

t.test('a connection that is lost, and a server that is restarted, while it is read', async (t) => {
  for (const restarts of [false, true]) {
    const directory = await LongDirectory.open(t);
    const { server } = directory.home;
    const { reply } = server;
    let requests = 0;
    server.reply = (method, params) => {
      const result = reply(method, params);
      if (!method.startsWith('list') || ++requests < GATHERED || requests % 3 !== 0) return result;
      if (restarts) directory.cursors.clear();
      // It was carried out, and its answer is lost.
      if (restarts) server.restart();
      else server.connection.break();
      return result;
    };
    const reading = await Reading.open(directory);
    t.same(await reading.rest(), ALL, restarts ? 'restarted' : 'lost');
  }
});

t.test('a program goes back to where it was long ago, in a directory that has changed', async (t) => {
  const directory = await LongDirectory.open(t);
  const reading = await Reading.open(directory);
  await reading.next();
  const [told, offset] = [reading.names.length, reading.offset];
  await reading.rest();
  for (let i = 1; i < COUNT; i += 2) directory.files.delete(i * STEP);
  reading.names.length = 0;
  reading.offset = offset;
  t.same(
    await reading.rest(),
    ALL.slice(told).filter((_, i) => (told + i) % 2 === 1),
  );
});

t.test(
  'an answer is not empty before the end, also where all that was read ahead is removed by then',
  async (t) => {
    const directory = await LongDirectory.open(t);
    const reading = await Reading.open(directory);
    await reading.next();
    const told = reading.names.length;
    // The directory is known whole by this.
    await (await Reading.open(directory)).rest();
    for (const name of ALL.slice(told, MAX_PAGE_ENTRIES)) {
      await directory.home.filesystem.unlink(ROOT_NODE, Buffer.from(name), CALLER);
    }
    t.same(await reading.rest(), [...ALL.slice(0, told), ...ALL.slice(MAX_PAGE_ENTRIES)]);
  },
);
