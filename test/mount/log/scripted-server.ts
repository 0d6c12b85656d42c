/**
 * A server as the log sees it: carries out `apply` and `sync` in order, keeps what it applied and what is on its disk, and
 * loses what the test wants it to lose. Requests and answers lie in queues until the test moves them.
 */
import { Failure } from '../../../protocol/failure.js';
import { MAX_OPERATIONS, MAX_OUTCOMES } from '../../../protocol/limits.js';
import type { Result } from '../../../protocol/methods.js';
import { operation as unpackOperation, WRITE, type LogOperation } from '../../../protocol/operations.js';
import type { SenderOptions } from '../../../mount/log/sender.js';

/** What `apply` makes of an operation: it is carried out, fails, or stops the server (ESTALE). */
export type Verdict = 'done' | 'fails' | 'stops';

interface Pending {
  readonly method: 'apply' | 'sync';
  readonly params: unknown[];
  readonly data: Buffer | undefined;
  readonly done: (failure: Failure | undefined, result: unknown) => void;
}

interface Answer {
  readonly pending: Pending;
  readonly failure: Failure | undefined;
  readonly result: unknown;
}

type Outcome = Result<'apply'>[4][number];

export class ScriptedServer {
  /** What was carried out, by number: undefined where it failed. The first is number 1. */
  carriedOut: (LogOperation | undefined)[] = [];
  durable = 0;
  left = { bytes: 1000, files: 100 };
  /** What the `apply`s were: [first number, how many operations, bytes apart]. */
  readonly applies: [number, number, number][] = [];
  judge: (operation: LogOperation) => Verdict = () => 'done';
  /** Fails a request as a whole. */
  refuse: (method: string, params: unknown[]) => Failure | undefined = () => undefined;
  outcomes: Outcome[] = [];
  #requests: Pending[] = [];
  #answers: Answer[] = [];

  get applied(): number {
    return this.carriedOut.length;
  }

  get requests(): number {
    return this.#requests.length;
  }

  get answers(): number {
    return this.#answers.length;
  }

  readonly request: SenderOptions['request'] = (method, params, data, done) => {
    // Data are sealed when the request is made: the log may use the buffer again.
    const copy = data === undefined ? undefined : Buffer.from(data);
    const sealed = structuredClone(params) as unknown[];
    this.#requests.push({
      method,
      params: [sealed[0], ...(method === 'apply' ? [bytesAsBuffers(sealed[1])] : [])],
      data: copy,
      done: done as Pending['done'],
    });
  };

  /** Carries out the oldest requests. */
  receive(count = this.#requests.length): void {
    for (const pending of this.#requests.splice(0, count)) {
      const failure = this.refuse(pending.method, pending.params);
      const result = failure === undefined ? this.#carryOut(pending) : undefined;
      this.#answers.push({ pending, failure, result });
    }
  }

  /** Delivers the oldest answers. */
  answer(count = this.#answers.length): void {
    for (const { pending, failure, result } of this.#answers.splice(0, count)) pending.done(failure, result);
  }

  /** Carries out and answers until nothing is asked any more. */
  settle(): void {
    while (this.#requests.length + this.#answers.length > 0) {
      this.receive();
      this.answer();
    }
  }

  /** The connection goes: requests on their way may have arrived (`received` of them), no answer does. */
  lose(received: number): void {
    this.receive(received);
    const unanswered = [...this.#answers.map(({ pending }) => pending), ...this.#requests];
    this.#answers = [];
    this.#requests = [];
    for (const { done } of unanswered) done(new Failure('ECONNRESET'), undefined);
  }

  /** After lose(): only what was on the disk is left. */
  losePower(): void {
    this.carriedOut.length = this.durable;
    this.outcomes = [];
  }

  #carryOut({ method, params, data }: Pending): unknown {
    if (method === 'sync') {
      this.durable = this.applied;
      return this.durable;
    }
    const [first, operations] = params as [number, unknown[]];
    this.applies.push([first, operations.length, data?.length ?? 0]);
    const stopped = first <= this.applied + 1 ? this.#applyFrom(first, operations, data) : [];
    const remembered = this.outcomes.slice(-MAX_OUTCOMES);
    const outcomes = remembered.filter(([number]) => number >= first).slice(0, MAX_OPERATIONS);
    return [this.applied, this.durable, this.left.bytes, this.left.files, [...outcomes, ...stopped]];
  }

  #applyFrom(first: number, operations: unknown[], data: Buffer | undefined): Outcome[] {
    for (const [index, wire] of operations.entries()) {
      const number = first + index;
      if (number <= this.applied) continue;
      let op = unpackOperation(wire) as LogOperation;
      if (op.kind === WRITE && op.data === null) {
        if (index !== operations.length - 1 || data === undefined) throw new Error('a WRITE without data');
        op = { ...op, data };
      }
      switch (this.judge(op)) {
        case 'done':
          this.carriedOut.push(op);
          break;
        case 'fails':
          this.carriedOut.push(undefined);
          this.outcomes.push([number, ['ENOSPC', 'the disk is full'], []]);
          break;
        case 'stops':
          return [[number, ['ESTALE', 'not known'], []]];
      }
    }
    return [];
  }
}

/** structuredClone makes plain byte arrays of Buffers. */
function bytesAsBuffers(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value);
  return Array.isArray(value) ? value.map(bytesAsBuffers) : value;
}
