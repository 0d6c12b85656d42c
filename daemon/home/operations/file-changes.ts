/*
 * Operations on a file itself: SETATTR, WRITE, ALLOCATE and COPY.
 *
 * The size comes first, for it may be refused (EDQUOT) and changes the times; nothing else is then changed. Of a write what
 * fits the quota is written, and of one that meets a full disk what the disk took; then it is told (ShortWrite). Of a COPY as
 * well, and of an ALLOCATE as much as takes some milliseconds: it is told where they stopped. The mode of
 * the home itself stays as the daemon made it (0700) whatever is asked, and that is no error, as tar and rsync set the mode of
 * the directory they unpack to. Set-id bits reach the disk of no file.
 */
import { Failure } from '../../../protocol/failure.js';
import {
  ALLOCATE_KEEP_SIZE,
  ALLOCATE_PUNCH_HOLE,
  type Allocate,
  type Copy,
  type SetAttributes,
  type Write,
} from '../../../protocol/operations.js';
import type { FileRef } from '../../../protocol/references.js';
import type { Fd } from '../../../posix/fd.js';
import { copyFileRange, fallocate, fchmod, ftruncate, pwrite } from '../../../posix/files.js';
import { S_IFLNK, S_IFMT, S_ISGID, S_ISUID } from '../../../posix/flags.js';
import { chownToOwner } from '../../../posix/names.js';
import { fstatfs, statxFd, type Status } from '../../../posix/status.js';
import { isDirectory, isRegular } from '../disk/file-ids.js';
import { chargingSize } from '../quota/growth.js';
import type { Located } from '../disk/located.js';
import { chmod } from '../disk/modes.js';
import { leftOf, type HomeParts, type Lane, type Left } from './operation-parts.js';
import { withoutSetId, type ToldStatus } from '../files/owner-record.js';
import type { Account } from '../quota/quota.js';
import { RangeSteps } from '../disk/range-steps.js';

const NO_NAME = Buffer.alloc(0);
const SET_ID = S_ISUID | S_ISGID;

/** Some of a write was written, as the size of the file tells, and for the rest there was no room. */
export class ShortWrite extends Failure {
  readonly file: ToldStatus;

  constructor({ kind, message }: Failure, file: ToldStatus) {
    super(kind, message);
    this.file = file;
  }
}

export class FileChanges {
  readonly #home: HomeParts;
  readonly #steps: RangeSteps;

  /** `sliceMs`: for tests. */
  constructor(home: HomeParts, sliceMs?: number) {
    this.#home = home;
    this.#steps = new RangeSteps(sliceMs);
  }

