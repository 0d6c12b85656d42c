/*
 * Records: the unit of encryption. A 4-byte big-endian length, then so many bytes of ciphertext and tag.
 *
 * No I/O: plaintext pieces to bytes (RecordSealer), bytes in any portions to plaintexts (RecordOpener).
 * Invariants:
 * - a nonce is used once: each direction counts its records from 0, and after RECORDS_PER_KEY of them goes on with
 *   REKEY(key) and 0 (Noise specification, section 4.2);
 * - a length is checked against the limit before memory is taken for it;
 * - records are opened where they are: in the chunk if they are wholly inside, else in one buffer that
 *   collects them. So a plaintext is a view, valid until the next call.
 */
import { NONCE_LENGTH, TAG_LENGTH, writeNonce, type AeadKey, type AeadProvider } from './aead.js';
import type { SuiteName } from './aead.js';
import { giveBuffer, RECORD_OVERHEAD, takeBuffer } from './buffer-pool.js';
import { Failure } from '../failure.js';
import { RECORDS_PER_KEY } from '../limits.js';
import { rekey } from './rekey.js';

const LENGTH_PREFIX = 4;

/** One direction's key and how many records it has sealed. Not shared: whoever gets it owns it. */
export interface DirectionKey {
  readonly suite: SuiteName;
  readonly key: Buffer;
  readonly count: number;
}

/** The cipher of one direction: gives the nonces out in order and changes the key when it is due. */
class DirectionCipher {
  readonly #aead: AeadProvider;
  readonly #suite: SuiteName;
  readonly #nonce = Buffer.alloc(NONCE_LENGTH);
  #key: Buffer;
  #count: number;
  #cipher: AeadKey;

  constructor(aead: AeadProvider, { suite, key, count }: DirectionKey) {
    this.#aead = aead;
    this.#suite = suite;
    this.#key = Buffer.from(key);
    this.#count = count;
    this.#cipher = aead.create(suite, key);
  }

  get cipher(): AeadKey {
    return this.#cipher;
  }

