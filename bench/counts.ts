/*
 * How much the workloads do: on loopback all of it, at a distance a tenth, as sshfs takes minutes for each thousand files
 * there. The whole is what ../shared/bench measures the project by.
 */

const KiB = 1024;
const MiB = 1024 * KiB;
const GiB = 1024 * MiB;

/** One block of sequential reading and writing. */
export const BLOCK = 1 * MiB;
/** One block of small reads and writes. */
export const SMALL_BLOCK = 4 * KiB;
/** Content of each of `files`. */
export const FILE_BYTES = 1 * KiB;
/** Bytes of the file for put and get, whatever the scale. */
export const LARGE = 1 * GiB;

export interface Counts {
  /** Bytes of the file that is written and read in one piece, and read at random. */
  readonly big: number;
  readonly randomReads: number;
  readonly smallWrites: number;
  /** Files that are created, and looked at. */
  readonly files: number;
  readonly transactions: number;
  /** How often two mounts pass something to each other. */
  readonly passes: number;
  /** Files of SMALL_BLOCK that are put and got. */
  readonly many: number;
  /** Entries of the tree that is untarred, listed, read, committed and removed. */
  readonly entries: number;
}

/** The counts for a share of the whole, above 0; `entries` where another tree is wanted. */
export function countsFor(scale: number, entries?: number): Counts {
  const share = (whole: number): number => Math.max(1, Math.round(whole * scale));
  return {
    big: share(256) * BLOCK,
    randomReads: share(500),
    smallWrites: share(4096),
    files: share(1000),
    transactions: share(100),
    passes: share(200),
    many: share(2000),
    entries: entries ?? share(1731),
  };
}