  setAttributes(op: SetAttributes, lane: Lane): Left {
    const { identities, times, owners, held } = this.#home;
    const located = identities.file(op.file);
    held.freeing.requireIdle(located.status.ino);
    lane.account.prepare();
    if (isDirectory(located.status)) times.settle(located.status.ino);
    if (op.size !== null) this.#resize(op, op.size, located, lane);
    if (owners.enabled) this.#setOwner(op, located);
    else if (op.mode !== null && located.status.ino !== identities.root.ino) {
      chmod(located, kept(op.mode, located.status));
    }
    if (changesNothing(op) || (owners.enabled && mayLeaveCtime(op))) touchCtime(located);
    const mtime = op.mtime ?? (op.size === null ? undefined : (op.time ?? undefined));
    const set = { atime: op.atime ?? undefined, mtime, ctime: op.time };
    return { file: leftOf(this.#home, { ...located, status: times.ofLocated(located, set) }) };
  }

  /** Of a file with a virtual owner: the mode is kept beside it, and a change of the owner takes set-id bits (chown(2)). */
  #setOwner({ mode, uid = null, gid = null }: SetAttributes, located: Located): void {
    const { owners } = this.#home;
    const chowns = uid !== null || gid !== null;
    if (mode === null && !chowns) return;
    const before = owners.told(located);
    const type = before.mode & S_IFMT;
    if (mode !== null && type === S_IFLNK) {
      throw new Failure('EOPNOTSUPP', 'a symbolic link has no permissions');
    }
    const kept = chowns ? withoutSetId(before.mode) : before.mode;
    owners.set(located, {
      mode: mode === null ? kept : type | mode,
      uid: uid ?? before.uid,
      gid: gid ?? before.gid,
      rdev: before.rdev,
    });
  }

  /** EISDIR, EINVAL for what is no file; EDQUOT, ENOSPC, EFBIG. ShortWrite where some of it is written. */
  write(op: Write, data: Buffer, lane: Lane): Left {
    const { times } = this.#home;
    const { fd, status: before, account } = this.#writable(op.file, lane);
    if (data.length === 0) return this.#left(fd, before);
    const start = op.offset ?? before.size;
    this.#requireSize(start + 1);
    const end = Math.min(start + data.length, this.#home.largestFile);
    const growth = Math.max(0, end - before.size);
    const fitting = account.fitting(growth);
    const length = fitting === growth ? end - start : Math.max(0, before.size + fitting - start);
    const isFull =
      fitting === growth ? tooLarge() : new Failure('EDQUOT', 'the quota of disk space is used up');
    if (length === 0) throw isFull;
    let file: Status;
    try {
      file = chargingSize(account, fd, before, start + length, () => {
        pwrite(fd, data, 0, length, start);
        return times.ofWritten(fd, before.ino, op.time);
      });
    } catch (error) {
      // Where it made the file longer it is seen how far it went.
      if (statxFd(fd).size <= Math.max(before.size, start)) throw error;
      throw this.#short(Failure.from(error), fd, times.ofWritten(fd, before.ino, op.time));
    }
    if (length < data.length) throw this.#short(isFull, fd, file);
    return this.#left(fd, file);
  }

  /**
   * As fallocate(2): EISDIR and the like for what is no file; EDQUOT, ENOSPC, EFBIG; EOPNOTSUPP of the disk.
   *
   * Sizes are what is charged, and the account has to bound what a home takes. So nothing is set aside beyond the end of a
   * file whose size stays: it is only looked whether there would be room.
   */
  allocate({ file, time, mode, offset, length }: Allocate, lane: Lane): Left {
    const { times } = this.#home;
    const { fd, status: before, account } = this.#writable(file, lane);
    const end = offset + length;
    this.#requireSize(end);
    if ((mode & ALLOCATE_PUNCH_HOLE) === 0) requireRoom(fd, end - Math.max(offset, before.size), account);
    const last = (mode & ALLOCATE_KEEP_SIZE) === 0 ? end : Math.min(end, before.size);
    let upTo = end;
    const allocated = (): Status => {
      if (last > offset) {
        const stopped = this.#steps.walk(fd, offset, last, (at, bytes) => fallocate(fd, mode, at, bytes));
        if (stopped < last) upTo = stopped;
      }
      return times.ofOpen(fd, { mtime: time ?? 'now', ctime: time });
    };
    return { ...this.#left(fd, chargingSize(account, fd, before, last, allocated)), upTo };
  }

  /**
   * Copies what fits, as write() does. ENODATA where the source ends before the range does. EISDIR and the like for what is no
   * file; EINVAL of ranges of one file that overlap; EDQUOT, ENOSPC, EFBIG; EXDEV, EOPNOTSUPP of the disk.
   */
  copy({ file, time, offset, source, sourceOffset, length }: Copy, lane: Lane): Left {
    const { identities, times } = this.#home;
    // In this order: of one file it is the same descriptor.
    const { fd, status: before, account } = this.#writable(file, lane);
    const from = identities.readable(source);
    if (sourceOffset + length > from.status.size) throw new Failure('ENODATA', 'the source ends before');
    this.#requireSize(offset + 1);
    const end = Math.min(offset + length, this.#home.largestFile);
    const fitting = before.size + account.fitting(Math.max(0, end - before.size));
    const last = Math.min(end, fitting);
    if (last <= offset) throw new Failure('EDQUOT', 'the quota of disk space is used up');
    let upTo = offset;
    const copied = (): Status => {
      try {
        while (upTo < last) {
          const count = copyFileRange(from.fd, sourceOffset + (upTo - offset), fd, upTo, last - upTo);
          if (count === 0) throw new Failure('EIO', 'the source ended meanwhile');
          upTo += count;
        }
      } catch (error) {
        if (upTo === offset) throw error;
      }
      return times.ofOpen(fd, { mtime: time ?? undefined, ctime: time });
    };
    return { ...this.#left(fd, chargingSize(account, fd, before, last, copied)), upTo };
  }

  /** A file to be written, and what it is charged to. Unfinished. */
  #writable(file: FileRef, lane: Lane): { fd: Fd; status: Status; account: Account } {
    const { identities, held, trash } = this.#home;
    const found = identities.writable(file);
    held.freeing.requireIdle(found.status.ino);
    // It was there before it was a home's: nobody has it run what a user writes (a daemon of root's keeps the bits by itself).
    if ((found.status.mode & SET_ID) !== 0) fchmod(found.fd, found.status.mode & 0o7777 & ~SET_ID);
    return { ...found, account: trash.accountOf(found.status.ino, lane.account) };
  }

  /** Before it is charged: a file that no disk takes is EFBIG whatever the quota is, as on a local disk. */
  #requireSize(end: number): void {
    if (end > this.#home.largestFile) throw tooLarge();
  }

  #left(fd: Fd, status: Status): Left {
    return { file: leftOf(this.#home, { fd, status }) };
  }

  #short(failure: Failure, fd: Fd, status: Status): ShortWrite {
    return new ShortWrite(failure, this.#home.owners.told({ fd, status }));
  }

  /** As truncate(2). */
  #resize(op: SetAttributes, size: number, { status }: Located, lane: Lane): void {
    if (isDirectory(status)) throw new Failure('EISDIR', 'is a directory');
    if (!isRegular(status)) throw new Failure('EINVAL', 'not a regular file');
    const { fd, status: before, account } = this.#writable(op.file, lane);
    this.#requireSize(size);
    this.#home.held.freeing.requireEmpty(fd, before, size);
    chargingSize(account, fd, before, size, () => ftruncate(fd, size));
  }
}

function tooLarge(): Failure {
  return new Failure('EFBIG', 'the file would be too large');
}

/** As chown(2) to who owns it anyway: its ctime moves. */
function changesNothing({ size, mode, atime, mtime }: SetAttributes): boolean {
  return size === null && mode === null && atime === null && mtime === null;
}

/** What is kept of an owner or a mode beside the file may leave the disk's ctime as it is. */
function mayLeaveCtime({ size, time, atime, mtime }: SetAttributes): boolean {
  return time === null && size === null && atime === null && mtime === null;
}

function touchCtime(located: Located): void {
  if ('fd' in located) chownToOwner(located.fd, NO_NAME);
  else chownToOwner(located.directory, located.name);
}

/** EDQUOT, ENOSPC. */
function requireRoom(fd: Fd, bytes: number, account: Account): void {
  if (bytes <= 0) return;
  account.requireRoom(bytes, 0);
  const { available, blockSize } = fstatfs(fd);
  if (BigInt(bytes) > available * blockSize) throw new Failure('ENOSPC', 'the disk is full');
}

/** What of a mode reaches the disk. */
function kept(mode: number, status: Status): number {
  return mode & ~(isDirectory(status) ? S_ISUID : SET_ID);
}
