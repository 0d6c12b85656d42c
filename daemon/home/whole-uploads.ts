/*
 * Uploads of many small files in one request: all are written to hidden files, synced together, given their names, and the
 * directories synced together. So 2,000 files of 4 KiB are on the disk after a few syncs, and not after two for each.
 *
 * Invariants: each file appears whole, in place of what had its name, and only when its bytes are on the disk; one that fails
 * leaves what was there, and does not keep the others; its charge is reserved before it is written, and given back where it
 * gets no name. A killed daemon leaves only what is in the hidden directory, which the next one clears.
 *
 * BATCHES_AT_ONCE of a home are under way, so that one is written while the other is synced, and so few descriptors are open.
 */
import { Failure } from '../../protocol/failure.js';
import type { RemotePath, HomeName } from '../../protocol/ids.js';
import type { Fd } from '../../posix/fd.js';
import { close, fchmod, pwrite } from '../../posix/files.js';
import { S_ISGID, S_ISUID } from '../../posix/flags.js';
import { Md5 } from '../../posix/libcrypto.js';
import { utimensat } from '../../posix/names.js';
import { statxFd } from '../../posix/status.js';
import type { Timestamp } from '../../protocol/attributes.js';
import type { Xattr } from '../../protocol/xattrs.js';
import type { Log } from '../log.js';
import type { Call } from './calls/call.js';
import { giveXattrs } from './transfers/given-xattrs.js';
import { chargedBytes } from './files/held-files.js';
import type { HiddenFile, InodePool } from './quota/granted-inodes.js';
import type { HomeClient } from './home-client.js';
import type { Freeing } from './disk/freeing.js';
import type { LeaseWaits } from './leases/lease-waits.js';
import { wireError, type WireError } from './operations/outcomes.js';
import type { Published, Publishing } from './publishing.js';
import type { Account } from './quota/quota.js';
import type { SyncGroup } from './disk/sync-group.js';
import type { Turns } from './calls/turns.js';

/** They reach the disk of no file. */
const SET_ID = S_ISUID | S_ISGID;
const BATCHES_AT_ONCE = 2;

/** A file as it is to be. */
export interface WholeFile {
  readonly path: RemotePath;
  readonly size: number;
  readonly mode: number;
  readonly mtime: Timestamp;
  /** 16 bytes. */
  readonly md5: Buffer;
  readonly xattrs: readonly Xattr[];
}

/** What becomes of a file. */
interface Item {
  readonly file: WholeFile;
  /** What was made for it; undefined before, and where that failed. */
  hidden: HiddenFile | undefined;
  /** It has its name. */
  named: boolean;
  failure: unknown;
}

/** Nil, or why a file is not on the disk under its name. */
type Outcome = WireError | null;

interface Parts {
  readonly home: HomeName;
  readonly account: Account;
  readonly pool: InodePool;
  readonly publishing: Publishing;
  readonly syncs: SyncGroup;
  readonly waits: LeaseWaits;
  readonly freeing: Freeing;
  readonly turns: Turns;
  readonly transferLog: Log;
}

