/**
 * A bounded reader and a bounded writer over a Buffer: the only code that turns FUSE bytes into numbers.
 *
 * Invariant: no byte outside the message is ever read or written. A reader that would pass the end throws a
 * Failure PROTOCOL (a short message), a writer a RangeError (a bug of the caller).
 *
 * FUSE speaks the byte order of the host. Node runs on little-endian machines only (x86-64, arm64), so that is
 * the order here. 64-bit fields are numbers wherever the kernel's value is below 2^53 by construction
 * (nodeids and handles are ours); two 32-bit halves cost a tenth of a BigInt.
 */
import { Failure } from '../../protocol/failure.js';

const TWO_32 = 2 ** 32;

const EMPTY = Buffer.alloc(0);

/** Reads one message from its start; `reset` lets one reader serve all messages. */
export class Reader {
  #buffer: Buffer = EMPTY;
  #offset = 0;
  #end = 0;

  /** Starts over at the first of `length` bytes of a buffer. */
  reset(buffer: Buffer, length: number): this {
    this.#buffer = buffer;
    this.#offset = 0;
    this.#end = Math.min(length, buffer.length);
    return this;
  }

  /** Bytes that are not read yet. */
  get remaining(): number {
    return this.#end - this.#offset;
  }

  u32(): number {
    const at = this.#take(4);
    return this.#buffer.readUInt32LE(at);
  }

  /** Exact below 2^53; above it a rounded value that is still above it, so that a range check finds it. */
  u64(): number {
    const at = this.#take(8);
    return this.#buffer.readUInt32LE(at + 4) * TWO_32 + this.#buffer.readUInt32LE(at);
  }

  u64Big(): bigint {
    return this.#buffer.readBigUInt64LE(this.#take(8));
  }

  /** Signed seconds: exact within 2^53 either way. */
  i64(): number {
    const at = this.#take(8);
    return this.#buffer.readInt32LE(at + 4) * TWO_32 + this.#buffer.readUInt32LE(at);
  }

  skip(length: number): void {
    this.#take(length);
  }

  /** The next bytes as a view: valid only as long as the message's buffer is. */
  view(length: number): Buffer {
    const at = this.#take(length);
    return this.#buffer.subarray(at, at + length);
  }

  /** A NUL-terminated name, copied, because names outlive the message's buffer. */
  name(): Buffer {
    const nul = this.#buffer.indexOf(0, this.#offset);
    if (nul < 0 || nul >= this.#end) throw new Failure('PROTOCOL', 'a name in a FUSE request has no end');
    const name = Buffer.from(this.#buffer.subarray(this.#offset, nul));
    this.#offset = nul + 1;
    return name;
  }

  #take(length: number): number {
    const at = this.#offset;
    if (length > this.#end - at) throw new Failure('PROTOCOL', 'a FUSE request is too short');
    this.#offset = at + length;
    return at;
  }
}

/** Writes one message into a buffer of a fixed size. */
export class Writer {
  #buffer: Buffer;
  #offset = 0;

  constructor(buffer: Buffer) {
    this.#buffer = buffer;
  }

  /** Starts over at an offset of the buffer. */
  seek(offset: number): this {
    this.#offset = offset;
    return this;
  }

  get buffer(): Buffer {
    return this.#buffer;
  }

  /** Bytes from the start of the buffer to the cursor. */
  get length(): number {
    return this.#offset;
  }

  /** Bytes that still fit. */
  get room(): number {
    return this.#buffer.length - this.#offset;
  }

  u16(value: number): void {
    this.#offset = this.#buffer.writeUInt16LE(value, this.#offset);
  }

  u32(value: number): void {
    this.#offset = this.#buffer.writeUInt32LE(value, this.#offset);
  }

  i32(value: number): void {
    this.#offset = this.#buffer.writeInt32LE(value, this.#offset);
  }

  /** A whole number of 0..2^53-1. */
  u64(value: number): void {
    const high = Math.floor(value / TWO_32);
    this.#buffer.writeUInt32LE(value - high * TWO_32, this.#offset);
    this.#offset = this.#buffer.writeUInt32LE(high, this.#offset + 4);
  }

  u64Big(value: bigint): void {
    this.#offset = this.#buffer.writeBigUInt64LE(value, this.#offset);
  }

  /** A whole number within 2^53 either way. */
  i64(value: number): void {
    const high = Math.floor(value / TWO_32);
    this.#buffer.writeUInt32LE(value - high * TWO_32, this.#offset);
    this.#offset = this.#buffer.writeInt32LE(high, this.#offset + 4);
  }

  bytes(source: Buffer): void {
    if (source.length > this.room) throw new RangeError('a FUSE message does not fit its buffer');
    source.copy(this.#buffer, this.#offset);
    this.#offset += source.length;
  }

  zeros(length: number): void {
    if (length > this.room) throw new RangeError('a FUSE message does not fit its buffer');
    this.#buffer.fill(0, this.#offset, this.#offset + length);
    this.#offset += length;
  }
}
