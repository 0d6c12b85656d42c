/*
 * Room on the disk for what is written to the state, taken ahead, as blocks beyond the end of lmdb's file: lmdb 3.5 damages the
 * heap of its process in one of eight writes that a full disk refuses, so it is given none that could be.
 *
 * Invariant: before a write there are LEAST_BYTES that no other program can take. So accounts can be changed, and what was
 * changed in homes be recorded, for a while on a disk that is full; where that is used up, writes are refused here.
 * A disk that cannot take room ahead (NFS) is asked how much is free.
 */
import { closeSync, constants, fstatSync, openSync, statfsSync } from 'node:fs';
import { Failure } from '../protocol/failure.js';
import { PosixError } from '../posix/error.js';
import { fd } from '../posix/fd.js';
import { fallocate } from '../posix/files.js';
import { FALLOC_FL_KEEP_SIZE } from '../posix/flags.js';

const BLOCK = 512;
/** Taken ahead: more than a thousand changes. */
const ROOM_BYTES = 1024 * 1024;
/** What the changes of one transaction take at most, by far. */
const LEAST_BYTES = 128 * 1024;

export class Room {
  readonly #path: string;
  readonly #file: number;

  /** Of an existing file. */
  constructor(path: string) {
    this.#path = path;
    this.#file = openSync(path, constants.O_WRONLY);
  }

  /** To be called before each write; `more`: bytes beyond LEAST_BYTES that it may take. ENOSPC: nothing may be written. */
  require(more = 0): void {
    const { size, blocks } = fstatSync(this.#file);
    const ahead = blocks * BLOCK - size;
    if (ahead >= ROOM_BYTES / 2 + more || this.#take(size, ROOM_BYTES + more)) return;
    if (ahead >= LEAST_BYTES + more || this.#take(size, LEAST_BYTES + more)) return;
    throw new Failure('ENOSPC', "the disk of the server's state is full");
  }

  close(): void {
    closeSync(this.#file);
  }

  /** Whether the file has that many bytes of the disk beyond its size; and up to it, for what was never written may have none either. */
  #take(size: number, more: number): boolean {
    try {
      fallocate(fd(this.#file), FALLOC_FL_KEEP_SIZE, 0, size + more);
      return true;
    } catch (error) {
      if (!(error instanceof PosixError)) throw error;
      if (error.code === 'EOPNOTSUPP') return this.#isFree(more);
      if (error.code === 'ENOSPC' || error.code === 'EDQUOT') return false;
      throw Failure.from(error);
    }
  }

  /** Whether the disk has that many bytes for anybody. */
  #isFree(bytes: number): boolean {
    const { bavail, bsize } = statfsSync(this.#path);
    return bavail * bsize >= bytes;
  }
}
