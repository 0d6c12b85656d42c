/*
 * Ids that a client used for files before it could know their own: [0, number] of symbolic links, FIFOs and sockets, and of
 * what it made of inodes that the server lost in a restart. Operations that were under way when the client was told name
 * files so.
 *
 * Invariant: of one client, the last MAX_PROVISIONAL at least are known: many more than can be under way; but all clients of a
 * home keep no more than MAX_PROVISIONAL_OF_HOME, and those that are away lose theirs first. Where they are not known, as
 * after a restart of the daemon, [0, number] with a path means what is at the path.
 */
import { Failure } from '../../../protocol/failure.js';
import { MAX_OPERATIONS } from '../../../protocol/limits.js';
import {
  ALLOCATE,
  COPY,
  LINK,
  RELEASE,
  REMOVEXATTR,
  RENAME,
  SETATTR,
  SETXATTR,
  UNLINK,
  RMDIR,
  WRITE,
  type Operation,
} from '../../../protocol/operations.js';
import { keyOf, sameId, type FileId, type FileRef } from '../../../protocol/references.js';

const MAX_PROVISIONAL = 16 * MAX_OPERATIONS;
/** An entry takes some 250 bytes, and workers have a bounded heap: 32 MiB. */
export const MAX_PROVISIONAL_OF_HOME = 8 * MAX_PROVISIONAL;

/** What all clients of a home keep. */
export class ProvisionalCount {
  total = 0;
  /** Forgets those of clients that are away. */
  readonly makeRoom: () => void;

  constructor(makeRoom: () => void) {
    this.makeRoom = makeRoom;
  }
}

export class ProvisionalIds {
  readonly #ofHome: ProvisionalCount;
  /** The newer half, and the older one. */
  #newer = new Map<string, FileId>();
  #older = new Map<string, FileId>();

  constructor(ofHome: ProvisionalCount = new ProvisionalCount(() => undefined)) {
    this.#ofHome = ofHome;
  }

  /** What was made as `used` is `real`. */
  set(used: FileId, real: FileId): void {
    if (sameId(used, real)) return;
    const ofHome = this.#ofHome;
    ofHome.total -= this.#newer.size;
    this.#newer.set(keyOf(used), real);
    ofHome.total += this.#newer.size;
    if (ofHome.total > MAX_PROVISIONAL_OF_HOME) ofHome.makeRoom();
    if (this.#newer.size >= MAX_PROVISIONAL || ofHome.total > MAX_PROVISIONAL_OF_HOME) this.#forgetOlder();
  }

  /** None is known any more. */
  forget(): void {
    this.#forgetOlder();
    this.#forgetOlder();
  }

  #forgetOlder(): void {
    this.#ofHome.total -= this.#older.size;
    this.#older = this.#newer;
    this.#newer = new Map();
  }

  /** An operation with the ids that its files have. ESTALE where a provisional one is not known. */
  resolve(op: Operation): Operation {
    if (this.#newer.size === 0 && this.#older.size === 0 && !isProvisional(op)) return op;
    switch (op.kind) {
      case LINK:
        return { ...op, directory: this.ref(op.directory), file: this.ref(op.file) };
      case UNLINK:
      case RMDIR:
        return { ...op, directory: this.ref(op.directory), id: this.#expected(op.id) };
      case RENAME: {
        const replaced = this.#expected(op.replaced);
        // Without an id, nothing is expected of either name.
        const id = op.replaced !== null && replaced === null ? null : this.#expected(op.id);
        return {
          ...op,
          ...{ directory: this.ref(op.directory), newDirectory: this.ref(op.newDirectory), id, replaced },
        };
      }
      case SETATTR:
      case WRITE:
      case SETXATTR:
      case REMOVEXATTR:
      case ALLOCATE:
        return { ...op, file: this.ref(op.file) };
      case COPY:
        return { ...op, file: this.ref(op.file), source: this.ref(op.source) };
      case RELEASE:
        return { ...op, id: this.#find(op.id) ?? op.id };
      default:
        return { ...op, directory: this.ref(op.directory) };
    }
  }

  /** A reference by the id that the file has. ESTALE. */
  ref(ref: FileRef): FileRef {
    if (ref.ino === null) return ref;
    const real = this.#find(ref);
    if (real !== undefined) return { ...real, path: ref.path };
    if (ref.ino !== 0n) return ref;
    if (ref.path === null) throw stale();
    return { ino: null, path: ref.path };
  }

  /** Of what a name is expected to lead to. An unknown one is whatever it is: the lease says that it is ours. */
  #expected(id: FileId | null): FileId | null {
    if (id === null) return null;
    return this.#find(id) ?? (id.ino === 0n ? null : id);
  }

  #find(id: FileId): FileId | undefined {
    const key = keyOf(id);
    return this.#newer.get(key) ?? this.#older.get(key);
  }
}

/** Whether an operation names a file by a provisional id, or one that it makes. */
function isProvisional(op: Operation): boolean {
  return (
    ('directory' in op && op.directory.ino === 0n) ||
    ('newDirectory' in op && op.newDirectory.ino === 0n) ||
    ('file' in op && op.file.ino === 0n) ||
    ('source' in op && op.source.ino === 0n) ||
    ('id' in op && op.id?.ino === 0n) ||
    ('replaced' in op && op.replaced?.ino === 0n)
  );
}

function stale(): Failure {
  return new Failure('ESTALE', 'the file has another id by now');
}
