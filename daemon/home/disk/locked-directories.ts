/*
 * Directories whose mode locks the daemon out, which owns them and is no superuser: opened to their owner for as long as a walk is
 * in what is below them, so to nobody else. A daemon that is killed meanwhile leaves them so.
 */
import { PosixError } from '../../../posix/error.js';
import type { Fd } from '../../../posix/fd.js';
import { O_PATH, PERMISSIONS } from '../../../posix/flags.js';
import { chmodOpen } from '../../../posix/names.js';
import { statxFd } from '../../../posix/status.js';
import { statusAt } from './confined.js';
import type { Step, WayDown } from './way-down.js';

const OWNER_READS_AND_SEARCHES = 0o500;
const ITSELF = Buffer.from('.');

interface Unlocked {
  readonly step: Step;
  readonly mode: number;
  /** How many directories were left to be walked when it was entered: as many are when all below it are done. */
  readonly left: number;
}

export class LockedDirectories {
  readonly #way: WayDown;
  /** Each is below the one before. */
  readonly #unlocked: Unlocked[] = [];

  constructor(way: WayDown) {
    this.#way = way;
  }

  /** As WayDown.enter(): of a directory that can be read and searched. `left`: how many are to be walked after it. */
  enter(step: Step, left: number): Fd {
    try {
      return this.#enter(step);
    } catch (error) {
      if (!(error instanceof PosixError) || error.code !== 'EACCES') throw error;
    }
    this.#way.leave(step);
    const mode = statxFd(this.#way.enter(step, O_PATH)).mode & PERMISSIONS;
    this.#way.leave(step);
    this.#setMode(step, mode | OWNER_READS_AND_SEARCHES);
    this.#unlocked.push({ step, mode, left });
    return this.#enter(step);
  }

  /** Locks those of which all that is below was walked, as so many are left. */
  lock(left: number): void {
    for (;;) {
      const last = this.#unlocked.at(-1);
      if (last === undefined || last.left < left) return;
      this.#unlocked.pop();
      this.#way.leave(last.step);
      try {
        this.#setMode(last.step, last.mode);
      } catch (error) {
        // It is gone, or another's by now.
        if (!(error instanceof PosixError)) throw error;
      }
    }
  }

  #enter(step: Step): Fd {
    const directory = this.#way.enter(step);
    statusAt(directory, ITSELF);
    return directory;
  }

  #setMode(step: Step, mode: number): void {
    chmodOpen(this.#way.enter(step, O_PATH), mode);
    this.#way.leave(step);
  }
}
