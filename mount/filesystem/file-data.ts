/**
 * The data of files, as far as they are here: what was written and the log still has, what was fetched ahead, and the
 * readers of open files.
 *
 * Invariant: data are answered from here only while the file's unit is leased; what is recalled is dropped (doubted).
 */
import type { Attributes } from '../../protocol/attributes.js';
import { packRef } from '../../protocol/references.js';
import { Bandwidth } from '../data/bandwidth.js';
import { ReadBudget } from '../data/budget.js';
import { FileCache } from '../data/cache.js';
import { FetchAhead } from '../data/fetch-ahead.js';
import type { Arrival, Cancel } from '../data/fetch.js';
import { Reader } from '../data/reader.js';
import { Retained } from '../data/retained.js';
import type { Entry } from '../log/entry.js';
import type { WriteEntry } from '../log/write-entry.js';
import type { Inode, Name } from '../tree/inode.js';
import type { Home } from './home.js';

interface State {
  retained: Retained | undefined;
  readonly readers: Set<Reader>;
}

export class FileData {
  readonly #home: Home;
  readonly #bandwidth = new Bandwidth();
  readonly #budget = new ReadBudget();
  readonly #cache = new FileCache(this.#budget);
  readonly #ahead: FetchAhead<Name>;
  readonly #states = new Map<Inode, State>();
  /** Which file an entry of the log has data of. */
  readonly #written = new Map<Entry, { readonly entry: WriteEntry; readonly inode: Inode }>();
  /** How often units were recalled: answers of before may be older than what is told since. */
  #recalls = 0;