export class WholeUploads {
  readonly #parts: Parts;
  #underWay = 0;
  readonly #waiting: (() => void)[] = [];
  #onAllEnded: (() => void)[] = [];

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Resolves when no batch is under way or waits: nothing is written, charged or given back for one any more. */
  async allEnded(): Promise<void> {
    if (this.#underWay === 0) return;
    await new Promise<void>((resolve) => {
      this.#onAllEnded.push(resolve);
    });
  }

  /** `data`: of one file after the other. The outcomes, in order, when all is on the disk. EINVAL, ECANCELED. */
  async upload(
    client: HomeClient,
    files: readonly WholeFile[],
    data: Buffer,
    call: Call,
  ): Promise<Outcome[]> {
    const bytes = files.reduce((sum, { size }) => sum + size, 0);
    if (bytes !== data.length) throw new Failure('EINVAL', 'the sizes do not sum up to the data');
    await this.#turn();
    try {
      call.throwIfCancelled();
      return await new Batch(this.#parts, client, call).upload(files, data);
    } finally {
      this.#ended();
    }
  }

  async #turn(): Promise<void> {
    if (this.#underWay < BATCHES_AT_ONCE) this.#underWay += 1;
    else {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    }
  }

  /** Its turn goes to the next, so that nobody who comes meanwhile takes it. */
  #ended(): void {
    const next = this.#waiting.shift();
    if (next !== undefined) return next();
    this.#underWay -= 1;
    if (this.#underWay === 0) for (const resolve of this.#onAllEnded.splice(0)) resolve();
  }
}

class Batch {
  readonly #parts: Parts;
  readonly #client: HomeClient;
  readonly #call: Call;

  constructor(parts: Parts, client: HomeClient, call: Call) {
    this.#parts = parts;
    this.#client = client;
    this.#call = call;
  }

  async upload(files: readonly WholeFile[], data: Buffer): Promise<Outcome[]> {
    const startedAt = Date.now();
    const items = files.map((file): Item => ({ file, hidden: undefined, named: false, failure: undefined }));
    try {
      await this.#writeAll(items, data);
      await Promise.all(items.map((item) => failing(item, () => this.#sync(item))));
      await this.#publishAll(items);
    } finally {
      // One that cannot be ended keeps nobody from ending the others.
      for (const item of items) await failing(item, () => this.#parts.turns.take(() => this.#end(item)));
    }
    const ms = Date.now() - startedAt;
    // Also where nobody hears of it any more: what has a name is in the log.
    const outcomes = items.map((item) => this.#outcome(item, ms));
    this.#call.throwIfCancelled();
    return outcomes;
  }

  async #writeAll(items: readonly Item[], data: Buffer): Promise<void> {
    let at = 0;
    for (const item of items) {
      const bytes = data.subarray(at, at + item.file.size);
      at += item.file.size;
      await failing(item, async () => {
        const hidden = await this.#parts.turns.take(() => this.#write(item.file, bytes));
        item.hidden = hidden;
        await this.#giveXattrs(hidden, item.file.xattrs);
      });
    }
  }

  #write(file: WholeFile, bytes: Buffer): HiddenFile | Promise<HiddenFile> {
    const { account, publishing } = this.#parts;
    const md5 = new Md5();
    md5.update(bytes);
    if (!md5.digest().equals(file.md5)) {
      throw new Failure('EBADMSG', 'MD5 differs from what was received: upload it again');
    }
    publishing.requirePlace(file.path);
    return this.#whenRoom(() => {
      account.reserve(file.size, 1);
      try {
        return this.#writeHidden(file, bytes);
      } catch (error) {
        account.release(file.size, 1);
        throw error;
      }
    });
  }

  #writeHidden(file: WholeFile, bytes: Buffer): HiddenFile {
    const { pool } = this.#parts;
    const hidden = pool.makeHidden();
    try {
      pwrite(hidden.fd, bytes, 0, bytes.length, 0);
      fchmod(hidden.fd, file.mode & ~SET_ID);
      utimensat(hidden.fd, undefined, undefined, file.mtime, 0);
      return hidden;
    } catch (error) {
      close(hidden.fd);
      pool.removeHidden(hidden);
      throw error;
    }
  }

  async #giveXattrs({ fd }: HiddenFile, xattrs: readonly Xattr[]): Promise<void> {
    const { account, turns } = this.#parts;
    const whenRoom = (attempt: () => void): void | Promise<void> => this.#whenRoom(attempt);
    await giveXattrs({ account, turns, whenRoom }, { fd, status: statxFd(fd) }, xattrs);
  }

  #whenRoom<T>(attempt: () => T): T | Promise<Awaited<T>> {
    const { waits, freeing } = this.#parts;
    const whenFull = (): T => freeing.whenFull(attempt);
    return waits.whenRoom(this.#client, this.#call, whenFull, () => undefined);
  }

  async #sync({ hidden, failure }: Item): Promise<void> {
    if (hidden !== undefined && failure === undefined) await this.#parts.syncs.sync(hidden.fd);
  }

  async #publishAll(items: readonly Item[]): Promise<void> {
    const { pool, publishing, syncs, turns } = this.#parts;
    /** By inode number, with what appeared in them. */
    const directories = new Map<bigint, { readonly fd: Fd; readonly items: Item[] }>();
    const named = (item: Item, { directory, parent }: Published): void => {
      item.named = true;
      const known = directories.get(parent);
      if (known === undefined) directories.set(parent, { fd: directory, items: [item] });
      else {
        known.items.push(item);
        close(directory);
      }
    };
    try {
      // One after the other: a call waits for one thing at a time.
      for (const item of items) {
        const { hidden, file } = item;
        if (hidden === undefined || item.failure !== undefined) continue;
        const rename = (directory: Fd, name: Buffer): void => pool.nameHidden(hidden, directory, name);
        const finished = { fd: hidden.fd, rename };
        const publish = (): void | Promise<void> =>
          publishing.publish(this.#client, this.#call, file.path, finished, (published) =>
            named(item, published),
          );
        await failing(item, () => turns.take(publish));
      }
      await Promise.all(
        [...directories.values()].map(({ fd, items: there }) =>
          syncs.sync(fd).catch((error: unknown) => {
            for (const item of there) item.failure = error;
          }),
        ),
      );
    } finally {
      for (const { fd } of directories.values()) close(fd);
    }
  }

  /** Removes what got no name, and gives back its charge. */
  #end({ hidden, named }: Item): void {
    if (hidden === undefined) return;
    const { fd } = hidden;
    const bytes = named ? 0 : chargedBytes({ fd, status: statxFd(fd) });
    close(fd);
    if (named) return;
    this.#parts.pool.removeHidden(hidden);
    this.#parts.account.release(bytes, 1);
  }

  #outcome({ file, failure }: Item, ms: number): Outcome {
    if (failure !== undefined) return wireError(Failure.from(failure));
    const { transferLog } = this.#parts;
    const { user } = this.#client;
    const [path, md5] = [file.path.toString(), file.md5.toString('hex')];
    transferLog.info({ user, path, bytes: file.size, md5, ms }, 'upload');
    return null;
  }
}

/** Does something for a file, and keeps in mind why it failed. */
async function failing(item: Item, act: () => void | Promise<void>): Promise<void> {
  try {
    await act();
  } catch (error) {
    item.failure = error;
  }
}
