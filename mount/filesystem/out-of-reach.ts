/**
 * What the mount point itself answers while the server is out of reach: what was known last. umount(8) looks at the
 * mount point (stat, statfs) before it unmounts, and a server that is gone must not hold that up, nor a shell whose
 * prompt or completion looks at it. Everything else waits for the server.
 */
import type { Remote } from '../remote.js';
import type { Eventually } from './operations.js';

export class OutOfReach {
  readonly #remote: Remote;
  readonly #waiting = new Set<() => void>();

  constructor(remote: Remote) {
    this.#remote = remote;
  }

  /** What `ask` answers; what is `known` where the connection is lost, or is lost before the answer. */
  orKnown<T>(ask: () => Eventually<T>, known: () => T): Eventually<T> {
    if (!this.#remote.connected) return known();
    const asked = ask();
    if (!(asked instanceof Promise)) return asked;
    return new Promise((resolve, reject) => {
      const give = (): void => resolve(known());
      this.#waiting.add(give);
      asked.then(resolve, reject).finally(() => this.#waiting.delete(give));
    });
  }

  /** The connection was lost. */
  lost(): void {
    for (const give of this.#waiting) give();
  }
}
