/*
 * The MD5 of a file that goes by in pieces: on the thread pool, in the order of the pieces.
 *
 * Small pieces are hashed at once: MD5 runs at some 740 MB/s, and a thread's wake-up costs as much as 32 KiB of it.
 */
import type { Fd } from '../../../posix/fd.js';
import type { FileRuns } from '../../../posix/file-runs.js';
import { Md5 } from '../../../posix/libcrypto.js';
import { MAX_DATA } from '../../../protocol/limits.js';
import { ZEROS } from '../../../protocol/zeros.js';
import { readBorrowed } from './reading.js';

const HASH_AT_ONCE = 32 * 1024;

export class SequentialHash {
  #md5: Md5;
  #hashed: number;
  #running = false;

  /** `md5` has hashed the first `hashed` bytes. */
  constructor(md5: Md5 = new Md5(), hashed = 0) {
    this.#md5 = md5;
    this.#hashed = hashed;
  }

  /** Bytes hashed. */
  get hashed(): number {
    return this.#hashed;
  }

  /** Whether hash() would be done when it returns. */
  isImmediate(length: number): boolean {
    return !this.#running && length <= HASH_AT_ONCE;
  }

  /** Appends buffer[offset, offset + length), of which isImmediate() is true. */
  hashNow(buffer: Buffer, offset: number, length: number): void {
    this.#md5.update(buffer.subarray(offset, offset + length));
    this.#hashed += length;
  }

  /** Appends buffer[offset, offset + length), which must not change until it resolves; one call at a time. */
  async hash(buffer: Buffer, offset: number, length: number): Promise<void> {
    if (this.isImmediate(length)) {
      this.hashNow(buffer, offset, length);
      return;
    }
    this.#running = true;
    try {
      await this.#md5.updateAsync(buffer, offset, length);
      this.#hashed += length;
    } finally {
      this.#running = false;
    }
  }

  digest(): Buffer {
    return this.#md5.digest();
  }

  /** The state of the hash, for Md5.load(). */
  save(): Buffer {
    return this.#md5.save();
  }
}

/**
 * Hashes some more of a file, up to `end`, from where `hash` is; of holes nothing is read. Returns how much that was, in bytes;
 * 0: the file ends there.
 */
export async function hashNext(hash: SequentialHash, fd: Fd, runs: FileRuns, end: number): Promise<number> {
  const { hashed: start } = hash;
  const run = runs.at(start);
  const length = Math.min(MAX_DATA, end - start, run.end - start);
  if (run.isHole) {
    await hash.hash(ZEROS, 0, length);
    return length;
  }
  const { bytes, release } = await readBorrowed(fd, start, length);
  try {
    await hash.hash(bytes, 0, bytes.length);
    return bytes.length;
  } finally {
    release();
  }
}
