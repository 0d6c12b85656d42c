/*
 * The last close of a file without a name, which gives back its blocks: for a file of 80,000 extents that takes 4 s of who
 * closes it, so large ones are closed on another thread (disk-threads.ts), one of a home after the other.
 *
 * A name is taken away from a large file while it is open for this: then unlink(2) and rename(2) free nothing themselves. Their
 * room is given back to the quota at once, and to the disk a moment later: who meets a full disk meanwhile waits for it. What is
 * cut off a file is emptied there first, while whoever changes it waits: the kernel would have this thread wait. Until it is cut,
 * who reads that part may see zeros.
 */
import type { Fd } from '../../../posix/fd.js';
import { close, dup } from '../../../posix/files.js';
import { O_PATH } from '../../../posix/flags.js';
import { statxFd, type Status } from '../../../posix/status.js';
import { Failure } from '../../../protocol/failure.js';
import type { ConfinedTree } from './confined.js';
import { isRegular } from './file-ids.js';
import type { Named } from './located.js';
import type { DiskPlace } from './disk-calls.js';
import { onDiskThread } from './disk-threads.js';
import { Unfinished } from '../calls/unfinished.js';

/** Bytes of a file that take no longer to give back than some 4 ms: of 64 extents of a block each, at worst. */
const FREED_AT_ONCE = 256 * 1024;

export class Freeing {
  readonly #tree: Pick<ConfinedTree, 'openAt' | 'requireDescriptor'>;
  /** Files of which a part is being emptied. */
  readonly #emptying = new Map<bigint, Promise<void>>();
  /** Of which one was emptied in this turn. */
  readonly #emptied = new Set<bigint>();
  /** Until all that is given back now is with the disk; undefined: nothing is. Never rejects. */
  #busy: Promise<void> | undefined;
  /** Gives back some of what the disk could have, in this turn: until others are over; undefined: there is nothing. */
  reclaim: () => Promise<void> | undefined = () => undefined;

  constructor(tree: Pick<ConfinedTree, 'openAt' | 'requireDescriptor'>) {
    this.#tree = tree;
  }

  /** To be called before the last name of a file is removed; what it returns, if anything, is to be closed after. */
  open({ directory, name, status }: Named): Fd | undefined {
    if (!isLong(status) || status.nlink > 1) return undefined;
    try {
      this.#tree.requireDescriptor();
      return this.#tree.openAt(directory, name, O_PATH);
    } catch {
      return undefined; // Then it is freed at once: no removal fails for this.
    }
  }

  /** Closes a file that may have lost its last name. */
  close(fd: Fd): void {
    const status = statxFd(fd);
    if (!isLong(status) || status.nlink > 0) return close(fd);
    void this.#giveBack('close', fd);
  }

  /** Does `work`, which may be done twice. Unfinished: the disk is full, and there is more room soon. */
  whenFull<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (Failure.from(error).kind !== 'ENOSPC') throw error;
      const until = this.#busy ?? this.reclaim();
      throw until === undefined ? error : new Unfinished(until);
    }
  }

  /** To be called before a file is changed, or loses a name. Unfinished: a part of it is being emptied. */
  requireIdle(ino: bigint): void {
    const until = this.#emptying.get(ino);
    if (until !== undefined) throw new Unfinished(until);
  }

  /** To be called before a file that is open for writing is cut to a size. Unfinished: what is beyond is being emptied. */
  requireEmpty(fd: Fd, { ino, size: end }: Status, size: number): void {
    if (end - size <= FREED_AT_ONCE || this.#emptied.delete(ino)) return;
    const own = dup(fd);
    const until = this.#giveBack('empty', own, { offset: size, end }).then(() => {
      this.close(own);
      this.#emptying.delete(ino);
      this.#emptied.add(ino);
      setImmediate(() => setImmediate(() => this.#emptied.delete(ino)));
    });
    this.#emptying.set(ino, until);
    throw new Unfinished(until);
  }

  /** Never rejects: a descriptor is gone whatever close(2) says, and where the disk cannot empty it cuts the file as it is. */
  #giveBack(...[call, fd, range]: [call: 'close' | 'empty', fd: Fd, range?: DiskPlace]): Promise<void> {
    const given = onDiskThread(this, call, fd, range).catch(() => undefined);
    this.#busy = given;
    void given.then(() => {
      if (this.#busy === given) this.#busy = undefined;
    });
    return given;
  }
}

function isLong(status: Status): boolean {
  return isRegular(status) && status.size > FREED_AT_ONCE;
}
