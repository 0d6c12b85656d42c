/**
 * Paths of inodes as they were at a place in the log: hints for a server that has forgotten where they are. The tree knows
 * where they are now; what the log's later operations moved or removed is put back.
 *
 * A server that was restarted is sent thousands of operations again, each with hints: so the moves are listed once, and
 * extended by what was appended since.
 */
import { remotePath, type RemotePath } from '../../protocol/ids.js';
import { RENAME, RENAME_EXCHANGE, RMDIR, UNLINK, type Operation } from '../../protocol/operations.js';
import { sameId, type FileId, type FileRef } from '../../protocol/references.js';
import type { Entry } from '../log/entry.js';
import type { Log } from '../log/log.js';
import type { Tree } from '../tree/tree.js';

interface Place {
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
  /** The place of an entry among those that were listed. */
  #ranks = new WeakMap<Entry, number>();
  /** By inode number, the earliest first. */
  #moves = new Map<bigint, Move[]>();
  #listed = 0;
  #last: Entry | undefined;
  /** Ids that the log's operations name, of files that the server made by others. */
  readonly #renumbered = new Map<string, FileId>();

  constructor(parts: { tree: Tree; log: Log }) {
    this.#tree = parts.tree;
    this.#log = parts.log;
  }

  /** What was listed is not needed any more. */
  clear(): void {
    this.#ranks = new WeakMap();
    this.#moves = new Map();
    this.#listed = 0;
    this.#last = undefined;
  }

  /** The server made by the id `real` what the log's operations name `used`: a restarted server knows only that one. */
  renumbered(used: FileId, real: FileId): void {
    if (sameId(used, real)) return;
    this.#renumbered.set(keyOf(used), real);
    this.clear();
  }

  #realId(id: FileId): FileId {
    return this.#renumbered.get(keyOf(id)) ?? id;
  }

  /** The operation of an entry of the log, with hints. */
  add(operation: Operation, entry: Entry): Operation {
    this.#list();
    const rank = this.#ranks.get(entry) ?? 0;
    const hinted = (ref: FileRef): FileRef => {
      if (ref.ino === null) return ref;
      const { ino, birth } = this.#realId(ref);
      return { ino, birth, path: this.#pathOf(ino, rank) ?? null };
    };
    const named = 'directory' in operation ? { directory: hinted(operation.directory) } : {};
    const moved = 'newDirectory' in operation ? { newDirectory: hinted(operation.newDirectory) } : {};
    const file = 'file' in operation ? { file: hinted(operation.file) } : {};
    const id = 'id' in operation && operation.id !== null ? { id: this.#realId(operation.id) } : {};
    const replaced =
      'replaced' in operation && operation.replaced !== null
        ? { replaced: this.#realId(operation.replaced) }
        : {};
    // What is spread over it has the types that were there.
    return { ...operation, ...named, ...moved, ...file, ...id, ...replaced } as Operation;
  }

  /** Lists what is in the log and not listed. */
  #list(): void {
    const last = this.#last;
    const gone = last !== undefined && last !== this.#log.last && last.next === undefined;
    if (gone) this.clear();
    const entries: Entry[] = [];
    for (let at = this.#log.last; at !== undefined && at !== this.#last; at = at.previous) entries.push(at);
    for (const entry of entries.toReversed()) {
      this.#listed += 1;
      this.#ranks.set(entry, this.#listed);
      this.#note(entry.operation, this.#listed);
    }
    this.#last = this.#log.last;
  }

  #note(operation: Operation, rank: number): void {
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
    const { ino } = this.#realId(id);
    const move = { rank, from: { parent: this.#realId(directory).ino, name } };
    const moves = this.#moves.get(ino);
    if (moves === undefined) this.#moves.set(ino, [move]);
    else moves.push(move);
  }

  #pathOf(ino: bigint, rank: number): RemotePath | undefined {
    const root = this.#tree.root;
    const base = this.#tree.pathOf(root);
    if (base === undefined) return undefined;
    const names: Buffer[] = [];
    for (let at = ino, depth = 0; at !== root.attributes.ino; depth++) {
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

  #placeNow(ino: bigint): Place | undefined {
    const [name] = this.#tree.byIno(ino)?.names ?? [];
    if (name === undefined) return undefined;
    return { parent: name.parent.attributes.ino, name: Buffer.from(name.key, 'latin1') };
  }
}

function keyOf({ ino, birth }: FileId): string {
  return `${ino}.${birth}`;
}
