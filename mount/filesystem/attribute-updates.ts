/**
 * Changes of attributes: owner, mode, size and times of whatever has some. Round trips: none under a lease, else one. Of a
 * removed directory, or FIFO, nobody else sees them, and the server has it no more: they are changed here.
 */
import type { Timestamp } from '../../protocol/attributes.js';
import { Failure } from '../../protocol/failure.js';
import { SETATTR } from '../../protocol/operations.js';
import { limitedTime } from '../../protocol/time-limits.js';
import type { AttributeChanges, AttributesAnswer, Caller, Eventually } from '../operations.js';
import { interruptible } from '../remote/interruption.js';
import type { Inode } from '../tree/inode.js';
import type { FileData } from './file-data.js';
import type { Home } from './home.js';

export class AttributeUpdates {
  readonly #home: Home;
  readonly #data: FileData;

  constructor(home: Home, data: FileData) {
    this.#home = home;
    this.#data = data;
  }

  set(inode: Inode, changes: AttributeChanges, caller: Caller): Eventually<AttributesAnswer> {
    const { tree } = this.#home;
    const { size } = changes;
    if (inode.isGone) return this.#changeHere(inode, changes);
    if (size !== undefined && size > this.#home.largestFile) throw new Failure('EFBIG');
    if (!tree.mayChange(inode)) return this.#ask(inode, changes, caller);
    const growth = size === undefined ? 0 : Math.max(0, size - inode.attributes.size);
    const wait = this.#home.room({ bytes: growth, files: 0 });
    if (wait !== undefined) {
      return interruptible(this.#home.remote.bounded(wait), caller).then(
        () => this.set(inode, changes, caller),
        (failure: unknown) => {
          // A hole may be larger than what can be set aside: whether a disk takes it only that disk knows (EFBIG).
          if (growth === 0 || Failure.from(failure).kind !== 'EDQUOT') throw failure;
          return this.#ask(inode, changes, caller);
        },
      );
    }
    const time = this.#home.clock.now();
    const own = this.#own(inode, changes, time);
    const charge = tree.setattr(inode, own, time);
    if (size !== undefined) this.#data.truncated(inode, size);
    const { ino, birth } = inode.id;
    const entry = this.#home.append(
      { ...own, kind: SETATTR, file: { ino, birth, path: null }, time },
      charge,
      [inode],
    );
    return this.#home.answered(entry, this.#answer(inode), caller);
  }

  #answer(inode: Inode): AttributesAnswer {
    const answer = this.#home.kernel.attributes(inode);
    return inode.isGone ? answer : this.#home.takenIn(answer);
  }

  /** atime becomes now, and nothing else moves; of what may be changed here. Not where the log is full: nobody waits for it. */
  accessed(inode: Inode): void {
    const { tree, log, clock } = this.#home;
    if (inode.isGone || log.room() !== undefined) return;
    const { ino, birth } = inode.id;
    const time = inode.attributes.ctime;
    const own = this.#own(inode, { atime: 'now' }, clock.now());
    const charge = tree.setattr(inode, own, time);
    this.#home.append({ ...own, kind: SETATTR, file: { ino, birth, path: null }, time }, charge, [inode]);
  }

  #own(inode: Inode, { mode, size, atime, mtime, ...owner }: AttributeChanges, time: Timestamp) {
    const { limits } = this.#home.clock;
    const onDisk = (wanted: Timestamp | 'now' | undefined): Timestamp | null =>
      wanted === 'now' ? time : wanted === undefined ? null : limitedTime(wanted, limits);
    const { uid = null, gid = null } = inode.attributes.owner === null ? {} : owner;
    return {
      ...{ uid, gid },
      mode: mode === undefined ? null : mode & 0o7777,
      size: size ?? null,
      atime: onDisk(atime),
      mtime: onDisk(mtime),
    };
  }

  #changeHere(inode: Inode, changes: AttributeChanges): AttributesAnswer {
    const time = this.#home.clock.now();
    this.#home.tree.setattr(inode, this.#own(inode, changes, time), time);
    return this.#home.kernel.attributes(inode);
  }

  #ask(inode: Inode, changes: AttributeChanges, caller: Caller): Promise<AttributesAnswer> {
    const { tree, kernel } = this.#home;
    const { mode, size, atime = null, mtime = null } = changes;
    const { uid = null, gid = null } = inode.attributes.owner === null ? {} : changes;
    if (size !== undefined) this.#data.awaited(inode);
    const changed = this.#home.change(
      [inode],
      caller,
      () => ({
        kind: SETATTR,
        ...{ file: tree.refOf(inode), time: null, atime, mtime },
        ...{ mode: mode === undefined ? null : mode & 0o7777, size: size ?? null, uid, gid },
      }),
      ([left]) => {
        if (left !== undefined) tree.told(inode, left);
        if (size !== undefined) this.#data.awaited(inode);
        return this.#answer(inode);
      },
    );
    return changed.catch((thrown: unknown) => {
      if (this.#home.vanished(inode, thrown)) return this.#changeHere(inode, changes);
      // It is gone since the kernel was told of it, for the same truncate(2): a disk would change it, and nobody would see that.
      if (Failure.from(thrown).kind !== 'ESTALE' || inode.opens > 0) throw thrown;
      return kernel.attributes(inode);
    });
  }
}