  constructor(home: Home) {
    this.#home = home;
    this.#ahead = new FetchAhead<Name>({
      cache: this.#cache,
      bandwidth: this.#bandwidth,
      listing: (directory) => home.tree.listing(directory),
      wanted: ({ inode }) =>
        inode.isRegular && home.tree.knows(inode) && !inode.pending && !this.#states.has(inode),
      fetch: (names, bytes, arrived, done) => this.#fetchAhead(names, bytes, arrived, done),
    });
  }

  /** A reader of an open file; closed with it. */
  reader(inode: Inode): Reader {
    const { readers } = this.#state(inode);
    const reader = new Reader({
      file: inode,
      fetch: (offset, length, arrival) => this.#fetch(inode, offset, length, arrival),
      bandwidth: this.#bandwidth,
      budget: this.#budget,
      cache: this.#cache,
    });
    readers.add(reader);
    return reader;
  }

  /** A file was closed, which may have been read by this reader. */
  closed(inode: Inode, reader: Reader | undefined): void {
    if (reader !== undefined) {
      reader.close();
      this.#states.get(inode)?.readers.delete(reader);
    }
    this.#forgetIfEmpty(inode);
  }

  /** A program begins to read a regular file whose data the kernel does not have. */
  reading(inode: Inode): void {
    const [name] = inode.names;
    if (name !== undefined) this.#ahead.reading(name);
  }

  /** What is known here of [offset, offset + length) of a believed file of this size; undefined: the server has it. */
  known(inode: Inode, offset: number, length: number, size: number): readonly Buffer[] | undefined {
    const end = Math.min(offset + length, size);
    if (end <= offset) return [];
    return this.#states.get(inode)?.retained?.cover(offset, end - offset);
  }

  /** [offset, end) was written, and is in the entry's operation. `sizeBefore`: of the file. */
  wrote(inode: Inode, entry: WriteEntry, offset: number, end: number, sizeBefore: number): void {
    const state = this.#state(inode);
    state.retained ??= new Retained({ madeHere: false });
    state.retained.wrote(entry, offset, end, sizeBefore);
    this.#written.set(entry, { entry, inode });
    this.changed(inode);
  }

  /** The file was made here: what was not written is zeros. */
  made(inode: Inode): void {
    this.#state(inode).retained = new Retained({ madeHere: true });
  }

  truncated(inode: Inode, size: number): void {
    this.#states.get(inode)?.retained?.truncated(size);
    this.changed(inode);
  }

  /** The server changes the data, or has: nothing that is known of them here counts. */
  awaited(inode: Inode): void {
    this.#states.get(inode)?.retained?.drop();
    this.changed(inode);
  }

  /** What was read ahead is not what the file holds any more. */
  changed(inode: Inode): void {
    this.#cache.drop(inode.id);
    for (const reader of this.#states.get(inode)?.readers ?? []) reader.drop();
  }

  /** The log is about to give an entry's buffer away. */
  dropped(entry: Entry): void {
    const written = this.#written.get(entry);
    if (written === undefined) return;
    this.#written.delete(entry);
    this.#states.get(written.inode)?.retained?.release(written.entry);
    this.#forgetIfEmpty(written.inode);
  }

  /**
   * Units were recalled: of what is not believed any more nothing is known here. What was fetched ahead goes whole: it is not
   * known which of it is of those units, and recalls are few where anything is fetched ahead.
   */
  doubted(): void {
    this.#recalls += 1;
    this.#cache.dropAll();
    for (const [inode, { retained }] of this.#states) {
      if (this.#home.tree.knows(inode)) continue;
      this.#drop(inode, retained);
    }
  }

  /** Nothing of this file is believed any more. */
  doubtedFile(inode: Inode): void {
    this.#drop(inode, this.#states.get(inode)?.retained);
  }

  #drop(inode: Inode, retained: Retained | undefined): void {
    retained?.drop();
    this.changed(inode);
    this.#forgetIfEmpty(inode);
  }

  /** The connection is lost: what was to be fetched ahead will not come. */
  lost(): void {
    this.#ahead.ended();
  }

  /** Nothing is believed any more. */
  doubtedAll(): void {
    this.#ahead.ended();
    this.doubted();
  }

  #fetch(inode: Inode, offset: number, length: number, arrival: Arrival): Cancel {
    const { tree } = this.#home;
    return this.#home.askForData(
      'read',
      [inode],
      () => [packRef(tree.refOf(inode)), offset, length],
      (failure, data) => arrival(failure, data),
    );
  }

  #fetchAhead(
    names: readonly Name[],
    bytes: number,
    arrived: (index: number, data: Buffer | undefined) => void,
    done: () => void,
  ): Cancel {
    const { tree } = this.#home;
    const inodes = names.map(({ inode }) => inode);
    let recalls = this.#recalls;
    let known: readonly Attributes[] = [];
    return this.#home.askForData(
      'fetch',
      inodes,
      () => {
        recalls = this.#recalls;
        known = inodes.map((inode) => inode.attributes);
        return [inodes.map((inode) => packRef(tree.refOf(inode))), bytes];
      },
      (_failure, files) => {
        const isNews = recalls === this.#recalls;
        for (const [index, inode] of inodes.entries()) {
          const [attributes, data] = files?.[index] ?? [];
          const same =
            isNews &&
            attributes !== undefined &&
            data !== undefined &&
            attributes.ino === inode.id.ino &&
            attributes.birth === inode.id.birth &&
            !inode.pending &&
            // The server reads the files one after the other, and does meanwhile what it is sent: what is known since is newer.
            inode.attributes === known[index] &&
            data.length === attributes.size;
          if (same) tree.told(inode, attributes);
          arrived(index, same && tree.knows(inode) ? data : undefined);
        }
        done();
      },
    );
  }

  #state(inode: Inode): State {
    let state = this.#states.get(inode);
    if (state === undefined) this.#states.set(inode, (state = { retained: undefined, readers: new Set() }));
    return state;
  }

  #forgetIfEmpty(inode: Inode): void {
    const state = this.#states.get(inode);
    if (state !== undefined && state.readers.size === 0 && state.retained?.empty !== false) {
      this.#states.delete(inode);
    }
  }
}
