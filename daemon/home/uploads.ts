/*
 * The uploads of one home: beginning, resuming, publishing, and clearing away what nobody came back for.
 *
 * Invariant: a path has at most one open upload, that of the newest request: a client that was killed must not have to wait
 * for itself. One that is being finished ends first.
 */
import { Failure } from '../../protocol/failure.js';
import type { RemoteHandle, HomeName } from '../../protocol/ids.js';
import { MAX_DATA, MAX_PAGE_UPLOADS } from '../../protocol/limits.js';
import type { Xattr } from '../../protocol/xattrs.js';
import type { Fd } from '../../posix/fd.js';
import { FileRuns } from '../../posix/file-runs.js';
import { close, ftruncate } from '../../posix/files.js';
import { O_CREAT, O_EXCL, O_RDWR } from '../../posix/flags.js';
import { Md5 } from '../../posix/libcrypto.js';
import { renameat2 } from '../../posix/names.js';
import { statxFd, type Status } from '../../posix/status.js';
import { bootId } from '../../state/boot.js';
import type { Use } from '../../state/ledger.js';
import type { UploadStore } from '../../state/uploads.js';
import type { Call } from './calls/call.js';
import { statusIfAny, type ConfinedTree } from './disk/confined.js';
import type { Digests } from './transfers/digests.js';
import { chargingInode, chargingSize } from './quota/growth.js';
import { hashNext, SequentialHash } from './transfers/hashing.js';
import type { Log } from '../log.js';
import type { Freeing } from './disk/freeing.js';
import type { HomeClient } from './home-client.js';
import type { LeaseHolder } from './leases/lease-table.js';
import type { LeaseWaits } from './leases/lease-waits.js';
import type { ToldStatus } from './files/owner-record.js';
import {
  isStreamPartial,
  keyOfPartial,
  partialName,
  uploadKey,
  type PartialFiles,
} from './transfers/partial-files.js';
import type { Published, Publishing } from './publishing.js';
import type { Account } from './quota/quota.js';
import type { SyncGroup } from './disk/sync-group.js';
import type { Telling } from './files/telling.js';
import type { Turns } from './calls/turns.js';
import { Upload, type UploadHost, type UploadSource, type UploadTarget } from './transfers/upload.js';

/** What is needed of the store. */
export type UploadRecords = Pick<UploadStore, 'get' | 'put' | 'remove' | 'list'>;

const PRIVATE_FILE = 0o600;

/** What a client tells of a file when it has sent all of it. */
export interface Finished {
  /** 16 bytes. */
  readonly md5: Buffer;
  readonly xattrs: readonly Xattr[];
}

interface Parts {
  readonly home: HomeName;
  readonly tree: ConfinedTree;
  /** What is uploaded is charged to this. */
  readonly account: Account;
  readonly publishing: Publishing;
  readonly freeing: Freeing;
  readonly syncs: SyncGroup;
  readonly turns: Turns;
  readonly telling: Telling;
  readonly waits: LeaseWaits;
  readonly partials: PartialFiles;
  readonly store: UploadRecords;
  readonly digests: Digests;
  /** A partial file that was not written to for so long (milliseconds) is removed: it is charged. */
  readonly keepMs: number;
  readonly log: Log;
  readonly transferLog: Log;
  readonly whenChangeable: () => Promise<void>;
}

export class Uploads implements UploadHost {
  readonly account: Account;
  readonly syncs: SyncGroup;
  readonly freeing: Freeing;
  readonly turns: Turns;
  readonly #parts: Parts;
  readonly #boot = bootId();
  /** By key. */
  readonly #open = new Map<string, Upload>();
  /** The last beginning of those that are under way, by key; it never rejects. */
  readonly #beginning = new Map<string, Promise<void>>();
  #onAllClosed: (() => void)[] = [];

  constructor(parts: Parts) {
    this.#parts = parts;
    this.account = parts.account;
    this.syncs = parts.syncs;
    this.freeing = parts.freeing;
    this.turns = parts.turns;
  }

