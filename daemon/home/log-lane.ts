/*
 * `apply`: the operations of a client's log, in the order of their numbers, each once, without waiting.
 *
 * Invariant: `applied` is marked with each operation, so that after a crash only the one that was under way is in doubt;
 * the ids that operations name decide that one (`replay`). An operation that fails has been carried out, too: its failure
 * is its outcome. ESTALE stops: nothing from there on is done, and the client sends it again.
 */
import { Failure } from '../../protocol/failure.js';
import { LEASE_WRITE } from '../../protocol/methods.js';
import { LINK, MKDIR, RMDIR, type Link, type Mkdir, type Operation } from '../../protocol/operations.js';
import type { Status } from '../../posix/status.js';
import type { DiskWatch } from './disk-watch.js';
import type { Executor } from './executor.js';
import type { Grace } from './grace.js';
import type { HomeClient } from './home-client.js';
import type { Identities } from './identities.js';
import type { Leases } from './leases.js';
import type { Marks } from './marks.js';
import { wireError, type Outcome } from './outcomes.js';
import type { ShownTimes } from './shown-times.js';
import { unitsOfOperation } from './units.js';

export class LogLane {
  readonly #identities: Identities;
  readonly #executor: Executor;
  readonly #leases: Leases;
  readonly #grace: Grace;
  readonly #shown: ShownTimes;
  readonly #watch: DiskWatch;
  /** An operation failed in a way that is no client's doing (EIO). */
  readonly #onBroken: (error: unknown) => void;

  constructor(parts: {
    identities: Identities;
    executor: Executor;
    leases: Leases;
    grace: Grace;
    shown: ShownTimes;
    watch: DiskWatch;
    onBroken: (error: unknown) => void;
  }) {
    this.#identities = parts.identities;
    this.#executor = parts.executor;
    this.#leases = parts.leases;
    this.#grace = parts.grace;
    this.#shown = parts.shown;
    this.#watch = parts.watch;
    this.#onBroken = parts.onBroken;
  }

  /** The answer of `apply`: (applied, durable, bytes and files left of the grant, outcomes). */
  apply(client: HomeClient, first: number, operations: Operation[], data: Buffer | null): unknown[] {
    const marks = client.mark();
    const stopped =
      first > marks.applied + 1 ? undefined : this.#carryOut(client, marks, first, operations, data);
    const { bytes, files } = client.grant.left;
    const outcomes = client.outcomes.from(first);
    return [
      marks.applied,
      marks.durable,
      bytes,
      files,
      stopped === undefined ? outcomes : [...outcomes, stopped],
    ];
  }

  /** What stopped it, if anything did. */
  #carryOut(
    client: HomeClient,
    marks: Marks,
    first: number,
    operations: Operation[],
    data: Buffer | null,
  ): Outcome | undefined {
    const replay = this.#grace.isMissing(client.id);
    this.#executor.begin();
    try {
      for (const [index, operation] of operations.entries()) {
        const number = first + index;
        if (number <= marks.applied) continue;
        try {
          const last = index === operations.length - 1;
          this.#one(client, number, operation, last ? data : null, replay);
        } catch (error) {
          const failure = Failure.from(error);
          if (failure.kind === 'ESTALE') return [number, wireError(failure), []];
          if (failure.kind === 'EIO') this.#onBroken(failure.cause ?? failure);
          client.outcomes.failed(number, failure);
        }
        marks.setApplied(number);
      }
    } finally {
      this.#executor.end();
    }
    return undefined;
  }

  #one(client: HomeClient, number: number, operation: Operation, data: Buffer | null, replay: boolean): void {
    const ofAll = this.#leases.holdsAll(client);
    if (!ofAll && !replay) this.#requireLeases(client, operation);
    const told = this.#executor.carryOut(client, operation, data, replay);
    if (told.length > 0) {
      client.outcomes.told(
        number,
        told.map((status) => this.#shown.attributes(status)),
      );
    }
    this.#noteUnits(client, operation, told[0]);
  }

  /** ESTALE where something of what an operation changes is not the client's own. */
  #requireLeases(client: HomeClient, operation: Operation): void {
    for (const unit of unitsOfOperation(this.#identities, client.provisional, operation)) {
      if (this.#leases.mode(client, unit) < LEASE_WRITE)
        throw new Failure('ESTALE', 'not leased for writing');
    }
  }

  /** Units that were made or are no more; the client sees by itself what it holds of them. `made`: where its id is told. */
  #noteUnits(client: HomeClient, operation: Operation, made: Status | undefined): void {
    switch (operation.kind) {
      case MKDIR: {
        const op = client.provisional.resolve(operation) as Mkdir;
        const ino = made?.ino ?? op.id?.ino;
        if (ino === undefined) return;
        this.#watch.made(client, ino);
        this.#leases.made(client, this.#identities.directoryOf(op.directory).ino, ino, false);
        return;
      }
      case LINK: {
        const op = client.provisional.resolve(operation) as Link;
        const { status } = this.#identities.file(op.file);
        if (status.nlink !== 2) return;
        this.#watch.made(client, status.ino);
        this.#leases.made(client, this.#identities.directoryOf(op.directory).ino, status.ino, false);
        return;
      }
      case RMDIR:
        if (operation.id === null) return;
        this.#watch.removed(operation.id.ino);
        this.#leases.removed(operation.id.ino);
        return;
      default:
    }
  }
}
