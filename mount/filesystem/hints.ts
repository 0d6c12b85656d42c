/**
 * Paths of inodes as they were at a place in the log: hints for a server that has forgotten where they are. The tree knows
 * where they are now; what the log's later operations moved or removed is put back, and a name that they made is none yet.
 *
 * A server that was restarted is sent thousands of operations again, each with hints: so the moves are listed once, and
 * extended by what was appended since.
 */
import { remotePath, type RemotePath } from '../../protocol/ids.js';
import {
  LINK,
  RENAME,
  RENAME_EXCHANGE,
  RMDIR,
  UNLINK,
  type LogOperation,
} from '../../protocol/operations.js';
import type { FileId, FileRef } from '../../protocol/references.js';
import type { Entry } from '../log/entry.js';
import type { Log } from '../log/log.js';
import { indexOf } from '../tree/namespace.js';
import type { Tree } from '../tree/tree.js';
import type { ServerIds } from './server-ids.js';

interface Place {
  /** By indexOf(). */
  readonly parent: bigint;
  readonly name: Buffer;
}

/** The inode had this place since behind the operation of one rank, until the one of another took it. */
interface Stay {
  readonly place: Place;
  readonly since: number;
  readonly until: number;
}

/** `since` of a place that no operation of the log has made. */
const BEFORE = -1;

/** Deeper than that is a circle. */
const MAX_DEPTH = 32_768;
const SLASH = Buffer.from('/');

export class Hints {
  readonly #tree: Tree;
  readonly #log: Log;
  readonly #ids: ServerIds;
  /** The place of an entry among those that were listed. */
  #ranks = new WeakMap<Entry, number>();
  /** By indexOf(), those that ended first. */
  #stays = new Map<bigint, Stay[]>();
  /** By indexOf(), and then by keyOf(): the places that the log has made and not taken, and since when. */
  #made = new Map<bigint, Map<string, number>>();
  #listed = 0;
  #last: Entry | undefined;
  /** ServerIds.changes when they were listed. */
  #idChanges = 0;

  constructor(parts: { tree: Tree; log: Log; ids: ServerIds }) {
    this.#tree = parts.tree;
    this.#log = parts.log;
    this.#ids = parts.ids;
  }

  /** What was listed is not needed any more. */
  clear(): void {
    this.#ranks = new WeakMap();
    this.#stays = new Map();
    this.#made = new Map();
    this.#listed = 0;
    this.#last = undefined;
  }

  /** The operation of an entry of the log, with hints. */
  add(operation: LogOperation, entry: Entry): LogOperation {
    this.#list();
    const rank = this.#ranks.get(entry) ?? 0;
    const hinted = (ref: FileRef): FileRef => this.#hinted(ref, rank);
    const named = 'directory' in operation ? { directory: hinted(operation.directory) } : {};
    const moved = 'newDirectory' in operation ? { newDirectory: hinted(operation.newDirectory) } : {};
    const file = 'file' in operation ? { file: hinted(operation.file) } : {};
    // What is spread over it has the types that were there.
    return { ...operation, ...named, ...moved, ...file, ...this.#named(operation) } as LogOperation;
  }

  #hinted(ref: FileRef, rank: number): FileRef {
    if (ref.ino === null) return ref;
    const { ino, birth } = this.#ids.of(ref);
    return { ino, birth, path: this.#pathOf({ ino, birth }, rank) ?? null };
  }

  /** The ids that it names besides. */
  #named(operation: LogOperation): { id?: FileId | null; replaced?: FileId | null } {
    const id = 'id' in operation ? { id: operation.id && this.#ids.of(operation.id) } : {};
    return 'replaced' in operation
      ? { ...id, replaced: operation.replaced && this.#ids.of(operation.replaced) }
      : id;
  }

  /** Lists what is in the log and not listed. */
  #list(): void {
    const last = this.#last;
    const gone = last !== undefined && last !== this.#log.last && last.next === undefined;
    if (gone || this.#idChanges !== this.#ids.changes) this.clear();
    this.#idChanges = this.#ids.changes;
    const entries: Entry[] = [];
    for (let at = this.#log.last; at !== undefined && at !== this.#last; at = at.previous) entries.push(at);
    for (const entry of entries.toReversed()) {
      this.#listed += 1;
      this.#ranks.set(entry, this.#listed);
      this.#note(entry.operation, this.#listed);
    }
    this.#last = this.#log.last;
  }

  #note(operation: LogOperation, rank: number): void {
    if (operation.kind === LINK) {
      if (operation.file.ino !== null) this.#make(operation.file, operation.directory, operation.name, rank);
    } else if (operation.kind === UNLINK || operation.kind === RMDIR) {
      this.#take(operation.id, operation.directory, operation.name, rank);
    } else if (operation.kind === RENAME) {
      const { id, replaced, directory, name, newDirectory, newName, flags } = operation;
      this.#take(id, directory, name, rank);
      this.#take(replaced, newDirectory, newName, rank);
      this.#make(id, newDirectory, newName, rank);
      if ((flags & RENAME_EXCHANGE) !== 0) this.#make(replaced, directory, name, rank);
    }
  }

  #make(id: FileId | null, directory: FileRef, name: Buffer, rank: number): void {
    const place = this.#place(directory, name);
    if (id === null || place === undefined) return;
    const index = this.#indexOf(id);
    const made = this.#made.get(index) ?? new Map<string, number>();
    this.#made.set(index, made.set(keyOf(place), rank));
  }

  #take(id: FileId | null, directory: FileRef, name: Buffer, rank: number): void {
    const place = this.#place(directory, name);
    if (id === null || place === undefined) return;
    const index = this.#indexOf(id);
    const stay = { place, since: this.#since(index, place), until: rank };
    this.#made.get(index)?.delete(keyOf(place));
    const stays = this.#stays.get(index);
    if (stays === undefined) this.#stays.set(index, [stay]);
    else stays.push(stay);
  }

  #place(directory: FileRef, name: Buffer): Place | undefined {
    return directory.ino === null ? undefined : { parent: this.#indexOf(directory), name };
  }

  #since(index: bigint, place: Place): number {
    return this.#made.get(index)?.get(keyOf(place)) ?? BEFORE;
  }

  /** By what the tree finds it. */
  #indexOf(id: FileId): bigint {
    return indexOf(this.#ids.of(id));
  }

  #pathOf(id: FileId, rank: number): RemotePath | undefined {
    const root = this.#tree.root;
    const base = this.#tree.pathOf(root);
    if (base === undefined) return undefined;
    const names: Buffer[] = [];
    for (let at = indexOf(id), depth = 0; at !== indexOf(root.id); depth++) {
      const stay = this.#stays.get(at)?.find(({ since, until }) => since < rank && rank <= until);
      const place = stay?.place ?? this.#placeNow(at, rank);
      if (place === undefined || depth > MAX_DEPTH) return undefined;
      names.push(place.name);
      at = place.parent;
    }
    if (base.length > 0) names.push(base);
    const path = Buffer.concat(names.toReversed().flatMap((name, at) => (at === 0 ? [name] : [SLASH, name])));
    try {
      return remotePath(path);
    } catch {
      return undefined;
    }
  }

  /** A place that it has now, and had at that rank. */
  #placeNow(index: bigint, rank: number): Place | undefined {
    for (const { parent, key } of this.#tree.byIndex(index)?.names ?? []) {
      const place = { parent: indexOf(parent.id), name: Buffer.from(key, 'latin1') };
      if (this.#since(index, place) < rank) return place;
    }
    return undefined;
  }
}

function keyOf({ parent, name }: Place): string {
  return `${parent}/${name.toString('latin1')}`;
}
