/*
 * Moves a log aside when it has its size or its age: LOG to LOG.1, what was that to LOG.2, and so on; the oldest goes. By names
 * alone: who has the file open meanwhile (ftpctl, for a line of manager.log) writes that line into what was moved.
 *
 * Invariant: never throws. What cannot be moved is said once, written on, and looked at again.
 */
import { closeSync, existsSync, openSync, readSync, renameSync, rmSync, statSync } from 'node:fs';
import { formerLog } from '../state/directory.js';
import type { Config } from './config.js';

/** How often all logs are looked at (milliseconds). */
const LOOK_MS = 60_000;
/** Bytes at the start of a log within which its first line tells its time. */
const HEAD_BYTES = 256;
const MIB = 1024 * 1024;
const DAY_MS = 86_400_000;

export interface RotationLimits {
  readonly maxBytes: number;
  /** Milliseconds since the log's first line. */
  readonly maxAgeMs: number;
  /** How many former ones are kept. */
  readonly keep: number;
}

export function rotationLimits(config: Config): RotationLimits {
  return {
    maxBytes: config['log-max-size'] * MIB,
    maxAgeMs: config['log-max-age'] * DAY_MS,
    keep: config['log-keep'],
  };
}

export class LogRotation {
  #limits: RotationLimits;
  readonly #looks: (() => void)[] = [];
  /** By path: why a log could not be moved when it was last looked at. */
  readonly #failed = new Map<string, unknown>();
  #tell: (path: string, error: unknown) => void = () => undefined;

  constructor(limits: RotationLimits) {
    this.#limits = limits;
    setInterval(() => this.#lookAtAll(), LOOK_MS).unref();
  }

  get maxBytes(): number {
    return this.#limits.maxBytes;
  }

  setLimits(limits: RotationLimits): void {
    this.#limits = limits;
    this.#lookAtAll();
  }

  /** `tell` hears of each log that cannot be moved, once until it can again. */
  onFailed(tell: (path: string, error: unknown) => void): void {
    this.#tell = tell;
    for (const [path, error] of this.#failed) tell(path, error);
  }

  /** Looks at this log now and each minute. `onMoved`: there is none at that path any more, whoever took it away. */
  watch(path: string, onMoved: () => void = () => undefined): void {
    const look = (): void => this.look(path, onMoved);
    this.#looks.push(look);
    look();
  }

  look(path: string, onMoved: () => void): void {
    try {
      if (this.#isDue(path)) this.#moveAside(path);
      this.#failed.delete(path);
      if (!existsSync(path)) onMoved();
    } catch (error) {
      const isNews = !this.#failed.has(path);
      this.#failed.set(path, error);
      if (isNews) this.#tell(path, error);
    }
  }

  #lookAtAll(): void {
    for (const look of this.#looks) look();
  }

  #isDue(path: string): boolean {
    const status = statSync(path, { throwIfNoEntry: false });
    if (status?.isFile() !== true || status.size === 0) return false;
    return status.size >= this.#limits.maxBytes || Date.now() - beginningOf(path) >= this.#limits.maxAgeMs;
  }

  #moveAside(path: string): void {
    const { keep } = this.#limits;
    // The oldest, and what was kept when more were.
    for (let number = Math.max(keep, 1); existsSync(formerLog(path, number)); number++) {
      rmSync(formerLog(path, number));
    }
    for (let number = keep - 1; number > 0; number--) {
      const former = formerLog(path, number);
      if (existsSync(former)) renameSync(former, formerLog(path, number + 1));
    }
    if (keep === 0) rmSync(path);
    else renameSync(path, formerLog(path, 1));
  }
}

/** When the first line of a log was written (milliseconds since 1970); now where it does not say. */
function beginningOf(path: string): number {
  const file = openSync(path, 'r');
  try {
    const head = Buffer.alloc(HEAD_BYTES);
    const length = readSync(file, head);
    const time = /"time":"([^"]+)"/.exec(head.toString('latin1', 0, length))?.[1];
    const beginning = Date.parse(time ?? '');
    return Number.isNaN(beginning) ? Date.now() : beginning;
  } finally {
    closeSync(file);
  }
}
