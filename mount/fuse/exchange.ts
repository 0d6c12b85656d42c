/**
 * One request of the kernel, from its arrival to its one answer.
 *
 * Invariant: a request is answered exactly once; a second answer is ignored, so that a failure after an answer
 * (of a READ, whose data leave from inside the operation) cannot confuse the kernel.
 *
 * It is also what the file system sees as the Caller.
 */
import type { Caller } from '../operations.js';
import { Writer } from './cursor.js';
import { Interrupt } from './interrupt.js';
import type { Operation } from './opcodes.js';
import { OUT_HEADER_SIZE, writeOutHeader, type InHeader } from './structs.js';

/** Where answers go. Both take the bytes before they return; they throw what the kernel refuses to take. */
export interface ReplySink {
  send(message: Buffer, length: number): void;
  /** Sends a message of several pieces without joining them. */
  sendPieces(pieces: Buffer[]): void;
}

/** Room for the largest reply that an encoder writes: a symlink's target of PATH_MAX. */
const MAX_ENCODED_REPLY = 8192;

/** Replies are encoded and sent without a break in between, so all share one buffer, and READ replies one header. */
const scratch = new Writer(Buffer.alloc(MAX_ENCODED_REPLY));
const dataHeader = new Writer(Buffer.alloc(OUT_HEADER_SIZE));

export class Exchange implements Caller {
  readonly header: InHeader;
  readonly #sink: ReplySink;
  #interrupt: Interrupt | undefined;
  #answered = false;
  #umask: number | undefined;

  constructor(header: InHeader, sink: ReplySink) {
    this.header = header;
    this.#sink = sink;
  }

  get uid(): number {
    return this.header.uid;
  }

  get gid(): number {
    return this.header.gid;
  }

  get pid(): number {
    return this.header.pid;
  }

  get umask(): number | undefined {
    return this.#umask;
  }

  /** The same, of what tells it. */
  withUmask(umask: number): this {
    this.#umask = umask;
    return this;
  }

  get signal(): Interrupt {
    this.#interrupt ??= new Interrupt();
    return this.#interrupt;
  }

  get answered(): boolean {
    return this.#answered;
  }

  /** FUSE_INTERRUPT: the calling process got a signal. The operation still answers, with EINTR or a result. */
  interrupt(): void {
    this.signal.abort();
  }

  /** Answers with a result that the operation's encoder writes. */
  answer<Reply>(operation: Pick<Operation<unknown, Reply>, 'encode'>, reply: Reply): void {
    if (this.#answered) return;
    scratch.seek(OUT_HEADER_SIZE);
    operation.encode(scratch, reply);
    this.answerMessage(scratch);
  }

  /** Answers with a message whose body was written behind room for the header. */
  answerMessage(message: Writer): void {
    if (this.#answered) return;
    const { length } = message;
    message.seek(0);
    writeOutHeader(message, length, 0, this.header.unique);
    this.#sink.send(message.buffer, length);
    this.#answered = true;
  }

  /** Answers a READ with pieces of data, not joined. */
  answerData(pieces: readonly Buffer[]): void {
    if (this.#answered) return;
    let length = OUT_HEADER_SIZE;
    for (const piece of pieces) length += piece.length;
    writeOutHeader(dataHeader.seek(0), length, 0, this.header.unique);
    this.#sink.sendPieces([dataHeader.buffer, ...pieces]);
    this.#answered = true;
  }

  /** Answers with an errno (positive). */
  fail(errno: number): void {
    if (this.#answered) return;
    writeOutHeader(scratch.seek(0), OUT_HEADER_SIZE, errno, this.header.unique);
    this.#sink.send(scratch.buffer, OUT_HEADER_SIZE);
    this.#answered = true;
  }
}
