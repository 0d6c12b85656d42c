/*
 * One upload: a partial file that is written in order, hashed as it grows, and renamed to its name when size and MD5 agree.
 *
 * Invariants: the partial file is `written` bytes long and charged for them, also after a failed write; a checkpoint is
 * recorded only when its bytes are on the disk (fdatasync), so that the MD5 state never promises more than there is;
 * the old file is whole under its name until the one rename; what a sync has failed for is thrown away.
 *
 * Writing is synchronous; hashing runs behind it on the thread pool, so that a client with several pieces in flight
 * keeps both busy. By direct calls 512 MiB take 1.3 s where MD5 alone takes 1.0 s
 * (two cores, both busy); the fdatasync of each checkpoint makes no difference that can be measured.
 */
import type { Timestamp } from '../../../protocol/attributes.js';
import { giveBuffer, takeBuffer } from '../../../protocol/transport/buffer-pool.js';
import { Failure } from '../../../protocol/failure.js';
import type { RemotePath } from '../../../protocol/ids.js';
import type { Xattr } from '../../../protocol/xattrs.js';
import { ZEROS } from '../../../protocol/zeros.js';
import { dataRuns } from '../../../posix/data-runs.js';
import type { Fd } from '../../../posix/fd.js';
import { fchmod, ftruncate, pwrite } from '../../../posix/files.js';
import { S_ISGID, S_ISUID } from '../../../posix/flags.js';
import { utimensat } from '../../../posix/names.js';
import { statxFd } from '../../../posix/status.js';
import type { Call } from '../calls/call.js';
import { giveXattrs } from './given-xattrs.js';
import { chargingSize } from '../quota/growth.js';
import type { Freeing } from '../disk/freeing.js';
import { SequentialHash } from './hashing.js';
import type { LeaseHolder } from '../leases/lease-table.js';
import type { ToldStatus } from '../files/owner-record.js';
import type { Account } from '../quota/quota.js';
import type { SyncGroup } from '../disk/sync-group.js';
import type { Turns } from '../calls/turns.js';
import { onDiskThread } from '../disk/disk-threads.js';

/** After so many bytes a checkpoint is due. */
export const CHECKPOINT_BYTES = 16 * 1024 * 1024;

/** They reach the disk of no file. */
const SET_ID = S_ISUID | S_ISGID;

/** What is uploaded, and how it will look. */
export interface UploadTarget {
  readonly path: RemotePath;
  readonly mode: number;
  readonly mtime: Timestamp;
  /** Undefined: a stream, which ends where it is finished, and of which nothing is kept if it is not. */
  readonly source: UploadSource | undefined;
}

/** A file that can be read again, so that an upload of it is gone on with. */
export interface UploadSource {
  readonly size: number;
  /** 32 bytes that name the source as it is. */
  readonly fingerprint: Buffer;
}

/** What an upload needs of the registry that made it. */
export interface UploadHost {
  readonly account: Account;
  readonly syncs: SyncGroup;
  readonly freeing: Freeing;
  readonly turns: Turns;
  /**
   * Does what may be refused for want of room: later, and `keep` is called at once, where others are to give some back.
   */
  whenRoom<T>(owner: LeaseHolder, call: Call, attempt: () => T, keep: () => void): T | Promise<Awaited<T>>;
  /** Resolves when the home may be changed. */
  whenChangeable(): Promise<void>;
  /** Records that the first `offset` bytes are on the disk, with the MD5 state over them. */
  record(upload: Upload, offset: number, md5State: Buffer): Promise<void>;
  /**
   * Gives the partial file its name, once nobody else has a lease of where it goes: what it is then. ECANCELED, and nothing is
   * done.
   */
  publish(upload: Upload, call: Call): Promise<ToldStatus>;
  /** Removes the partial file and what was recorded. Synchronous. */
  discard(upload: Upload): void;
  /** The upload is not open any more. */
  closed(upload: Upload): void;
}

/** What is appended: data, or a hole. */
type Piece = Buffer | { readonly length: number };

export class Upload {
  readonly owner: LeaseHolder;
  readonly target: UploadTarget;
  /** Name of the partial file. */
  readonly partial: string;
  readonly startedAt = Date.now();
  readonly fd: Fd;
  /** Where it went on from. */
  readonly resumedAt: number;
  readonly #host: UploadHost;
  readonly #hash: SequentialHash;
  #written: number;
  /** A piece waits for room; those that came after it wait behind it. Never rejects. */
  #stalled: Promise<void> | undefined;
  #hashing: Promise<void> = Promise.resolve();
  #queued = 0;
  #checkpoint: { offset: number; state: Buffer } | undefined;
  #recording: Promise<void> | undefined;
  /** open -> ending (finish, abort or close under way) -> closed; a failed finish opens it again. */
  #state: 'open' | 'ending' | 'closed' = 'open';
  /** Why nothing can become of it: it is thrown away when it ends. */
  #worthless: unknown;
  readonly #whenClosed: Promise<void>;
  #resolveClosed: () => void = () => undefined;
  /** close() was called meanwhile: no handle leads here any more, so a failed finish must not leave it open. */
  #forsaken = false;

