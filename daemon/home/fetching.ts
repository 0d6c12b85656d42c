/*
 * `fetch`: whole small files, several in one answer. It is asked ahead of need, so it waits for nobody: what somebody else
 * has for writing is left out.
 */
import { close, dup } from '../../posix/files.js';
import type { Fd } from '../../posix/fd.js';
import { statxFd } from '../../posix/status.js';
import type { FileRef } from '../../protocol/references.js';
import type { DiskWatch } from './disk-watch.js';
import type { HomeClient } from './home-client.js';
import type { Identities } from './identities.js';
import type { Leases } from './leases.js';
import { readBorrowed, readIfCached } from './reading.js';
import type { ShownTimes } from './shown-times.js';
import { unitOfFile } from './units.js';

/** [attributes, data], as it travels. */
type Fetched = [attributes: unknown[], data: Buffer];

export class Fetching {
  readonly #identities: Identities;
  readonly #shown: ShownTimes;
  readonly #leases: Leases;
  readonly #watch: DiskWatch;

  constructor(parts: { identities: Identities; shown: ShownTimes; leases: Leases; watch: DiskWatch }) {
    this.#identities = parts.identities;
    this.#shown = parts.shown;
    this.#leases = parts.leases;
    this.#watch = parts.watch;
  }

  /** The answer of `fetch`. */
  fetch(client: HomeClient, files: readonly FileRef[], bytes: number): unknown[] | Promise<unknown[]> {
    const room = { bytes };
    const units = new Set<bigint>();
    const fetched = files.map((ref) => this.#fetch(client, ref, room, units));
    this.#leases.mention(client, units);
    return fetched.some((file) => file instanceof Promise) ? Promise.all(fetched) : fetched;
  }

  #fetch(
    client: HomeClient,
    ref: FileRef,
    room: { bytes: number },
    units: Set<bigint>,
  ): Fetched | null | Promise<Fetched | null> {
    try {
      const unit = unitOfFile(this.#identities.file(ref));
      this.#watch.cover(client, [{ unit, write: false }]);
      const { fd, status } = this.#identities.readable(ref);
      if (status.size > room.bytes || !this.#leases.mayRead(client, unit)) return null;
      room.bytes -= status.size;
      units.add(unit);
      const cached = readIfCached(fd, 0, status.size);
      if (cached === undefined) return this.#fetchCold(dup(fd), status.size);
      return [this.#shown.attributes(status), Buffer.from(cached.bytes)];
    } catch {
      return null; // gone, or no regular file
    }
  }

  async #fetchCold(own: Fd, size: number): Promise<Fetched | null> {
    try {
      const { bytes, release } = await readBorrowed(own, 0, size);
      const data = Buffer.from(bytes);
      release();
      const status = statxFd(own);
      return status.size === data.length ? [this.#shown.attributes(status), data] : null;
    } catch {
      return null;
    } finally {
      close(own);
    }
  }
}
