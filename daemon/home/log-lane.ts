/*
 * `apply`: the operations of a client's log, in the order of their numbers, each once, without waiting for anybody. A long
 * batch is carried out in slices of some milliseconds, between which others have their turn; what its client sent behind it
 * is begun after it (session.ts).
 *
 * Invariant: `applied` is marked with each operation, so that after a crash only the one that was under way is in doubt;
 * the ids that operations name decide that one (`replay`). An operation that fails has been carried out, too: its failure
 * is its outcome. What a failed sync may have lost is carried out again, as a replay. ESTALE stops: nothing from there on is
 * done, and the client sends it again.
 */
import { Failure } from '../../protocol/failure.js';
import { LEASE_WRITE } from '../../protocol/methods.js';
import {
  CREATE,
  LINK,
  MKDIR,
  type Create,
  type Link,
  type Mkdir,
  type Operation,
} from '../../protocol/operations.js';
import { copyOf } from './calls/copies.js';
import type { Executor } from './operations/executor.js';
import type { Grace } from './leases/grace.js';
import type { HomeClient } from './home-client.js';
import type { Identities } from './files/identities.js';
import type { Leases } from './leases/leases.js';
import type { Marks } from './operations/marks.js';
import { wireError, type Outcome } from './operations/outcomes.js';
import type { ToldStatus } from './files/owner-record.js';
import type { Telling } from './files/telling.js';
import type { Turns } from './calls/turns.js';
import { Unfinished } from './calls/unfinished.js';
import type { UnitChanges } from './leases/unit-changes.js';
import { unitsOfOperation } from './leases/units.js';

/** An `apply` that is being carried out. */
interface Batch {
  readonly client: HomeClient;
  /** HomeClient.connections */
  readonly connection: number;
  readonly marks: Marks;
  /** The number that the client began with. */
  readonly from: number;
  /** The client has not come back yet: what it sends may have been carried out before, and it holds what it held. */
  readonly returns: boolean;
  /** The number of the first of the operations. */
  first: number;
  operations: Operation[];
  data: Buffer | null;
  /** How many of the operations are done. */
  done: number;
  /** What stopped it, if anything did. */
  stopped: Outcome | undefined;
  /** What the next operation waits for, if anything. */
  until: Promise<void> | undefined;
}

export class LogLane {
  readonly #identities: Identities;
  readonly #executor: Executor;
  readonly #leases: Leases;
  readonly #grace: Grace;
  readonly #telling: Telling;
  readonly #isFrozen: () => boolean;
  readonly #whenChangeable: () => Promise<void>;
  readonly #turns: Turns;
  readonly #units: UnitChanges;
  /** An operation failed in a way that is no client's doing (EIO). */
  readonly #onBroken: (error: unknown) => void;

  constructor(parts: {
    identities: Identities;
    executor: Executor;
    leases: Leases;
    grace: Grace;
    telling: Telling;
    /** The home cannot be changed now. */
    isFrozen: () => boolean;
    whenChangeable: () => Promise<void>;
    turns: Turns;
    units: UnitChanges;
    onBroken: (error: unknown) => void;
  }) {
    this.#identities = parts.identities;
    this.#executor = parts.executor;
    this.#leases = parts.leases;
    this.#grace = parts.grace;
    this.#telling = parts.telling;
    this.#isFrozen = parts.isFrozen;
    this.#whenChangeable = parts.whenChangeable;
    this.#turns = parts.turns;
    this.#units = parts.units;
    this.#onBroken = parts.onBroken;
  }

  /** The answer of `apply`: (applied, durable, bytes and files left of the grant, outcomes). */
  apply(
    client: HomeClient,
    first: number,
    operations: Operation[],
    data: Buffer | null,
  ): unknown[] | Promise<unknown[]> {
    const marks = client.mark();
    const returns = this.#grace.isMissing(client.id);
    const batch: Batch = {
      client,
      connection: client.connections,
      marks,
      from: first,
      returns,
      first,
      operations,
      data,
      done: 0,
      stopped: undefined,
      until: undefined,
    };
    this.#slice(batch);
    return isDone(batch) ? this.#answer(batch) : this.#goOn(batch);
  }

