/**
 * The ids by which the server knows new files, where those are others than their makers in the log gave them.
 *
 * A symbolic link has a provisional id, [0, n], until the server has made it. So has, after the server was killed, each file
 * whose making was not answered: the inode that had been granted may be lost, its number another file's, and the server may
 * have made the file by an id that it never told. A provisional id goes with a path, and means what is there.
 */
import type { Attributes } from '../../protocol/attributes.js';
import type { Failure } from '../../protocol/failure.js';
import type { RemotePath } from '../../protocol/ids.js';
import type { Result } from '../../protocol/methods.js';
import { CREATE, MKDIR, SYMLINK, type LogOperation } from '../../protocol/operations.js';
import { keyOf, sameId, type FileId } from '../../protocol/references.js';
import type { Entry } from '../log/entry.js';
import type { Log } from '../log/log.js';
import type { Tree } from '../tree/tree.js';

/** Operations that make a file. */
type Maker = Extract<LogOperation, { kind: typeof CREATE | typeof MKDIR | typeof SYMLINK }>;

/** An id that was another one until then. */
interface Renumbered {
  /** The next one, until that of now, which is not renumbered. */
  readonly later: FileId;
  /** When the latest operation was appended that can name the file as before (Entry.since). */
  readonly namedUntil: number;
}

export interface ServerIdsOptions {
  readonly tree: Tree;
  readonly log: Log;
  /** A provisional id that was never used. */
  provisional(): FileId;
  /** Asks once for the attributes of what is at a path; ECONNRESET where the connection is lost before the answer. */
  getattr(
    path: RemotePath,
    done: (failure: Failure | undefined, attributes: Result<'getattr'> | undefined) => void,
  ): void;
}

export class ServerIds {
  readonly #options: ServerIdsOptions;
  /** By keyOf() of an id that the log may name, the one that was renumbered first is the first. */
  readonly #later = new Map<string, Renumbered>();
  /** Provisional ids of files that the server has made and not told of, and will not by itself. */
  readonly #untold = new Map<string, FileId>();
  #changes = 0;

  constructor(options: ServerIdsOptions) {
    this.#options = options;
  }

  /** Rises when an answer of of() may have changed. */
  get changes(): number {
    return this.#changes;
  }

  /** What the file that the log calls `id` is to be called now. */
  of(id: FileId): FileId {
    if (this.#later.size === 0) return id;
    let at = id;
    for (let next = this.#later.get(keyOf(at)); next !== undefined; next = this.#later.get(keyOf(at))) {
      at = next.later;
    }
    return at;
  }

  /** The server told what an entry of the log made. */
  told({ operation }: Entry, attributes: Attributes): void {
    if (isMaker(operation) && operation.id !== null) this.#learn(operation.id, attributes);
  }

  /**
   * There is a connection again, and the server has applied the log up to `applied`. Unless it `resumed`, it has forgotten
   * what it did not tell.
   */
  connected(applied: number, resumed: boolean): void {
    for (const { operation, number } of this.#options.log.unappliedEntries()) {
      if (!isMaker(operation) || operation.id === null) continue;
      if (!resumed) this.#makeProvisional(operation.id);
      const id = this.of(operation.id);
      if (id.ino === 0n && number !== undefined && number <= applied) this.#untold.set(keyOf(id), id);
    }
  }

  /** Asks for the ids that were not told: the paths are those of when the server has all of the log. */
  async ask(): Promise<void> {
    if (this.#untold.size === 0) return;
    const { log } = this.#options;
    for (;;) {
      const sent = log.last === undefined ? undefined : log.whenSent(log.last);
      if (sent === undefined) break;
      await sent;
    }
    await Promise.all([...this.#untold.values()].map((id) => this.#askFor(id)));
  }

  /** An entry has left the log: ids that no other can name are forgotten. */
  dropped(): void {
    const oldest = this.#options.log.first?.since ?? Number.POSITIVE_INFINITY;
    for (const [key, { namedUntil }] of this.#later) {
      if (namedUntil >= oldest) return;
      this.#later.delete(key);
    }
  }

  #makeProvisional(id: FileId): void {
    if (this.of(id).ino !== 0n) this.#renumber(id, this.#options.provisional());
  }

  #askFor(id: FileId): Promise<void> {
    const inode = this.#options.tree.byId(id);
    const path = inode === undefined ? undefined : this.#options.tree.pathOf(inode);
    if (path === undefined) {
      this.#untold.delete(keyOf(id));
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      this.#options.getattr(path, (failure, attributes) => {
        if (attributes !== undefined) this.#learn(id, attributes);
        // It is gone: who asks for it will be told so.
        else if (failure?.kind !== 'ECONNRESET') this.#untold.delete(keyOf(id));
        resolve();
      });
    });
  }

  #learn(id: FileId, { ino, birth }: Attributes): void {
    this.#untold.delete(keyOf(this.of(id)));
    this.#renumber(id, { ino, birth });
  }

  #renumber(id: FileId, later: FileId): void {
    const current = this.of(id);
    if (sameId(current, later)) return;
    this.#later.delete(keyOf(later));
    const { last } = this.#options.log;
    if (last !== undefined) this.#later.set(keyOf(current), { later, namedUntil: last.since });
    this.#changes += 1;
    const inode = this.#options.tree.byId(current);
    if (inode !== undefined) this.#options.tree.identified(inode, later);
  }
}

function isMaker(operation: LogOperation): operation is Maker {
  return operation.kind === CREATE || operation.kind === MKDIR || operation.kind === SYMLINK;
}
