/*
 * Which parts of an open file are holes, as its file system tells (SEEK_DATA, SEEK_HOLE); what lies in them need not be read.
 *
 * Holes that are short count as data: between a thousand of them nobody gains by going round each.
 */
import { PosixError } from './error.js';
import type { Fd } from './fd.js';
import { lseek } from './files.js';
import { SEEK_DATA, SEEK_HOLE } from './flags.js';

/** What is at a position of a file, up to `end`, or beyond. */
export interface Run {
  readonly end: number;
  readonly isHole: boolean;
}

const SHORT_HOLE = 64 * 1024;
/** So much data is enough to be told at once: what is behind it need not be looked at. */
const LONG_RUN = 256 * 1024;

export class FileRuns {
  readonly #fd: Fd;
  /** What was told last, and from where on. */
  #start = 0;
  #run: Run = { end: 0, isHole: false };

  constructor(fd: Fd) {
    this.#fd = fd;
  }

  /** The last hole is endless, and so are the data where the file system tells no holes. */
  at(position: number): Run {
    if (position < this.#start || position >= this.#run.end) {
      this.#run = this.#find(position);
      this.#start = position;
    }
    return this.#run;
  }

  #find(position: number): Run {
    const first = this.#ask(position);
    if (isLongHole(first, position)) return first;
    let { end } = first;
    while (end - position < LONG_RUN) {
      const next = this.#ask(end);
      if (isLongHole(next, end)) break;
      ({ end } = next);
    }
    return { end, isHole: false };
  }

  #ask(position: number): Run {
    const data = this.#seek(position, SEEK_DATA) ?? Infinity;
    if (data > position) return { end: data, isHole: true };
    return { end: this.#seek(position, SEEK_HOLE) ?? Infinity, isHole: false };
  }

  /** Undefined where there is none. */
  #seek(position: number, whence: number): number | undefined {
    try {
      return lseek(this.#fd, position, whence);
    } catch (error) {
      if (!(error instanceof PosixError)) throw error;
      if (error.code === 'ENXIO') return undefined;
      // It tells no holes.
      if (error.code === 'EINVAL') return whence === SEEK_DATA ? position : undefined;
      throw error;
    }
  }
}

function isLongHole({ end, isHole }: Run, start: number): boolean {
  return isHole && end - start >= SHORT_HOLE;
}
