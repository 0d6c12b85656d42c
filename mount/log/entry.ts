/**
 * One operation of the log on its way: unsent -> sent -> applied -> durable; or out of it: failed or cancelled.
 *
 * A server that does not have it after all takes an entry back to unsent, from sent after a lost connection, from applied
 * after a loss of power. Only the log changes what is here.
 */
import type { Failure } from '../../protocol/failure.js';
import type { LogOperation } from '../../protocol/operations.js';

/** What an operation takes of the quota, or gives back where it is negative: bytes of data, and files. */
export interface Charge {
  readonly bytes: number;
  readonly files: number;
}

export type EntryState = 'unsent' | 'sent' | 'applied' | 'durable' | 'failed' | 'cancelled';

/** How far an entry can be waited for. */
export type Stage = 'sent' | 'applied' | 'durable';

/** What failed or was cancelled is waited for no longer, whatever for. */
const RANK: Readonly<Record<EntryState, number>> = {
  unsent: 0,
  sent: 1,
  applied: 2,
  durable: 3,
  failed: 3,
  cancelled: 3,
};

interface Waiting {
  readonly stage: Stage;
  resolve(): void;
  reject(failure: Failure): void;
}

export class Entry {
  readonly operation: LogOperation;
  charge: Charge;
  /** When it was appended, by the clock of the log (milliseconds). */
  readonly since: number;
  /** Its number at the server, once it was sent. */
  number: number | undefined;
  state: EntryState = 'unsent';
  /** The lease that it was made under was lost: it is reintegrated (filesystem/reintegration.ts), not sent. */
  orphaned = false;
  /** Why it failed. */
  failure: Failure | undefined;
  /** Its neighbours in the log. */
  previous: Entry | undefined;
  next: Entry | undefined;
  #waiting: Waiting[] | undefined;
  /** What came before it when it was taken back. */
  #before: Entry | undefined;

  constructor(operation: LogOperation, charge: Charge, since: number) {
    this.operation = operation;
    this.charge = charge;
    this.since = since;
  }

  /** How many bytes of file data, or of the value of an extended attribute, it carries. */
  get bytes(): number {
    return 'value' in this.operation ? this.operation.value.length : 0;
  }

  /** Gives up what it carries. */
  release(): void {}

  become(state: EntryState): void {
    this.state = state;
    if (this.#waiting === undefined) return;
    const waiting = this.#waiting;
    this.#waiting = waiting.filter(({ stage }) => !this.has(stage));
    for (const { stage, resolve } of waiting) if (this.has(stage)) resolve();
  }

  /**
   * It is taken back, while it is in the log. Who waits for it waits for all that comes before it: that is waited for from now
   * on.
   */
  cancel(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    this.#before = this.previous;
    this.state = 'cancelled';
    for (const each of waiting) this.#await(each);
  }

  /** Resolves when it, and so what comes before it, has come that far, or out of the log; undefined where it has. */
  when(stage: Stage): Promise<void> | undefined {
    if (this.has(stage)) return undefined;
    return new Promise((resolve, reject) => this.#await({ stage, resolve, reject }));
  }

  #await(waiting: Waiting): void {
    if (this.has(waiting.stage)) waiting.resolve();
    else if (this.#before === undefined) (this.#waiting ??= []).push(waiting);
    else this.#before.#await(waiting);
  }

  /** Nobody will carry it on: who waits is told so. */
  abandon(failure: Failure): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    for (const { reject } of waiting ?? []) reject(failure);
  }

  /** Whether it has come that far, or out of the log. */
  has(stage: Stage): boolean {
    return this.#before?.has(stage) ?? RANK[this.state] >= RANK[stage];
  }
}
