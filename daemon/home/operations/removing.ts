/*
 * Operations that take names away: UNLINK, RMDIR, RENAME.
 *
 * What a name leads to is looked at first, in the same synchronous stretch: it must be what the operation means, and the
 * last name of a file that nobody keeps gives back its bytes and inode, unless the trash takes the file.
 */
import { Failure } from '../../../protocol/failure.js';
import {
  RENAME_EXCHANGE,
  RENAME_NOREPLACE,
  RENAME_WHITEOUT,
  type Rename,
  type Rmdir,
  type Unlink,
} from '../../../protocol/operations.js';
import type { Timestamp } from '../../../protocol/attributes.js';
import type { Fd } from '../../../posix/fd.js';
import { close } from '../../../posix/files.js';
import { AT_REMOVEDIR, O_PATH, S_IFCHR, S_IFMT } from '../../../posix/flags.js';
import { renameat2, unlinkat } from '../../../posix/names.js';
import { statxFd, type Status } from '../../../posix/status.js';
import type { Use } from '../../../state/ledger.js';
import { statusAt, statusIfAny } from '../disk/confined.js';
import { idOf, isDirectory, isId } from '../disk/file-ids.js';
import type { Directory } from '../files/identities.js';
import { expectedAt, leftOf, type HomeParts, type Lane, type Left } from './operation-parts.js';
import type { ToldStatus } from '../files/owner-record.js';
import type { LostName } from '../leases/unit-changes.js';

const NOTHING: Use = { bytes: 0, files: 0 };

export class Removing {
  readonly #home: HomeParts;

  constructor(home: HomeParts) {
    this.#home = home;
  }

