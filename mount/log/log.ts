/**
 * The changes of the home that were made here, in the order in which they were made, until the server has them on its disk.
 *
 * Invariants:
 * - Entries are in order: first those applied (kept in case the server loses its power), then those sent, then those unsent.
 * - The server gets the operations in this order and under contiguous numbers: what it has is always a prefix of what was
 *   done here. So data are gathered in the last entry only.
 * - A number is given when an entry is sent, and given anew when it is sent again; it is the same one as long as no entry
 *   before it failed meanwhile. The server has no memory of numbers that it did not apply.
 *
 * No I/O, no timer: sender.ts carries the entries to the server.
 */
import type { Attributes, Timestamp } from '../../protocol/attributes.js';
import { Failure, failureFrom } from '../../protocol/failure.js';
import { MAX_OPERATIONS } from '../../protocol/limits.js';
import type { Result } from '../../protocol/methods.js';
import type { LogOperation } from '../../protocol/operations.js';
import type { FileId } from '../../protocol/references.js';
import { Chain } from './chain.js';
import { Entry, type Charge, type Stage } from './entry.js';
import { Message, MESSAGE_BYTES } from './message.js';
import { Tally, type Amount } from './tally.js';
import { Waiters } from './waiters.js';
import { WriteEntry } from './write-entry.js';

/** Bytes that may be kept for a server that has not said that they are on its disk. */
const DEFAULT_LIMIT_BYTES = 64 * 1024 * 1024;
/** How old what was not sent may become before changes wait (milliseconds). */
const DEFAULT_LIMIT_MS = 2_000;

/** What an entry takes in memory besides its data, about. */
const ENTRY_BYTES = 512;

/** [number, error or nil, attributes] of an operation: see `apply` in protocol/methods. */
export type Outcome = Result<'apply'>[4][number];

export interface LogOptions {
  /** Default: DEFAULT_LIMIT_BYTES. */
  readonly limitBytes?: number;
  /** Default: DEFAULT_LIMIT_MS. */
  readonly limitMs?: number;
  /** Milliseconds, monotonic. Default: performance.now. */
  now?(): number;
  /** The server could not carry it out; its data are still there during the call. The later ones go on. */
  failed(entry: Entry, failure: Failure): void;
  /** What the server told of the files that it left: where it made one whose id was not known here. */
  told(entry: Entry, attributes: Attributes[]): void;
  /** The entry leaves the log: durable, failed or cancelled. Its data are gone after the call. */
  dropped?(entry: Entry): void;
}

/** Operations for one `apply`. */
export interface Batch {
  /** The number of the first one. */
  readonly first: number;
  readonly operations: readonly LogOperation[];
  /** Data of the last one, where that is a WRITE without. */
  readonly data: Buffer | undefined;
  /** How long the message becomes, about. */
  readonly bytes: number;
}

export class Log {
  readonly #options: LogOptions;
  readonly #limitBytes: number;
  readonly #limitMs: number;
  readonly #now: () => number;
  readonly #chain = new Chain();
  #firstUnapplied: Entry | undefined;
  #firstUnsent: Entry | undefined;
  readonly #unsent = new Tally();
  readonly #unapplied = new Tally();
  readonly #undurable = new Tally();
  /** The number that is given next. */
  #nextNumber = 1;
  /** What the server said is on its disk. */
  #durable = 0;
  #rewinds = 0;
  #hurry = false;
  readonly #waitingForRoom = new Waiters();
  #ended: Failure | undefined;

  /** Is called where what is there is to be sent at once; set by the sender. */
  onHurry: () => void = () => {};

  constructor(options: LogOptions) {
    this.#options = options;
    this.#limitBytes = options.limitBytes ?? DEFAULT_LIMIT_BYTES;
    this.#limitMs = options.limitMs ?? DEFAULT_LIMIT_MS;
    this.#now = options.now?.bind(options) ?? (() => performance.now());
  }

  // What is there

  /** The oldest entry that is not durable. */
  get first(): Entry | undefined {
    return this.#chain.first;
  }

  /** The latest entry, as long as it is not durable. */
  get last(): Entry | undefined {
    return this.#chain.last;
  }

  get unsent(): Amount {
    return this.#unsent;
  }

  /** What the server has not said that it applied. */
  get unapplied(): Amount {
    return this.#unapplied;
  }

  get undurable(): Amount {
    return this.#undurable;
  }

