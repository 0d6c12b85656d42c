/*
 * What the other sessions of a user are told about a change.
 *
 * Invariant: a change is told to all others before its answer is sent: whoever has the answer may rely on nobody using
 * what was cached before. Changes of one turn of the event loop travel together: they are told in a microtask,
 * and the answers of that turn wait for it (whenTold).
 */
import { ROOT_PATH, splitPath, type RemotePath } from '../../protocol/ids.js';
import { MAX_CHANGES, MAX_DATA } from '../../protocol/limits.js';
import { CHANGED_NAME, CHANGED_NODE, CHANGED_RENAME, type Change } from '../../protocol/methods.js';

/** Who is told: one client of the home. */
export interface Listener {
  /** At most MAX_CHANGES, which fit a record. Must not throw. */
  tell(changes: readonly Change[]): void;
}

export class Changes {
  readonly #listeners = new Set<Listener>();
  #told: { origin: Listener; change: Change }[] = [];
  #answers: (() => void)[] = [];
  /** Files of this turn whose change is already listed, by origin. */
  readonly #nodes = new Map<bigint, Listener>();

  add(listener: Listener): void {
    this.#listeners.add(listener);
  }

  remove(listener: Listener): void {
    this.#listeners.delete(listener);
  }

  /** A name was added, removed or replaced. */
  name(origin: Listener, path: RemotePath): void {
    if (!this.#hasOthers(origin)) return;
    const { parent, name } = splitPath(copyOf(path));
    this.#publish(origin, [CHANGED_NAME, parent, name]);
  }

  /** Attributes or data of a file changed. */
  node(origin: Listener, ino: bigint, path?: RemotePath): void {
    if (!this.#hasOthers(origin)) return;
    if (path === undefined) {
      if (this.#nodes.get(ino) === origin) return;
      this.#nodes.set(ino, origin);
    }
    this.#publish(origin, [CHANGED_NODE, ino, path === undefined ? null : copyOf(path)]);
  }

  rename(origin: Listener, from: RemotePath, to: RemotePath, exchanged: boolean): void {
    if (!this.#hasOthers(origin)) return;
    const source = splitPath(copyOf(from));
    const target = splitPath(copyOf(to));
    this.#publish(origin, [
      CHANGED_RENAME,
      source.parent,
      source.name,
      target.parent,
      target.name,
      exchanged,
    ]);
  }

  /** Sends an answer once everyone was told: at once where there is nothing to tell. */
  whenTold(answer: () => void): void {
    if (this.#told.length === 0) answer();
    else this.#answers.push(answer);
  }

  #hasOthers(origin: Listener): boolean {
    return this.#listeners.size > (this.#listeners.has(origin) ? 1 : 0);
  }

  #publish(origin: Listener, change: Change): void {
    if (this.#told.length === 0) queueMicrotask(() => this.#tell());
    this.#told.push({ origin, change });
  }

  #tell(): void {
    const told = this.#told;
    const answers = this.#answers;
    this.#told = [];
    this.#answers = [];
    this.#nodes.clear();
    for (const listener of this.#listeners) {
      let others: Change[] = [];
      let bytes = 0;
      for (const { origin, change } of told) {
        if (origin === listener) continue;
        const more = pathBytes(change);
        if (others.length === MAX_CHANGES || bytes + more > MAX_DATA) {
          listener.tell(others);
          others = [];
          bytes = 0;
        }
        others.push(change);
        bytes += more;
      }
      if (others.length > 0) listener.tell(others);
    }
    for (const answer of answers) answer();
  }
}

/** What makes a change long: a rename may carry two paths of MAX_PATH, and a turn hundreds of renames. */
function pathBytes(change: Change): number {
  let bytes = 0;
  for (const part of change) if (Buffer.isBuffer(part)) bytes += part.length;
  return bytes;
}

/** Paths of a request are views of its record, and are gone when the change is told. */
function copyOf(path: RemotePath): RemotePath {
  return path.length === 0 ? ROOT_PATH : (Buffer.from(path) as unknown as RemotePath);
}