  /** The partial file, open as `fd`, is as long as what `hash` has hashed. */
  constructor(
    host: UploadHost,
    options: { owner: LeaseHolder; target: UploadTarget; partial: string; fd: Fd; hash: SequentialHash },
  ) {
    this.#host = host;
    this.owner = options.owner;
    this.target = options.target;
    this.partial = options.partial;
    this.fd = options.fd;
    this.#hash = options.hash;
    this.resumedAt = options.hash.hashed;
    this.#written = this.resumedAt;
    this.#whenClosed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
  }

  get closed(): boolean {
    return this.#state === 'closed';
  }

  /** Bytes of the partial file. */
  get written(): number {
    return this.#written;
  }

  /**
   * Resolves when written and hashed; so does a piece that was written before, and whose answer was lost. EINVAL where it is
   * not the next one; EDQUOT, ENOSPC: try it again.
   */
  write(offset: number, given: Piece, call: Call): null | Promise<null> {
    this.#requireOpen();
    const before = this.#stalled;
    let waits = before !== undefined;
    const own = (): Piece => (Buffer.isBuffer(given) ? Buffer.from(given) : given);
    let piece = waits ? own() : given;
    const keep = (): void => {
      if (!waits) piece = own();
      waits = true;
    };
    const attempt = (): null | Promise<null> =>
      this.#host.whenRoom(this.owner, call, () => this.#write(offset, piece), keep);
    const written = before === undefined ? attempt() : before.then(attempt);
    if (waits) this.#stall(Promise.resolve(written));
    return written;
  }

  #stall(written: Promise<unknown>): void {
    const ended = (): void => {
      if (this.#stalled === stalled) this.#stalled = undefined;
    };
    const stalled = written.then(ended, ended);
    this.#stalled = stalled;
  }