  /** What the operations that are not applied take of the grant. */
  get charged(): Charge {
    return { bytes: this.#unapplied.charge.bytes, files: this.#unapplied.charge.files };
  }

  /** The number of the operation sent last; 0: none was. */
  get lastNumber(): number {
    return this.#nextNumber - 1;
  }

  /** The number of the last operation that the server applied; 0: none was. */
  get lastApplied(): number {
    return (this.unanswered ?? this.#nextNumber) - 1;
  }

  /** The number of the first operation that was sent and not answered; undefined: there is none. */
  get unanswered(): number | undefined {
    const entry = this.#firstUnapplied;
    return entry?.state === 'sent' ? entry.number : undefined;
  }

  /** The first operation that the server has not said that it applied. */
  get firstUnapplied(): Entry | undefined {
    return this.#firstUnapplied;
  }

  /** The entries that the server has not said that it applied, in order. */
  *unappliedEntries(): Iterable<Entry> {
    for (let entry = this.#firstUnapplied; entry !== undefined; entry = entry.next) yield entry;
  }

  /** The first operation that is not to be sent, as the lease that it was made under was lost. */
  get orphan(): Entry | undefined {
    let entry = this.#firstUnsent;
    while (entry !== undefined && !entry.orphaned) entry = entry.next;
    return entry;
  }

  /**
   * How often operations that were sent turned out not to be applied. What was asked of the server behind them and answered
   * after this number rose does not know of them: it is to be asked again.
   */
  get rewinds(): number {
    return this.#rewinds;
  }

  /** Whether what is there is to be sent without waiting for more. */
  get hurry(): boolean {
    return this.#hurry;
  }

  /** Whether so much is kept that the server is to be asked to sync. */
  get crowded(): boolean {
    return this.#keptBytes > this.#limitBytes / 2;
  }

  // Changes made here

  append(operation: LogOperation, charge: Charge): Entry {
    const entry = new Entry(operation, charge, this.#now());
    this.#append(entry);
    return entry;
  }

  /**
   * Writes data, at most MAX_DATA bytes, which are copied: into the last entry where that is a write of the same file that
   * was not sent and they fit there, else into a new one.
   */
  write(file: FileId, offset: number, data: Buffer, time: Timestamp, charge: Charge): WriteEntry {
    const { last } = this.#chain;
    if (last instanceof WriteEntry && neverSent(last) && last.accepts(file, offset, data.length)) {
      for (const tally of this.#tallies()) tally.remove(last);
      last.put(offset, data, time);
      last.charge = { bytes: last.charge.bytes + charge.bytes, files: last.charge.files + charge.files };
      for (const tally of this.#tallies()) tally.add(last);
      return last;
    }
    const entry = new WriteEntry(file, offset, data, time, charge, this.#now());
    this.#append(entry);
    return entry;
  }

  /** Takes back operations that were never sent: all of these, or (where one was sent) none. Returns whether it did. */
  cancel(entries: Iterable<Entry>): boolean {
    const cancelled = [...entries];
    if (!cancelled.every(neverSent)) return false;
    for (const entry of cancelled) {
      this.#passOver(entry);
      this.#undurable.remove(entry);
      entry.cancel();
      this.#drop(entry);
    }
    if (this.#firstUnsent === undefined) this.#hurry = false;
    this.#wake();
    return true;
  }

  #append(entry: Entry): void {
    this.#chain.append(entry);
    this.#firstUnsent ??= entry;
    this.#firstUnapplied ??= entry;
    for (const tally of this.#tallies()) tally.add(entry);
  }

  /** What counts an entry that is not sent. */
  #tallies(): readonly Tally[] {
    return [this.#unsent, this.#unapplied, this.#undurable];
  }

  /** Takes an entry out. */
  #drop(entry: Entry): void {
    this.#chain.remove(entry);
    this.#options.dropped?.(entry);
    entry.release();
  }

  // Waiting

  /** Where a change has to wait before it is made; undefined while there is room. Who waited asks again. */
  room(): Promise<void> | undefined {
    if (this.#hasRoom()) return undefined;
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    const room = this.#waitingForRoom.wait();
    this.hurryUp();
    return room;
  }

  /** Sends it at once where that can be. Resolves also where the entry failed; where it was cancelled, with the one before it. */
  whenSent(entry: Entry): Promise<void> | undefined {
    return this.#when(entry, 'sent');
  }

  whenApplied(entry: Entry): Promise<void> | undefined {
    return this.#when(entry, 'applied');
  }

  #when(entry: Entry, stage: Stage): Promise<void> | undefined {
    if (entry.state === 'unsent') this.hurryUp();
    const reached = entry.when(stage);
    if (reached !== undefined && this.#ended !== undefined) return Promise.reject(this.#ended);
    return reached;
  }

  /** What is there is to be sent without waiting for more. */
  hurryUp(): void {
    if (this.#firstUnsent === undefined) return;
    this.#hurry = true;
    this.onHurry();
  }

  get #keptBytes(): number {
    return this.#undurable.bytes + this.#undurable.operations * ENTRY_BYTES;
  }

  #hasRoom(): boolean {
    if (this.#keptBytes > this.#limitBytes) return false;
    const oldest = this.#firstUnsent;
    return oldest === undefined || this.#now() - oldest.since <= this.#limitMs;
  }

  #wake(): void {
    if (!this.#waitingForRoom.empty && this.#hasRoom()) this.#waitingForRoom.resolve();
  }

  /** There will be no server any more: nobody waits for it any longer. */
  ended(failure: Failure): void {
    this.#ended = failure;
    this.#waitingForRoom.reject(failure);
    for (let entry = this.#chain.first; entry !== undefined; entry = entry.next) entry.abandon(failure);
  }

  // Sending

  /**
   * What is to be sent next, before the first orphan: gives it numbers and counts it as sent. `prepare` gives an operation the
   * form in which it travels.
   */
  take(
    maxOperations: number = MAX_OPERATIONS,
    maxBytes: number = MESSAGE_BYTES,
    prepare: (entry: Entry) => LogOperation = ({ operation }) => operation,
  ): Batch | undefined {
    const first = this.#nextNumber;
    const message = new Message(maxOperations, maxBytes);
    let entry = this.#firstUnsent;
    for (; entry !== undefined && !entry.orphaned; entry = entry.next) {
      const { number } = entry;
      entry.number = this.#nextNumber;
      if (!message.add(prepare(entry))) {
        entry.number = number;
        break;
      }
      this.#nextNumber += 1;
      this.#unsent.remove(entry);
      entry.become('sent');
    }
    this.#firstUnsent = entry;
    if (entry === undefined) this.#hurry = false;
    if (message.operations.length === 0) return undefined;
    this.#wake();
    return { first, operations: message.operations, data: message.data, bytes: message.bytes };
  }

  /** The server has applied the operations up to `applied`; `outcomes` tells of some of them, in order. */
  answered(applied: number, durable: number, outcomes: readonly Outcome[]): void {
    let told = 0;
    for (
      let entry = this.#firstUnapplied;
      entry?.state === 'sent' && entry.number !== undefined && entry.number <= applied;
      entry = this.#firstUnapplied
    ) {
      this.#firstUnapplied = entry.next;
      this.#unapplied.remove(entry);
      while ((outcomes[told]?.[0] ?? applied + 1) < entry.number) told += 1;
      const outcome = outcomes[told];
      this.#carriedOut(entry, outcome?.[0] === entry.number ? outcome : undefined);
    }
    this.durable(durable);
  }

  #carriedOut(entry: Entry, outcome: Outcome | undefined): void {
    const [, error, attributes] = outcome ?? [];
    if (attributes !== undefined && attributes.length > 0) this.#options.told(entry, attributes);
    if (error === undefined || error === null) {
      entry.become('applied');
      return;
    }
    this.#fail(entry, failureFrom(error));
  }

  /** An operation that was taken back cannot be carried out: it is passed over. PROTOCOL: it was not taken back. */
  giveUp(entry: Entry | undefined, failure: Failure): void {
    if (entry?.state !== 'unsent')
      throw new Failure('PROTOCOL', 'the server refuses what it has carried out');
    this.#passOver(entry);
    this.#fail(entry, failure);
    this.#wake();
  }

  /** Takes an operation out of what is to be sent. */
  #passOver(entry: Entry): void {
    if (this.#firstUnapplied === entry) this.#firstUnapplied = entry.next;
    if (this.#firstUnsent === entry) this.#firstUnsent = entry.next;
    this.#unsent.remove(entry);
    this.#unapplied.remove(entry);
  }

  /** The leases are lost under which all was made that the server does not have, which is what comes after `applied`. */
  leasesLost(applied: number): void {
    for (let entry = this.#chain.last; entry !== undefined; entry = entry.previous) {
      if (entry.state !== 'unsent' && (entry.number ?? 0) <= applied) break;
      entry.orphaned = true;
    }
  }

  /** An orphan was carried out by an awaited change, or is kept elsewhere. */
  reintegrated(entry: Entry): void {
    this.#passOver(entry);
    this.#undurable.remove(entry);
    this.#drop(entry);
    entry.become('durable');
    this.#wake();
  }

  #fail(entry: Entry, failure: Failure): void {
    entry.failure = failure;
    this.#undurable.remove(entry);
    this.#options.failed(entry, failure);
    this.#drop(entry);
    entry.become('failed');
  }

  /** All operations up to this one are on the server's disk. */
  durable(number: number): void {
    this.#durable = Math.max(this.#durable, number);
    for (
      let entry = this.#chain.first;
      entry?.state === 'applied' && entry.number !== undefined && entry.number <= this.#durable;
      entry = this.#chain.first
    ) {
      this.#undurable.remove(entry);
      this.#drop(entry);
      entry.become('durable');
    }
    this.#wake();
  }

  /**
   * The server has the operations up to `applied` and none after: those are to be sent again. What was sent before and is
   * applied, and was not answered, stays so until an answer tells what became of it.
   */
  resume(applied: number): void {
    this.#nextNumber = applied + 1;
    this.#durable = Math.min(this.#durable, applied);
    let entry = this.#firstUnsent === undefined ? this.#chain.last : this.#firstUnsent.previous;
    if (entry !== undefined && (entry.number ?? 0) > applied) this.#rewinds += 1;
    for (; entry !== undefined && (entry.number ?? 0) > applied; entry = entry.previous) {
      if (entry.state === 'applied') {
        this.#unapplied.add(entry);
        this.#firstUnapplied = entry;
      }
      this.#unsent.add(entry);
      this.#firstUnsent = entry;
      this.#hurry = true;
      entry.become('unsent');
    }
  }
}

/** Whether the server cannot know of it. */
function neverSent({ state, number, orphaned }: Entry): boolean {
  return state === 'unsent' && number === undefined && !orphaned;
}