  /** The nonce of the next record; changes the cipher first when the key has done its share. */
  nextNonce(): Buffer {
    if (this.#count >= RECORDS_PER_KEY) {
      const next = rekey(this.#suite, this.#key);
      this.#cipher.dispose();
      this.#key.fill(0);
      this.#key = next;
      this.#cipher = this.#aead.create(this.#suite, next);
      this.#count = 0;
    }
    writeNonce(this.#nonce, this.#suite, this.#count);
    this.#count += 1;
    return this.#nonce;
  }

  /** A copy of the state. */
  save(): DirectionKey {
    return { suite: this.#suite, key: Buffer.from(this.#key), count: this.#count };
  }

  dispose(): void {
    this.#cipher.dispose();
    this.#key.fill(0);
  }
}

/** Seals the records of one direction, in order. */
export class RecordSealer {
  readonly #cipher: DirectionCipher;

  constructor(aead: AeadProvider, key: DirectionKey) {
    this.#cipher = new DirectionCipher(aead, key);
  }

  /** Writes `pieces` (`length` bytes together) as one record to `out` at `offset`; returns the bytes written. */
  seal(pieces: readonly Uint8Array[], length: number, out: Buffer, offset: number): number {
    // The nonce first: it may change the cipher.
    const nonce = this.#cipher.nextNonce();
    out.writeUInt32BE(length + TAG_LENGTH, offset);
    this.#cipher.cipher.seal(nonce, pieces, out, offset + LENGTH_PREFIX);
    return length + RECORD_OVERHEAD;
  }

  save(): DirectionKey {
    return this.#cipher.save();
  }

  dispose(): void {
    this.#cipher.dispose();
  }
}

const NOTHING = Buffer.alloc(0);

/**
 * Opens the records of one direction. `feed` a chunk, then call `next` until it returns undefined: then the
 * chunk is used up; or call `keep` to go on with the rest of the chunk at another time.
 */
export class RecordOpener {
  /** The longest plaintext that is accepted. */
  maxRecord: number;
  readonly #cipher: DirectionCipher;

  /** The chunk under way and the place in it. */
  #chunk: Buffer = NOTHING;
  #offset = 0;

  /** A record that began in an earlier chunk: its prefix, then its body. */
  readonly #prefix = Buffer.alloc(LENGTH_PREFIX);
  #prefixLength = 0;
  #body: Buffer | undefined;
  /** Expected and present bytes of the body. */
  #bodyLength = 0;
  #bodyFilled = 0;

  constructor(aead: AeadProvider, key: DirectionKey, maxRecord: number) {
    this.#cipher = new DirectionCipher(aead, key);
    this.maxRecord = maxRecord;
  }

  /** Adds bytes. They are borrowed until `next` returns undefined or `keep` is called, and are overwritten. */
  feed(chunk: Buffer): void {
    const rest = this.#chunk.length - this.#offset;
    this.#chunk = rest === 0 ? chunk : Buffer.concat([this.#chunk.subarray(this.#offset), chunk]);
    this.#offset = 0;
  }

  /**
   * The plaintext of the next record, or undefined when the bytes do not reach for one. Throws PROTOCOL when a length
   * is out of bounds or a tag wrong; the opener must not be used after.
   */
  next(): Buffer | undefined {
    if (this.#body !== undefined && this.#bodyFilled === this.#bodyLength) this.#releaseBody();
    if (this.#prefixLength > 0) return this.#continueRecord();
    const available = this.#chunk.length - this.#offset;
    if (available >= LENGTH_PREFIX) {
      const length = this.#chunk.readUInt32BE(this.#offset);
      this.#checkLength(length);
      const start = this.#offset + LENGTH_PREFIX;
      if (available >= LENGTH_PREFIX + length) {
        this.#offset = start + length;
        return this.#open(this.#chunk, start, length);
      }
    }
    return available > 0 ? this.#continueRecord() : undefined;
  }

  /** Makes the unused rest of the chunk the opener's own. */
  keep(): void {
    this.#chunk =
      this.#offset < this.#chunk.length ? Buffer.from(this.#chunk.subarray(this.#offset)) : NOTHING;
    this.#offset = 0;
  }

  /** The bytes that were fed and did not become a record: what another opener with the saved key goes on with. */
  leftover(): Buffer {
    const started = this.#body === undefined || this.#bodyFilled < this.#bodyLength;
    return Buffer.concat([
      started ? this.#prefix.subarray(0, this.#prefixLength) : NOTHING,
      started && this.#body !== undefined ? this.#body.subarray(0, this.#bodyFilled) : NOTHING,
      this.#chunk.subarray(this.#offset),
    ]);
  }

  /** Whether the bytes end in the middle of a record. */
  get incomplete(): boolean {
    return this.#prefixLength > 0 || this.#offset < this.#chunk.length;
  }

  save(): DirectionKey {
    return this.#cipher.save();
  }

  dispose(): void {
    this.#cipher.dispose();
    if (this.#body !== undefined) this.#releaseBody();
    this.#chunk = NOTHING;
    this.#offset = 0;
  }

  /** Moves bytes of the chunk to the record that is being collected; opens it when it is complete. */
  #continueRecord(): Buffer | undefined {
    if (this.#prefixLength < LENGTH_PREFIX) {
      this.#prefixLength += this.#take(this.#prefix, this.#prefixLength, LENGTH_PREFIX);
      if (this.#prefixLength < LENGTH_PREFIX) return undefined;
    }
    if (this.#body === undefined) {
      const length = this.#prefix.readUInt32BE(0);
      this.#checkLength(length);
      this.#body = takeBuffer(length);
      this.#bodyLength = length;
    }
    this.#bodyFilled += this.#take(this.#body, this.#bodyFilled, this.#bodyLength);
    if (this.#bodyFilled < this.#bodyLength) return undefined;
    this.#prefixLength = 0;
    return this.#open(this.#body, 0, this.#bodyLength);
  }

  /** Copies from the chunk to target[from, to), as far as it reaches. */
  #take(target: Buffer, from: number, to: number): number {
    const copied = this.#chunk.copy(target, from, this.#offset, this.#offset + to - from);
    this.#offset += copied;
    return copied;
  }

  #open(bytes: Buffer, offset: number, length: number): Buffer {
    const nonce = this.#cipher.nextNonce();
    const opened = this.#cipher.cipher.open(nonce, bytes, offset, length, bytes, offset);
    if (opened < 0) throw new Failure('PROTOCOL', 'a record failed its authentication');
    return bytes.subarray(offset, offset + opened);
  }

  #checkLength(length: number): void {
    if (length <= TAG_LENGTH || length - TAG_LENGTH > this.maxRecord) {
      throw new Failure(
        'PROTOCOL',
        `a record of ${length} bytes: 17 to ${this.maxRecord + TAG_LENGTH} are allowed`,
      );
    }
  }

  #releaseBody(): void {
    if (this.#body !== undefined) giveBuffer(this.#body);
    this.#body = undefined;
    this.#bodyLength = 0;
    this.#bodyFilled = 0;
  }
}
