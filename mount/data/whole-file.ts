/**
 * Fetching a file whole that is read here and there.
 *
 * The rule is that of ski rental: when a program's waiting for single reads has cost as much time as fetching the whole file
 * would, the file is fetched. So, whatever the program does next, it has waited at most twice as long as it would
 * have if its reads had been known from the start. What it costs is known better the more has come: where the rest costs
 * more than was thought, it waits until the waiting has cost as much.
 */
import type { FileId } from '../../protocol/references.js';
import type { Bandwidth } from './bandwidth.js';
import { READ_BUDGET } from './budget.js';
import type { CachedFile, FileCache } from './cache.js';
import type { Cancel, Fetch } from './fetch.js';

/** Bytes of a file that is fetched whole: a larger one would drive out itself. */
export const MAX_WHOLE = (7 / 8) * READ_BUDGET;

export class WholeFile {
  readonly #fetch: Fetch;
  readonly #bandwidth: Bandwidth;
  readonly #cache: FileCache;
  #waitedMs = 0;
  #fetching: { readonly cached: CachedFile; readonly size: number; next: number } | undefined;
  readonly #cancels = new Set<Cancel>();

  constructor(fetch: Fetch, bandwidth: Bandwidth, cache: FileCache) {
    this.#fetch = fetch;
    this.#bandwidth = bandwidth;
    this.#cache = cache;
  }

  /** A program has waited for one read of the file. */
  waited(ms: number, id: FileId, size: number): void {
    this.#waitedMs += ms;
    if (this.#fetching === undefined) {
      if (size > MAX_WHOLE || !this.#pays(size)) return;
      this.#fetching = { cached: this.#cache.open(id), size, next: 0 };
    }
    this.#pump();
  }

  #pays(bytes: number): boolean {
    return this.#waitedMs >= this.#bandwidth.timeFor(bytes);
  }

  /** What is under way is of no use any more, and the waiting begins anew. */
  cancel(): void {
    this.#waitedMs = 0;
    this.#fetching = undefined;
    for (const cancel of this.#cancels) cancel();
    this.#cancels.clear();
  }

  #pump(): void {
    const fetching = this.#fetching;
    if (fetching === undefined) return;
    const { cached, size } = fetching;
    if (!cached.valid || (fetching.next >= size && this.#cancels.size === 0)) return this.cancel();
    while (fetching.next < size) {
      const start = fetching.next;
      const length = Math.min(this.#bandwidth.piece, size - start);
      if (!this.#bandwidth.admits(length) || !this.#pays(size - start)) return;
      fetching.next += length;
      const flight = this.#bandwidth.sent(length, true);
      const cancel = this.#fetch(start, length, (failure, data) => {
        flight.arrived(data?.length ?? 0);
        this.#cancels.delete(cancel);
        // Of one that was cancelled, or given up by the other pieces.
        if (this.#fetching !== fetching) return;
        const kept = failure === undefined && data?.length === length && cached.put(start, data);
        if (kept) this.#pump();
        else this.cancel();
      });
      this.#cancels.add(cancel);
    }
  }
}