  #write(offset: number, piece: Piece): null | Promise<null> {
    this.#requireOpen();
    const data = Buffer.isBuffer(piece) ? piece : ZEROS.subarray(0, piece.length);
    if (offset + data.length <= this.#written) return this.#hashing.then(() => null);
    if (offset !== this.#written) throw new Failure('EINVAL', `the next piece begins at ${this.#written}`);
    const { size = Infinity } = this.target.source ?? {};
    if (data.length > size - offset) throw new Failure('EINVAL', 'more than the announced size');
    this.#append(piece);
    if (this.#queued === 0 && this.#hash.isImmediate(data.length) && this.#toBoundary() > data.length) {
      this.#hash.hashNow(data, 0, data.length);
      return null;
    }
    if (data !== piece) return this.#hashLater(data, data.length);
    const buffer = takeBuffer(data.length);
    data.copy(buffer);
    return this.#hashLater(buffer, data.length).finally(() => giveBuffer(buffer));
  }

  /**
   * EBADMSG where size or MD5 differ, EIO and the like where the disk could not keep what it had taken: all is thrown away.
   * After any other failure, such as that of the extended attributes, the upload goes on.
   */
  async finish(md5: Buffer, xattrs: readonly Xattr[], call: Call): Promise<ToldStatus> {
    this.#requireOpen();
    if (this.#stalled !== undefined) {
      await this.#stalled;
      this.#requireOpen();
    }
    this.#state = 'ending';
    try {
      await this.#settled();
      const { size = this.#written } = this.target.source ?? {};
      if (this.#written !== size || !this.#hash.digest().equals(md5)) {
        this.#worthless = new Failure(
          'EBADMSG',
          'size or MD5 differ from what was received: upload it again',
        );
      }
      if (this.#worthless !== undefined) throw this.#worthless;
      await this.#giveXattrs(xattrs, call);
      fchmod(this.fd, this.target.mode & ~SET_ID);
      utimensat(this.fd, undefined, undefined, this.target.mtime, 0);
      await this.#syncing(this.#host.syncs.sync(this.fd));
      return await this.#host.publish(this, call);
    } finally {
      if (this.#worthless !== undefined) await this.#discard();
      else if (this.#state === 'ending') {
        if (this.#forsaken) await this.#leave();
        else this.#state = 'open';
      }
    }
  }

  /** The MD5 of what was received. Only when nothing is being hashed. */
  digest(): Buffer {
    return this.#hash.digest();
  }

  /** Throws all away. */
  async abort(): Promise<void> {
    this.#requireOpen();
    this.#state = 'ending';
    await this.#settled().catch(() => undefined);
    await this.#discard();
  }

  /** Keeps the partial file for another try, but that of a stream. Resolves when it is not open any more. */
  async close(): Promise<void> {
    this.#forsaken = true;
    if (this.#state !== 'open') return this.#whenClosed;
    this.#state = 'ending';
    await this.#settled().catch(() => undefined);
    await this.#leave();
  }

  /** Called by the host when the file has its name. */
  published(): void {
    this.#close();
  }

  async #giveXattrs(xattrs: readonly Xattr[], call: Call): Promise<void> {
    const { account, turns } = this.#host;
    const whenRoom = (attempt: () => void): void | Promise<void> =>
      this.#host.whenRoom(this.owner, call, attempt, () => undefined);
    await giveXattrs({ account, turns, whenRoom }, { fd: this.fd, status: statxFd(this.fd) }, xattrs);
  }

  #append(piece: Piece): void {
    const { fd } = this;
    const { account } = this.#host;
    const end = this.#written + piece.length;
    try {
      chargingSize(account, fd, statxFd(fd), end, () => {
        let filled = 0;
        if (Buffer.isBuffer(piece)) {
          for (const { start, end: stop } of dataRuns(piece)) {
            pwrite(fd, piece, start, stop - start, this.#written + start);
            filled = stop;
          }
        }
        if (filled < piece.length) ftruncate(fd, end);
      });
    } catch (error) {
      chargingSize(account, fd, statxFd(fd), this.#written, () => ftruncate(fd, this.#written));
      throw error;
    }
    this.#written = end;
  }

  async #hashLater(buffer: Buffer, length: number): Promise<null> {
    this.#queued += 1;
    const hashed = this.#hashing.then(() => this.#hashPieces(buffer, length));
    this.#hashing = hashed;
    try {
      await hashed;
      return null;
    } finally {
      this.#queued -= 1;
    }
  }

  /** Hashes, stopping at each boundary to take a checkpoint. */
  async #hashPieces(buffer: Buffer, length: number): Promise<void> {
    for (let at = 0; at < length;) {
      const boundary = this.#toBoundary();
      const piece = Math.min(length - at, boundary);
      await this.#hash.hash(buffer, at, piece);
      at += piece;
      if (piece === boundary) {
        this.#checkpoint = { offset: this.#hash.hashed, state: this.#hash.save() };
        this.#recording ??= this.#record();
      }
    }
  }

  /** Bytes to the next checkpoint: 1..CHECKPOINT_BYTES. */
  #toBoundary(): number {
    return CHECKPOINT_BYTES - (this.#hash.hashed % CHECKPOINT_BYTES);
  }

  /** Records the newest checkpoint, and again while newer ones came meanwhile. Never rejects: it only saves time. */
  async #record(): Promise<void> {
    try {
      for (let newest = this.#checkpoint; newest !== undefined; newest = this.#checkpoint) {
        this.#checkpoint = undefined;
        await this.#syncing(onDiskThread(this.#host, 'fdatasync', this.fd));
        await this.#host.record(this, newest.offset, newest.state);
      }
    } catch {
      // Where only the record failed, the upload can still be resumed by hashing the partial file anew.
    } finally {
      this.#recording = undefined;
    }
  }

  /** The disk is to keep what was written. That it cannot it tells only once. */
  async #syncing(synced: Promise<void>): Promise<void> {
    try {
      await synced;
    } catch (error) {
      this.#worthless = error;
      throw error;
    }
  }

  async #leave(): Promise<void> {
    if (this.#worthless !== undefined || this.target.source === undefined) return this.#discard();
    // There was no checkpoint yet: a record tells what the partial file is of. It only helps.
    if (this.#written < CHECKPOINT_BYTES)
      await this.#host.record(this, 0, new SequentialHash().save()).catch(() => undefined);
    this.#close();
  }

  async #discard(): Promise<void> {
    await this.#host.whenChangeable();
    try {
      this.#host.discard(this);
    } finally {
      this.#close();
    }
  }

  async #settled(): Promise<void> {
    await this.#hashing;
    await this.#recording;
  }

  #requireOpen(): void {
    if (this.#state === 'closed')
      throw new Failure('EBADF', 'the upload has ended, or a newer one to this path goes on with it');
    if (this.#state === 'ending') throw new Failure('EBUSY', 'the upload is being finished');
  }

  #close(): void {
    this.#state = 'closed';
    this.#host.freeing.close(this.fd);
    this.#host.closed(this);
    this.#resolveClosed();
  }
}
