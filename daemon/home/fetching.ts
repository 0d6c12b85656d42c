/*
 * `fetch`: whole small files, several in one answer. It is asked ahead of need, so it waits for nobody: what somebody else
 * has for writing is left out.
 */
import { close, dup } from '../../posix/files.js';
import { statxFd } from '../../posix/status.js';
import type { FileRef } from '../../protocol/references.js';
import type { Call } from './calls/call.js';
import { copyOf } from './calls/copies.js';
import type { DiskWatch } from './leases/disk-watch.js';
import type { HomeClient } from './home-client.js';
import type { Identities } from './files/identities.js';
import type { Leases } from './leases/leases.js';
import { readBorrowed, readIfCached } from './transfers/reading.js';
import type { Telling } from './files/telling.js';
import type { Turns } from './calls/turns.js';
import { unitOfFile } from './leases/units.js';

/** [attributes, data], as it travels. */
type Fetched = [attributes: unknown[], data: Buffer];

/** What may still be fetched for a call. */
interface Room {
  bytes: number;
  readonly call: Call;
}

export class Fetching {
  readonly #identities: Identities;
  readonly #telling: Telling;
  readonly #leases: Leases;
  readonly #watch: DiskWatch;
  readonly #turns: Turns;

  constructor(parts: {
    identities: Identities;
    telling: Telling;
    leases: Leases;
    watch: DiskWatch;
    turns: Turns;
  }) {
    this.#identities = parts.identities;
    this.#telling = parts.telling;
    this.#leases = parts.leases;
    this.#watch = parts.watch;
    this.#turns = parts.turns;
  }

  /** The answer of `fetch`. */
  fetch(
    client: HomeClient,
    files: readonly FileRef[],
    bytes: number,
    call: Call,
  ): unknown[] | Promise<unknown[]> {
    const room = { bytes, call };
    const fetched: (Fetched | null)[] = [];
    for (const [at, ref] of files.entries()) {
      const file = this.#fetch(client, ref, room);
      const others = files.slice(at + 1);
      const isLater = file instanceof Promise || (this.#turns.isOver && others.length > 0);
      if (isLater) return this.#goOn(client, fetched, file, copyOf(others) as FileRef[], room);
      fetched.push(file);
    }
    return fetched;
  }

  /**
   * What comes from the disk is read one after the other: nobody waits for it, and others need the threads. And others have their
   * turns in between.
   */
  async #goOn(
    client: HomeClient,
    fetched: (Fetched | null)[],
    last: Fetched | null | Promise<Fetched | null>,
    others: readonly FileRef[],
    room: Room,
  ): Promise<unknown[]> {
    fetched.push(await last);
    for (const ref of others) {
      const next = (): Fetched | null | Promise<Fetched | null> => {
        // The home may be closed by then.
        const isWanted = client.present && !client.ended;
        return isWanted ? this.#fetch(client, ref, room) : null;
      };
      fetched.push(await this.#turns.take(next));
    }
    return fetched;
  }

  #fetch(client: HomeClient, asked: FileRef, room: Room): Fetched | null | Promise<Fetched | null> {
    try {
      const ref = client.provisional.ref(asked);
      const unit = unitOfFile(this.#identities.file(ref));
      this.#watch.cover(client, [{ unit, write: false }]);
      const { fd, status } = this.#identities.readable(ref);
      if (status.size > room.bytes || !this.#leases.mayRead(client, unit)) return null;
      room.bytes -= status.size;
      // Before it is read: who changes it from now on asks for the lease first.
      this.#leases.mention(client, [unit]);
      const cached = readIfCached(fd, 0, status.size);
      if (cached === undefined) return this.#fetchCold(copyOf(ref) as FileRef, status.size, room.call);
      return [this.#telling.attributesOf({ fd, status }), Buffer.from(cached.bytes)];
    } catch {
      return null; // gone, no regular file, or its id is not known
    }
  }

  #fetchCold(ref: FileRef, size: number, call: Call): Promise<Fetched | null> {
    return call.backlog.hold(size, () => this.#read(ref, size)).catch(() => null);
  }

  async #read(ref: FileRef, size: number): Promise<Fetched | null> {
    const own = dup(this.#identities.readable(ref).fd);
    try {
      const { bytes, release } = await readBorrowed(own, 0, size);
      const data = Buffer.from(bytes);
      release();
      const status = statxFd(own);
      return status.size === data.length ? [this.#telling.attributesOf({ fd: own, status }), data] : null;
    } finally {
      close(own);
    }
  }
}
