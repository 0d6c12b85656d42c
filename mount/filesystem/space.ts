/**
 * statfs(2): the quota of the home and what is free on the server's disk, with what was done here and is on its way.
 */
import { MAX_NAME } from '../../protocol/limits.js';
import type { Result } from '../../protocol/methods.js';
import type { Caller, Eventually, FilesystemStatus } from '../operations.js';
import type { Home } from './home.js';
import { orAfter, PATIENCE_MS } from './patience.js';

/** For how long the server's figures are good, where nothing is done here (milliseconds). */
const GOOD_MS = 1_000;
const BLOCK = 4096;

const UNKNOWN: FilesystemStatus = {
  blockSize: BLOCK,
  blocks: 0n,
  blocksFree: 0n,
  files: 0n,
  filesFree: 0n,
  nameMax: MAX_NAME,
};

interface Figures {
  readonly at: number;
  /** The last operation that is in the answer, or in what the log charged then. */
  readonly lastApplied: number;
  readonly answer: Result<'statfs'>;
}

export class Space {
  readonly #home: Home;
  readonly #now: () => number;
  #figures: Figures | undefined;

  /** `now`: milliseconds, monotonic. */
  constructor(home: Home, now: () => number = () => performance.now()) {
    this.#home = home;
    this.#now = now;
  }

  status(caller: Caller): Eventually<FilesystemStatus> {
    const known = this.#figures;
    if (known !== undefined && this.#good(known)) return this.#shown(known.answer);
    const asked = this.#home.ask(
      'statfs',
      [],
      caller,
      () => [],
      (answer) => {
        this.#figures = { at: this.#now(), lastApplied: this.#home.log.lastApplied, answer };
        return this.#shown(answer);
      },
    );
    return orAfter(PATIENCE_MS, asked, () => (known === undefined ? UNKNOWN : this.#shown(known.answer)));
  }

  /** What was applied meanwhile is no longer charged here, and not in the answer. */
  #good({ at, lastApplied }: Figures): boolean {
    return this.#now() - at < GOOD_MS && lastApplied === this.#home.log.lastApplied;
  }

  #shown([, limit, used, free, maxFiles, usedFiles, freeFiles]: Result<'statfs'>): FilesystemStatus {
    // What the log carries is not counted by the server yet.
    const { charged } = this.#home.log;
    const bytes = Math.max(0, used + charged.bytes);
    const files = Math.max(0, usedFiles + charged.files);
    const left = limit === 0 ? free : Math.min(Math.max(limit - bytes, 0), free);
    const filesLeft = maxFiles === 0 ? freeFiles : Math.min(Math.max(maxFiles - files, 0), freeFiles);
    return {
      blockSize: BLOCK,
      // With a quota the file system is as large as that, whatever the server's disk is.
      blocks: BigInt(Math.floor((limit === 0 ? bytes + free : limit) / BLOCK)),
      blocksFree: BigInt(Math.floor(left / BLOCK)),
      files: BigInt(maxFiles === 0 ? files + freeFiles : maxFiles),
      filesFree: BigInt(filesLeft),
      nameMax: MAX_NAME,
    };
  }
}
