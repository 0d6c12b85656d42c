/*
 * An open directory whose entries are read page by page, with their statuses and the targets of symbolic links.
 *
 * A page is one or more getdents64 calls into a scratch buffer that cannot hold more records than the page has room for, so
 * nothing read is left over: the descriptor's own position is the cursor. It can be set back to any entry that was told: what was
 * not told for certain is told again, from the same open directory, as seekdir(3) does it. A page of 1024 entries takes 1.6 ms
 * of this thread when the inodes are cached, nearly all of it for their statuses; of a slow disk, seconds: so a page may be ended
 * before, and what is behind it looked at on another thread (disk-threads.ts).
 */
import { Failure } from '../../../protocol/failure.js';
import { MAX_PAGE_ENTRIES } from '../../../protocol/limits.js';
import { readEntries, seek } from '../../../posix/directory.js';
import type { Fd } from '../../../posix/fd.js';
import { close, dup } from '../../../posix/files.js';
import { S_IFLNK, S_IFMT } from '../../../posix/flags.js';
import { readlinkat } from '../../../posix/names.js';
import { statxFd, type Status } from '../../../posix/status.js';
import { RESERVED_NAME } from '../../../state/home-layout.js';
import { statusIfAny } from './confined.js';
import { onDiskThread } from './disk-threads.js';
import { idOf, isId } from './file-ids.js';
import type { XattrFile } from './file-xattrs.js';

/** struct linux_dirent64: the shortest record, and the longest (a name of 255 bytes). */
const MIN_RECORD = 24;
const MAX_RECORD = 280;
/** No position of any directory. */
const NOWHERE = -1n;

const scratch = Buffer.allocUnsafeSlow(MAX_PAGE_ENTRIES * MIN_RECORD);

export interface Entry {
  readonly name: Buffer;
  readonly status: Status;
  /** Of a symbolic link, where there was room for it. */
  readonly target: Buffer | null;
  /** The position behind it. */
  readonly next: bigint;
}

export interface Page {
  readonly entries: Entry[];
  /** No page follows. */
  readonly last: boolean;
  /** It was ended before it was full. */
  readonly late: boolean;
  /** The position where it ended. */
  readonly end: bigint;
}

/** What a message has room for. */
export interface Room {
  entries: number;
  /** Bytes of targets. */
  targets: number;
}

/** Whether a page is to be ended that has so many entries. */
export type IsOver = (entries: number) => boolean;

export class DirectoryCursor {
  /** Inode number of the directory. */
  readonly ino: bigint;
  readonly #fd: Fd;
  /** The daemon's own name in the home itself is not listed. */
  readonly #hides: boolean;
  #closed = false;
  /** Of the descriptor. */
  #position = 0n;
  /** Where the last page ended that was told. */
  position = 0n;

  /** Takes over a descriptor that is open for reading. */
  constructor(fd: Fd, home: bigint) {
    this.#fd = fd;
    this.ino = statxFd(fd).ino;
    this.#hides = this.ino === home;
  }

  /** The directory itself. */
  file(): XattrFile {
    return { fd: this.#fd, status: statxFd(this.#fd) };
  }

  /** What a name in it leads to, by its status. */
  fileOf(name: Buffer, status: Status): XattrFile {
    return { directory: this.#fd, name, status };
  }

  /** An entry as it is now. */
  again(entry: Entry): Entry {
    const status = statusIfAny(this.#fd, entry.name);
    return status !== undefined && isId(status, idOf(entry.status)) ? { ...entry, status } : entry;
  }

  /**
   * The entries from a position on, which take of the room; `isOver`, asked after each, ends the page. What vanishes is left
   * out.
   */
  page(room: Room, position: bigint, isOver: IsOver): Page {
    this.#seek(position);
    const entries: Entry[] = [];
    for (;;) {
      const bytes = room.entries * MIN_RECORD;
      if (bytes < MAX_RECORD) return { entries, last: false, late: false, end: this.#position };
      const records = readEntries(this.#fd, scratch.subarray(0, bytes));
      if (records.length === 0) return { entries, last: true, late: false, end: this.#position };
      for (const { name, next } of records) {
        this.#position = next;
        if (this.#hides && name.equals(RESERVED_NAME)) continue;
        const status = this.#statusOf(name);
        if (status === undefined) continue;
        entries.push({ name, status, target: this.#target(name, status, room), next });
        room.entries -= 1;
        if (!isOver(entries.length)) continue;
        seek(this.#fd, next);
        return { entries, last: false, late: true, end: next };
      }
    }
  }

  /** Goes back to a position, and has the statuses of a page from there read into the kernel's memory. Never rejects. */
  async lookAhead(owner: object, position: bigint): Promise<void> {
    this.#seek(position);
    try {
      const own = dup(this.#fd);
      await onDiskThread(owner, 'look', own, { position }).finally(() => close(own));
    } catch {
      // Then it is looked at when it is told.
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    close(this.#fd);
  }

  #seek(position: bigint): void {
    // The number of a closed descriptor may be another file's.
    if (this.#closed) throw new Failure('EBADF', 'the listing was closed');
    if (position === this.#position) return;
    seek(this.#fd, position);
    this.#position = position;
  }

  /** Where it fails, the descriptor is behind all that was read with it: the next page has to go back. */
  #statusOf(name: Buffer): Status | undefined {
    try {
      return statusIfAny(this.#fd, name);
    } catch (error) {
      this.#position = NOWHERE;
      throw error;
    }
  }

  #target(name: Buffer, { mode, size }: Status, room: Room): Buffer | null {
    if ((mode & S_IFMT) !== S_IFLNK || size > room.targets) return null;
    try {
      const target = readlinkat(this.#fd, name);
      room.targets -= target.length;
      return target;
    } catch {
      return null; // gone, or another file by now
    }
  }
}
