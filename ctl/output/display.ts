/**
 * What shows the progress of transfers: bars on a terminal (bars.ts), lines elsewhere (lines.ts), or nothing (progress.ts).
 */
import type { TransferObserver } from '../transfer/transfer.js';

/** One file that is being moved. */
export interface FileProgress extends TransferObserver {
  /** The transfer ended, well or not; nothing is told after it. */
  ended(): void;
}

/** What a command is about to move. */
export interface Expected {
  readonly files: number;
  readonly bytes: number;
}

/** Where progress is shown. A small file is there at once, and shows only in the total. */
export interface Display {
  file(name: string): FileProgress;
  /** A file was moved whole: so many by now. */
  total(files: number): void;
  /** What all comes to, by which the time that is left is told; absent: nobody has to find that out. */
  expected?(all: Expected): void;
  /** So many of those need not be moved. */
  passed?(bytes: number): void;
  /** A line of its own on standard error. */
  line(text: string): void;
  /** Bytes for standard output. */
  result(bytes: Buffer): void;
  close(): void;
}