  /**
   * What is left of a batch. A client that has gone sends it again; and one that is back may call other operations by these
   * numbers, as its login told it what was applied by then.
   */
  async #goOn(batch: Batch): Promise<unknown[]> {
    batch.operations = copyOf(batch.operations.slice(batch.done)) as Operation[];
    batch.data = copyOf(batch.data) as Buffer | null;
    batch.first += batch.done;
    batch.done = 0;
    while (!isDone(batch)) {
      await batch.until;
      batch.until = undefined;
      await this.#whenChangeable();
      await this.#turns.putOff(() => this.#nextSlice(batch));
    }
    return this.#answer(batch);
  }

  #nextSlice(batch: Batch): void {
    if (this.#isFrozen()) return;
    const { client, connection } = batch;
    if (client.ended || !client.present || client.connections !== connection)
      throw new Failure('ECONNABORTED', 'the client has gone');
    this.#slice(batch);
  }

  #answer({ client, marks, from, stopped }: Batch): unknown[] {
    const { bytes, files } = client.grant.left;
    const outcomes = client.outcomes.from(from);
    const all = stopped === undefined ? outcomes : [...outcomes, stopped];
    return [marks.applied, marks.durable, bytes, files, all];
  }

  #slice(batch: Batch): void {
    const { marks } = batch;
    this.#executor.begin();
    try {
      while (!isDone(batch)) {
        const number = batch.first + batch.done;
        if (number > marks.applied) this.#next(batch, number);
        if (batch.stopped !== undefined || batch.until !== undefined) return;
        batch.done += 1;
        if (this.#turns.isOver) return;
      }
    } finally {
      this.#executor.end();
    }
  }

  #next(batch: Batch, number: number): void {
    const { client, marks, operations, done, returns } = batch;
    const operation = operations[done] as Operation;
    const data = done === operations.length - 1 ? batch.data : null;
    try {
      if (!returns) this.#requireLeases(client, operation);
      this.#one(client, number, operation, data, returns || marks.mayBeDone(number));
    } catch (error) {
      if (error instanceof Unfinished) {
        batch.until = error.until;
        return;
      }
      const failure = Failure.from(error);
      if (failure.kind === 'ESTALE') {
        batch.stopped = [number, wireError(failure), []];
        return;
      }
      if (failure.kind === 'EIO') this.#onBroken(failure.cause ?? failure);
      client.outcomes.failed(number, failure);
      // Its client uses it for nothing else.
      if (operation.kind === CREATE || operation.kind === MKDIR) discard(client, operation);
    }
    this.#mark(marks, number);
  }

  /**
   * Notes that an operation was carried out. Where that cannot be written it counts nevertheless, as long as this process
   * lives: else the client would take the operation for lost, and another one of the same number would be passed over.
   */
  #mark(marks: Marks, number: number): void {
    try {
      marks.setApplied(number);
    } catch (error) {
      this.#onBroken(error);
    }
  }

  #one(client: HomeClient, number: number, operation: Operation, data: Buffer | null, replay: boolean): void {
    const { told, lost } = this.#executor.carryOut(client, operation, data, replay);
    if (told.length > 0) {
      client.outcomes.told(
        number,
        told.map((file) => this.#telling.attributes(file)),
      );
    }
    this.#noteMade(client, operation, told[0]);
    if (lost !== undefined) this.#units.lost(client, lost, true);
  }

  /** ESTALE where something of what an operation changes is not the client's own. */
  #requireLeases(client: HomeClient, operation: Operation): void {
    if (this.#leases.holdsAll(client)) return;
    for (const unit of unitsOfOperation(this.#identities, client.provisional, operation)) {
      if (this.#leases.mode(client, unit) < LEASE_WRITE)
        throw new Failure('ESTALE', 'not leased for writing');
    }
  }

  /** A unit that was made; the client sees by itself what it holds of it. `made`: where its id is told. */
  #noteMade(client: HomeClient, operation: Operation, made: ToldStatus | undefined): void {
    switch (operation.kind) {
      case MKDIR: {
        const op = client.provisional.resolve(operation) as Mkdir;
        const ino = made?.ino ?? op.id?.ino;
        if (ino === undefined) return;
        this.#units.made(client, this.#identities.directoryOf(op.directory).ino, ino, false);
        return;
      }
      case LINK: {
        const op = client.provisional.resolve(operation) as Link;
        const { status } = this.#identities.file(op.file);
        if (status.nlink !== 2) return;
        this.#units.made(client, this.#identities.directoryOf(op.directory).ino, status.ino, false);
        return;
      }
      default:
    }
  }
}

/** The inode of a file that could not be made. */
function discard({ grant }: HomeClient, { id }: Create | Mkdir): void {
  if (id !== null) grant.inodes.discard(id);
}

/** Nothing of it is to be carried out any more: also where a number is missing before it. */
function isDone({ operations, done, first, marks, stopped }: Batch): boolean {
  return done >= operations.length || stopped !== undefined || first + done > marks.applied + 1;
}