  /** How many are open, or being begun. */
  get size(): number {
    return this.#open.size + this.#beginning.size;
  }

  /** Opens or resumes the upload of a target: (handle, offset to go on from, whether another source's was thrown away). */
  async begin(
    client: HomeClient,
    target: UploadTarget,
    call: Call,
  ): Promise<[RemoteHandle, number, boolean]> {
    const key = uploadKey(target.path);
    this.#parts.publishing.requirePlace(target.path);
    const before = this.#beginning.get(key);
    const begun = this.#beginAfter(before, client, key, target, call);
    const ended = begun.then(
      () => undefined,
      () => undefined,
    );
    this.#beginning.set(key, ended);
    try {
      return await begun;
    } finally {
      if (this.#beginning.get(key) === ended) this.#beginning.delete(key);
      this.#left();
    }
  }

  async #beginAfter(
    before: Promise<void> | undefined,
    client: HomeClient,
    key: string,
    target: UploadTarget,
    call: Call,
  ): Promise<[RemoteHandle, number, boolean]> {
    await before;
    // Whoever has it, also a session that is still being served and nobody waits for: the newest request wins.
    await this.#open.get(key)?.close();
    let upload: Upload | undefined;
    try {
      call.throwIfCancelled();
      await this.whenChangeable();
      client.handles.requireRoom();
      const restarted = this.#removeOtherSources(key, target.source);
      upload = await this.#openPartial(client, key, target, call);
      this.#open.set(key, upload);
      const handle = client.handles.add({ kind: 'upload', upload });
      return [handle, upload.resumedAt, restarted];
    } catch (error) {
      await upload?.close();
      throw error;
    }
  }

