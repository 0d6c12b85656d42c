/**
 * Data written to one place of a file, gathered from consecutive writes until it is sent.
 *
 * The bytes are copied once, into a buffer of the entry's own. They stay where `data` says until the entry is released, or
 * until more is put in, which may move them. A buffer of more than a few KiB is its own and less than three times as long as
 * its data: a bound of the data in the log bounds the memory under them.
 */
import type { Timestamp } from '../../protocol/attributes.js';
import { giveBuffer, takeBuffer } from '../../protocol/transport/buffer-pool.js';
import { MAX_DATA } from '../../protocol/limits.js';
import { WRITE, type Write } from '../../protocol/operations.js';
import { sameId, type FileId } from '../../protocol/references.js';
import { Entry, type Charge } from './entry.js';

/** From here on a buffer has its own memory: shared slabs live as long as the longest-lived of what is in them. */
const OWN_BYTES = 2048;
/** From here on the sizes of the pool are close enough to what is needed. */
const POOLED_BYTES = 32 * 1024;

const NO_BYTES = Buffer.alloc(0);

/** A WRITE that has its data with it. */
interface GatheredWrite extends Write {
  readonly offset: number;
  data: Buffer;
  time: Timestamp | null;
}

export class WriteEntry extends Entry {
  declare readonly operation: GatheredWrite;
  #buffer: Buffer;

  /** Copies `data`, at most MAX_DATA bytes. */
  constructor(file: FileId, offset: number, data: Buffer, time: Timestamp, charge: Charge, since: number) {
    if (data.length > MAX_DATA) throw new RangeError(`a write of ${data.length} bytes`);
    const buffer = allocate(data.length, 0);
    data.copy(buffer);
    const operation: GatheredWrite = {
      kind: WRITE,
      file: { ino: file.ino, birth: file.birth, path: null },
      offset,
      data: buffer.subarray(0, data.length),
      time,
    };
    super(operation, charge, since);
    this.#buffer = buffer;
  }

  get offset(): number {
    return this.operation.offset;
  }

  get data(): Buffer {
    return this.operation.data;
  }

  override get bytes(): number {
    return this.operation.data.length;
  }

  /** Whether these bytes can be put in: right behind what is there, or on it, and all of them. */
  accepts(file: FileId, offset: number, length: number): boolean {
    const at = offset - this.operation.offset;
    const { file: own } = this.operation;
    return at >= 0 && at <= this.bytes && at + length <= MAX_DATA && own.ino !== null && sameId(own, file);
  }

  /** Copies bytes that it accepts. */
  put(offset: number, data: Buffer, time: Timestamp): void {
    const { operation } = this;
    const at = offset - operation.offset;
    const end = Math.max(at + data.length, this.bytes);
    if (end > this.#buffer.length) this.#grow(end);
    data.copy(this.#buffer, at);
    if (end > this.bytes) operation.data = this.#buffer.subarray(0, end);
    operation.time = time;
  }

  override release(): void {
    this.operation.data = NO_BYTES;
    giveBuffer(this.#buffer);
    this.#buffer = NO_BYTES;
  }

  #grow(needed: number): void {
    const grown = allocate(needed, this.#buffer.length);
    this.operation.data.copy(grown);
    giveBuffer(this.#buffer);
    this.#buffer = grown;
  }
}

/** A buffer of at least `needed` bytes: exact at first, then twice as long as the one before, then what the pool has. */
function allocate(needed: number, before: number): Buffer {
  if (needed >= POOLED_BYTES) return takeBuffer(needed);
  const length = Math.max(needed, Math.min(2 * before, POOLED_BYTES - 1));
  return length < OWN_BYTES ? Buffer.allocUnsafe(length) : Buffer.allocUnsafeSlow(length);
}
