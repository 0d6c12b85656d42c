/**
 * Paths of inodes as they were at a place in the log: hints for a server that has forgotten where they are. The tree knows
 * where they are now; what the log's later operations moved or removed is put back.
 *
 * A server that was restarted is sent thousands of operations again, each with hints: so the moves are listed once, and
 * extended by what was appended since.
 */
import { remotePath, type RemotePath } from '../../protocol/ids.js';
import { RENAME, RENAME_EXCHANGE, RMDIR, UNLINK, type LogOperation } from '../../protocol/operations.js';
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

/** Before the operation of this rank, the inode was at this place. */
interface Move {
  readonly rank: number;
  readonly from: Place;
}

/** Deeper than that is a circle. */
const MAX_DEPTH = 32_768;
const SLASH = Buffer.from('/');

export class Hints {
  readonly #tree: Tree;
  readonly #log: Log;
  readonly #ids: ServerIds;
  /** The place of an entry among those that were listed. */
  #ranks = new WeakMap<Entry, number>();
  /** By indexOf(), the earliest first. */
  #moves = new Map<bigint, Move[]>();
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
    this.#moves = new Map();
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
    if (operation.kind === UNLINK || operation.kind === RMDIR) {
      this.#put(operation.id, operation.directory, operation.name, rank);
    } else if (operation.kind === RENAME) {
      this.#put(operation.id, operation.directory, operation.name, rank);
      const exchanges = (operation.flags & RENAME_EXCHANGE) !== 0;
      if (exchanges || operation.replaced !== null) {
        this.#put(operation.replaced, operation.newDirectory, operation.newName, rank);
      }
    }
  }

  #put(id: FileId | null, directory: FileRef, name: Buffer, rank: number): void {
    if (id === null || directory.ino === null) return;
    const index = this.#indexOf(id);
    const move = { rank, from: { parent: this.#indexOf(directory), name } };
    const moves = this.#moves.get(index);
    if (moves === undefined) this.#moves.set(index, [move]);
    else moves.push(move);
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
      const place = this.#moves.get(at)?.find((move) => move.rank >= rank)?.from ?? this.#placeNow(at);
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

  #placeNow(index: bigint): Place | undefined {
    const [name] = this.#tree.byIndex(index)?.names ?? [];
    if (name === undefined) return undefined;
    return { parent: indexOf(name.parent.id), name: Buffer.from(name.key, 'latin1') };
  }
}