  /** Finishes an upload: its file's attributes. Asked for once more, the answer is the same. */
  finish(client: HomeClient, number: RemoteHandle, finished: Finished, call: Call): Promise<unknown[]> {
    const former = client.finishedUploads.get(number);
    if (former !== undefined) return former;
    const { upload } = client.handles.ofKind(number, 'upload');
    const answer = this.#finish(client, upload, finished, call).finally(() => {
      if (upload.closed) client.handles.forget(number);
      else client.finishedUploads.delete(number);
    });
    client.rememberUpload(number, answer);
    return answer;
  }

  /** Removes what nobody came back for. Synchronous. */
  removeExpired(): void {
    const { partials, home, store, log } = this.#parts;
    const kept = new Set<string>();
    for (const { name, status } of partials.statuses(partials.names())) {
      const key = keyOfPartial(name);
      if (this.#isInUse(key) || (this.#msLeft(status) > 0 && !isStreamPartial(name))) {
        kept.add(key);
        continue;
      }
      partials.remove(name);
      log.info({ home, bytes: status.size }, 'a partial upload was removed');
    }
    for (const { key } of store.list(home)) if (!kept.has(key) && !this.#isInUse(key)) this.#forget(key);
  }

  /** The partial uploads behind that id, as `uploads` answers. */
  page(after: Buffer | null): unknown[] {
    const { partials } = this.#parts;
    const last = after?.toString('latin1') ?? '';
    const behind = partials.names().filter((name) => name > last);
    const page: unknown[] = [];
    let pathBytes = 0;
    for (const file of partials.statuses(behind.toSorted().slice(0, MAX_PAGE_UPLOADS))) {
      const { path, size } = this.#targetOf(file.name);
      pathBytes += path?.length ?? 0;
      if (pathBytes > MAX_DATA) break;
      const left = this.#msLeft(file.status);
      const times = [seconds(this.#parts.keepMs - left), seconds(left)];
      const isUnderWay = this.#isUnderWay(keyOfPartial(file.name));
      page.push([Buffer.from(file.name, 'latin1'), path, size, file.status.size, ...times, isUnderWay]);
    }
    return page;
  }

  /** Throws a partial upload away. ENOENT; EBUSY where a client that is connected has it. */
  async remove(id: Buffer): Promise<void> {
    const { partials } = this.#parts;
    const name = id.toString('latin1');
    const key = keyOfPartial(name);
    if (!partials.ofKey(key).includes(name)) throw new Failure('ENOENT', 'there is no such partial upload');
    if (this.#isUnderWay(key)) throw new Failure('EBUSY', 'it is being uploaded');
    await this.#open.get(key)?.close();
    await this.whenChangeable();
    if (this.#isInUse(key)) throw new Failure('EBUSY', 'it is being uploaded');
    partials.remove(name);
    this.#forget(key);
  }

  /** What partial uploads take of the home's use. */
  get use(): Use {
    const found = this.#parts.partials.statuses(this.#parts.partials.names());
    return { bytes: found.reduce((sum, { status }) => sum + status.size, 0), files: found.length };
  }

  whenChangeable(): Promise<void> {
    return this.#parts.whenChangeable();
  }

  record(upload: Upload, offset: number, md5State: Buffer): Promise<void> {
    const { path, mode, mtime, source } = upload.target;
    if (source === undefined) return Promise.resolve();
    const boot = this.#boot;
    const record = { path, partial: upload.partial, mode, mtime, ...source, boot, offset, md5State };
    return this.#parts.store.put(this.#parts.home, uploadKey(path), record);
  }

  publish(upload: Upload, call: Call): Promise<ToldStatus> {
    const { partials, publishing, digests } = this.#parts;
    const { owner, target, partial, fd } = upload;
    const rename = (directory: Fd, name: Buffer): void =>
      partials.within((own) => renameat2(own, Buffer.from(partial), directory, name, 0));
    const named = ({ status, told, directory }: Published): Promise<ToldStatus> => {
      partials.gone(partial);
      this.#forget(uploadKey(target.path));
      digests.remember(status, upload.digest());
      upload.published();
      return this.syncs
        .sync(directory)
        .then(() => told)
        .finally(() => close(directory));
    };
    return Promise.resolve(publishing.publish(owner, call, target.path, { fd, rename }, named));
  }

  whenRoom<T>(owner: LeaseHolder, call: Call, attempt: () => T, keep: () => void): T | Promise<Awaited<T>> {
    return this.#parts.waits.whenRoom(owner, call, () => this.freeing.whenFull(attempt), keep);
  }

  discard(upload: Upload): void {
    this.#parts.partials.remove(upload.partial);
    this.#forget(uploadKey(upload.target.path));
  }

  closed(upload: Upload): void {
    this.#open.delete(uploadKey(upload.target.path));
    this.#left();
  }

  /** Resolves when no upload is open any more: who ends the clients ends theirs. */
  async allClosed(): Promise<void> {
    if (this.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#onAllClosed.push(resolve);
    });
  }

  async #finish(
    { user }: HomeClient,
    upload: Upload,
    { md5, xattrs }: Finished,
    call: Call,
  ): Promise<unknown[]> {
    const told = await upload.finish(md5, xattrs, call);
    const { transferLog, telling } = this.#parts;
    const { path } = upload.target;
    const ms = Date.now() - upload.startedAt;
    const fields = {
      user,
      path: path.toString(),
      bytes: upload.written,
      md5: upload.digest().toString('hex'),
      ms,
    };
    transferLog.info(fields, 'upload');
    return telling.attributes(told);
  }

  /** What a partial file is of, as far as that is known: a daemon that was killed may not have recorded it. */
  #targetOf(name: string): { path: Buffer | null; size: number | null } {
    const key = keyOfPartial(name);
    const open = this.#open.get(key)?.target;
    if (open !== undefined) return { path: open.path, size: open.source?.size ?? null };
    const { path = null, size = null } = this.#parts.store.get(this.#parts.home, key) ?? {};
    return { path, size };
  }

  #isInUse(key: string): boolean {
    return this.#open.has(key) || this.#beginning.has(key);
  }

  /** Whether somebody is at it: a client that is away may have it open for a day. */
  #isUnderWay(key: string): boolean {
    return this.#beginning.has(key) || this.#open.get(key)?.owner.present === true;
  }

  /** Until it is removed. Its mtime is that of its source as soon as it is complete, its ctime is not. */
  #msLeft({ ctime: { sec, nsec } }: Status): number {
    return sec * 1000 + nsec / 1e6 + this.#parts.keepMs - Date.now();
  }

  #left(): void {
    if (this.size === 0) for (const resolve of this.#onAllClosed.splice(0)) resolve();
  }

  /** All but what can be gone on with: that of the same source, where that is no stream. */
  #removeOtherSources(key: string, source: UploadSource | undefined): boolean {
    const { partials } = this.#parts;
    const wanted = source && partialName(key, source);
    let removed = false;
    for (const name of partials.ofKey(key)) {
      if (name === wanted) continue;
      partials.remove(name);
      this.#forget(key);
      removed = true;
    }
    return removed;
  }

  async #openPartial(client: HomeClient, key: string, target: UploadTarget, call: Call): Promise<Upload> {
    const { tree, partials } = this.#parts;
    const partial = partialName(key, target.source);
    const { size = 0 } = target.source ?? {};
    const name = Buffer.from(partial);
    const openOrMake = (directory: Fd): Fd => {
      if (statusIfAny(directory, name) !== undefined) return tree.openAt(directory, name, O_RDWR);
      // Refused at once where it cannot end well; the bytes are reserved as they come.
      this.account.requireRoom(size, 1);
      partials.requireRoom();
      const made = chargingInode(this.account, directory, name, () =>
        tree.openAt(directory, name, O_RDWR | O_CREAT | O_EXCL, PRIVATE_FILE),
      );
      partials.made(partial);
      return made;
    };
    const whenRoom = <T>(attempt: () => T): Promise<Awaited<T>> =>
      Promise.resolve(this.whenRoom(client, call, attempt, () => undefined));
    const fd = await whenRoom(() => partials.within(openOrMake));
    try {
      const hash = await this.#resumedHash(fd, key, partial, size, call);
      await this.whenChangeable();
      chargingSize(this.account, fd, statxFd(fd), hash.hashed, () => ftruncate(fd, hash.hashed));
      await whenRoom(() => this.account.requireRoom(size - hash.hashed, 0));
      return new Upload(this, { owner: client, target, partial, fd, hash });
    } catch (error) {
      close(fd);
      throw error;
    }
  }

  /**
   * The hash of what can be gone on from: all that was written since the machine booted, of another boot what is recorded. What
   * lies behind the record is read again; without one, all.
   */
  async #resumedHash(
    fd: Fd,
    key: string,
    partial: string,
    size: number,
    call: Call,
  ): Promise<SequentialHash> {
    const length = Math.min(statxFd(fd).size, size);
    const recorded = this.#recordedHash(key, partial, length);
    const hash = recorded?.hash ?? new SequentialHash();
    const end = recorded?.isOfThisBoot === false ? hash.hashed : length;
    const runs = new FileRuns(fd);
    while (hash.hashed < end) {
      call.throwIfCancelled();
      if ((await hashNext(hash, fd, runs, end)) === 0) {
        throw new Failure('EIO', 'the partial file became shorter');
      }
    }
    return hash;
  }

  #recordedHash(
    key: string,
    partial: string,
    length: number,
  ): { readonly hash: SequentialHash; readonly isOfThisBoot: boolean } | undefined {
    const record = this.#parts.store.get(this.#parts.home, key);
    if (record === undefined || record.partial !== partial || record.offset > length) return undefined;
    try {
      const hash = new SequentialHash(Md5.load(Buffer.from(record.md5State)), record.offset);
      return { hash, isOfThisBoot: this.#boot.equals(record.boot) };
    } catch {
      return undefined;
    }
  }

  #forget(key: string): void {
    const { store, home, log } = this.#parts;
    store.remove(home, key).catch((error: unknown) => {
      log.warn({ error, home }, 'the record of an upload was not removed');
    });
  }
}

/** Whole seconds, as they travel. */
function seconds(ms: number): number {
  return Math.min(Math.max(0, Math.floor(ms / 1000)), 0xffff_ffff);
}