  unlink(op: Unlink, lane: Lane): Left {
    const directory = this.#directoryOf(op);
    const before = expectedAt(statusIfAny(directory.fd, op.name), op.id, lane.replay);
    if (before === undefined) return { directories: [directory] };
    if (isDirectory(before)) throw new Failure('EISDIR', 'is a directory');
    lane.account.prepare();
    const removed = this.#removing(directory, op, before, lane, () => unlinkat(directory.fd, op.name, 0));
    lane.client.summary.removed(() => this.#home.identities.pathOf(directory, op.name));
    this.#home.times.ofDirectory(directory, op.time);
    return { ...removed, directories: [directory] };
  }

  rmdir(op: Rmdir, lane: Lane): Left {
    const directory = this.#directoryOf(op);
    const before = expectedAt(statusIfAny(directory.fd, op.name), op.id, lane.replay);
    if (before === undefined) return { directories: [directory] };
    this.#home.places.requireNone(directory, op.name, before);
    lane.account.prepare();
    const freed = this.#home.held.freedBy({ directory: directory.fd, name: op.name, status: before });
    unlinkat(directory.fd, op.name, AT_REMOVEDIR);
    this.#removed(directory, op.name, before, freed, lane);
    lane.client.summary.removed(() => this.#home.identities.pathOf(directory, op.name));
    this.#home.times.ofDirectory(directory, op.time);
    return { directories: [directory], lost: { before, parent: directory.ino, hold: false } };
  }

  rename(op: Rename, lane: Lane): Left {
    const { identities, times } = this.#home;
    const from = this.#directoryOf(op);
    const to = identities.directoryOf(op.newDirectory);
    identities.refuseReserved(to, op.newName, 'new');
    this.#home.places.requireOutside(to);
    const directories = from.ino === to.ino ? [from] : [from, to];
    const target = statusIfAny(to.fd, op.newName);
    const source = expectedAt(statusIfAny(from.fd, op.name), op.id, lane.replay);
    const whiteout = (op.flags & RENAME_WHITEOUT) !== 0;
    if (source === undefined || (whiteout && lane.replay && isWhiteout(source))) {
      return { file: this.#renamedBefore(op, to, target), directories };
    }
    this.#requireReplaced(op, source, target, lane);
    this.#home.places.requireNone(from, op.name, source);
    if (target !== undefined) this.#home.places.requireNone(to, op.newName, target);
    this.#home.held.freeing.requireIdle(source.ino);
    lane.account.prepare();
    if (isDirectory(source)) times.settle(source.ino);
    const move = (): void => renameat2(from.fd, op.name, to.fd, op.newName, op.flags);
    const rename = whiteout ? (): void => this.#leavingWhiteout(op.name, from, source, lane, move) : move;
    let lost: LostName | undefined;
    if (target === undefined) {
      rename();
    } else if ((op.flags & RENAME_EXCHANGE) !== 0) {
      if (isDirectory(target)) times.settle(target.ino);
      rename();
      identities.learn(target, from.ino, op.name);
      this.#home.moved(target.ino);
      times.shown(statusAt(from.fd, op.name), op.time);
    } else if (target.ino === source.ino) {
      return this.#renameToItself(op, from, source, directories, lane, rename);
    } else {
      const replaced = { name: op.newName, hold: op.hold, time: op.time };
      ({ lost } = this.#removing(to, replaced, target, lane, rename));
    }
    lane.client.summary.renamed(
      () => identities.pathOf(from, op.name),
      () => identities.pathOf(to, op.newName),
    );
    identities.learn(source, to.ino, op.newName);
    this.#home.moved(source.ino);
    for (const directory of directories) times.ofDirectory(directory, op.time);
    const status = times.shown(statusAt(to.fd, op.newName), op.time);
    return { file: leftOf(this.#home, { directory: to.fd, name: op.newName, status }), directories, lost };
  }

  /** Runs a rename that leaves a whiteout where the file was, unless nothing happens. EDQUOT. */
  #leavingWhiteout(name: Buffer, from: Directory, source: Status, lane: Lane, move: () => void): void {
    lane.account.reserve(0, 1);
    let made: Status | undefined;
    try {
      move();
      made = statusIfAny(from.fd, name);
    } finally {
      if (made === undefined || made.ino === source.ino) lane.account.release(0, 1);
      else this.#home.identities.learn(made, from.ino, name);
    }
  }

  #directoryOf({ directory, name }: Unlink | Rmdir | Rename): Directory {
    const found = this.#home.identities.directoryOf(directory);
    this.#home.identities.refuseReserved(found, name, 'existing');
    return found;
  }

  /** Both names lead to one file: nothing happens (rename(2)), unless a replay has made the old name again. */
  #renameToItself(
    op: Rename,
    from: Directory,
    source: Status,
    directories: readonly Directory[],
    lane: Lane,
    rename: () => void,
  ): Left {
    if (!this.#isLogAgain(lane) || isDirectory(source)) {
      rename();
      return { file: leftOf(this.#home, { directory: from.fd, name: op.name, status: source }), directories };
    }
    const taken = { name: op.name, hold: false, time: op.time };
    const removed = this.#removing(from, taken, source, lane, () => unlinkat(from.fd, op.name, 0));
    return { ...removed, directories };
  }

  /** What comes before this operation in its log was done again, too: names are there that it took away. */
  #isLogAgain({ replay }: Lane): boolean {
    return replay && this.#home.times.inBatch;
  }

  #renamedBefore({ id, newName }: Rename, to: Directory, target: Status | undefined): ToldStatus | undefined {
    const isThere = target !== undefined && id !== null && isId(target, id);
    return isThere ? leftOf(this.#home, { directory: to.fd, name: newName, status: target }) : undefined;
  }

  /** Refuses a rename over what it does not expect. EEXIST, ESTALE. */
  #requireReplaced(op: Rename, source: Status, target: Status | undefined, lane: Lane): void {
    if (target === undefined || op.id === null || this.#isLogAgain(lane)) return;
    if ((op.flags & RENAME_NOREPLACE) !== 0) throw new Failure('EEXIST', 'the name exists');
    const expected = op.replaced ?? idOf(source);
    if (!isId(target, expected)) throw new Failure('ESTALE', 'the new name leads to another file');
  }

  /**
   * Runs a call that takes away a name of a file, or of a directory that is empty. Left is the file's status, if something
   * else leads to it.
   */
  #removing(
    directory: Directory,
    { name, hold, time }: { name: Buffer; hold: boolean; time: Timestamp | null },
    before: Status,
    lane: Lane,
    remove: () => void,
  ): Pick<Left, 'file' | 'lost'> {
    const { held, times, trash } = this.#home;
    const lost = { before, parent: directory.ino, hold };
    held.freeing.requireIdle(before.ino);
    const located = { directory: directory.fd, parent: directory.ino, name, status: before };
    if (hold) {
      if (times.inBatch) lane.client.held.holdRemoved(located);
      else lane.client.held.hold(located);
    }
    // What a log is about was leased to its client alone.
    if (!times.inBatch) held.removing(located);
    const untake = trash.take(directory, name, before);
    const room = untake === undefined ? held.freedBy(located) : NOTHING;
    const kept = held.find(idOf(before));
    const other = kept === undefined && before.nlink > 1 ? this.#pin(directory, name, before) : undefined;
    const freed = (kept ?? untake) === undefined ? held.freeing.open(located) : undefined;
    try {
      undoing(untake, remove);
      this.#removed(directory, name, before, room, lane, untake !== undefined);
      const left = kept ?? other;
      if (left === undefined) return { lost };
      return { file: leftOf(this.#home, { fd: left, status: times.shown(statxFd(left), time) }), lost };
    } finally {
      if (other !== undefined) close(other);
      if (freed !== undefined) held.freeing.close(freed);
    }
  }

  /** A descriptor of a file that has another name, of no directory. */
  #pin(directory: Directory, name: Buffer, status: Status): Fd | undefined {
    return isDirectory(status) ? undefined : this.#home.tree.openAt(directory.fd, name, O_PATH);
  }

  #removed(
    directory: Directory,
    name: Buffer,
    before: Status,
    freed: Use,
    lane: Lane,
    isTrashed = false,
  ): void {
    lane.account.release(freed.bytes, freed.files);
    const isGone = isDirectory(before) || (before.nlink <= 1 && !isTrashed);
    if (isGone && !this.#home.held.isHeld(before.ino)) this.#home.owners.removed(before);
    this.#home.identities.removed(before, directory.ino, name);
    this.#home.moved(before.ino);
  }
}

/** Takes a name away; where that fails, the trash gives back what it has taken. */
function undoing(untake: (() => void) | undefined, remove: () => void): void {
  try {
    remove();
  } catch (error) {
    untake?.();
    throw error;
  }
}

/** What overlayfs takes for a name that was removed: a device of number 0, which opens nothing. */
function isWhiteout({ mode, rdev }: Status): boolean {
  return (mode & S_IFMT) === S_IFCHR && rdev === 0;
}
