/*
 * The trash of a home: what loses its last name by a removal, a rename or an upload in its place is kept for a time, for its owner
 * to restore. Off unless the account has a time for it; then nothing is different, but that what is there can still be restored.
 *
 * A removal gives the file a second name in the trash first (trash-batches.ts), and then takes the first one away. So whatever
 * happens in between, power cuts too, the file has a name; it may have both, which is a file with two names, charged once. What is in
 * the trash stays charged, as part of the use (Quota.trashed).
 *
 * Room is made in the turn of who needs it: the oldest goes, as much as is needed, in slices (Unfinished), before a quota or a
 * full disk refuses anything; but what is open, and would make none, stays. No removal fails because the trash cannot take it: then it is one as without a trash.
 */
import type { Fd } from '../../../posix/fd.js';
import { unlinkat } from '../../../posix/names.js';
import type { Status } from '../../../posix/status.js';
import { Failure } from '../../../protocol/failure.js';
import type { HomeName, RemotePath } from '../../../protocol/ids.js';
import { MAX_PATH } from '../../../protocol/limits.js';
import type { Use } from '../../../state/ledger.js';
import type { Log } from '../../log.js';
import type { Clock } from '../calls/clock.js';
import { statusIfAny, type ConfinedTree } from '../disk/confined.js';
import { isDirectory } from '../disk/file-ids.js';
import { chargedBytes, type HeldFiles } from '../files/held-files.js';
import type { Directory, Identities } from '../files/identities.js';
import type { Located } from '../disk/located.js';
import type { Account, Quota } from '../quota/quota.js';
import { TrashAccount } from './trash-account.js';
import { TrashBatches } from './trash-batches.js';
import { TrashEmptying } from './trash-emptying.js';
import { itemId, noSuchItem, parseItemId, periodOf, type ItemPlace } from './trash-layout.js';
import { TrashPages, type TrashItem } from './trash-pages.js';
import type { Turns } from '../calls/turns.js';
import { Unfinished } from '../calls/unfinished.js';
import type { VirtualOwners } from '../files/virtual-owners.js';

/** That the trash takes nothing is logged once in so long (milliseconds). */
const QUIET_MS = 600_000;
/** Bytes that go at once where the disk is full: several times what one request needs. */
const RECLAIMED_AT_ONCE = 4 * 1024 * 1024;

/**
 * What is removed beyond what somebody needs: this part of the limit, up to so much. Else a mount would have to ask with each small
 * write while the trash fills the quota: a round trip for each.
 */
const AHEAD = 64;
const MOST_AHEAD: Use = { bytes: 8 * 1024 * 1024, files: 256 };

export interface TrashParts {
  readonly tree: ConfinedTree;
  readonly quota: Quota;
  readonly held: HeldFiles;
  readonly identities: Identities;
  readonly owners: VirtualOwners;
  readonly turns: Turns;
  readonly clock: Clock;
  readonly home: HomeName;
  readonly log: Log;
  /** To be called with each change of the home. */
  readonly changed: () => void;
  readonly whenChangeable: () => Promise<void>;
  /** The home cannot be changed now. */
  readonly isFrozen: () => boolean;
}

/** An item that was found. */
export interface FoundItem {
  readonly place: ItemPlace;
  /** The directory of the trash, and the way to the item in it. */
  readonly directory: Fd;
  readonly name: Buffer;
  readonly status: Status;
}

export class Trash {
  /** For how long what is removed is kept (milliseconds); 0: nothing is, and nothing expires. */
  keepMs = 0;
  readonly #parts: TrashParts;
  readonly #batches: TrashBatches;
  readonly #emptying: TrashEmptying;
  readonly #pages: TrashPages;
  #loggedAt = -Infinity;
  #stopped = false;

  constructor(parts: TrashParts) {
    this.#parts = parts;
    this.#batches = new TrashBatches(parts);
    this.#emptying = new TrashEmptying(this.#batches);
    this.#pages = new TrashPages(this.#batches, parts.turns);
    parts.held.freeing.reclaim = () => this.#reclaim();
  }

  /**
   * To be called before a name of a file is taken away. What is returned is to be called where that failed; undefined: the trash
   * has not taken the file. Unfinished.
   */
  take(directory: Directory, name: Buffer, status: Status): (() => void) | undefined {
    if (this.keepMs === 0 || isDirectory(status) || status.nlink !== 1) return undefined;
    const { quota, held, identities, clock } = this.#parts;
    const bytes = chargedBytes({ directory: directory.fd, name, status });
    let place: ItemPlace;
    try {
      const path = identities.wayTo(directory);
      if (path === undefined) throw new Error('nobody knows where the directory is');
      if (path.length > MAX_PATH) throw new Error('no client could name the path');
      quota.prepare();
      place = this.#batches.link(periodOf(clock.date()), path, directory.fd, name);
    } catch (error) {
      if (error instanceof Unfinished) throw error;
      this.#logRefusal(error);
      return undefined;
    }
    quota.moveToTrash(bytes, 1);
    held.setTrashed(status.ino, bytes);
    return () => {
      held.setTrashed(status.ino, undefined);
      quota.moveToTrash(-bytes, -1);
      unlinkat(this.#opened, itemId(place), 0);
    };
  }

  /** What a change of a file is charged to: as `account`, but that a file in here changes what is in here. */
  accountOf(ino: bigint, account: Account): Account {
    return this.#parts.held.isTrashed(ino) ? new TrashAccount(account, ino, this.#parts) : account;
  }

  /** As TrashPages.page(). */
  page(from: Buffer | null): [items: TrashItem[], next: Buffer | null] {
    return this.#pages.page(from);
  }

  /** Where an item was; undefined: that is not known. ENOENT. */
  pathOf(id: Buffer): RemotePath | undefined {
    return this.#pages.pathOf(this.find(id).place);
  }

  /** ENOENT. */
  find(id: Buffer): FoundItem {
    const place = parseItemId(id);
    const directory = this.#batches.fd;
    const status = directory && statusIfAny(directory, id);
    if (directory === undefined || status === undefined || isDirectory(status)) throw noSuchItem();
    return { place, directory, name: itemId(place), status };
  }

  /** An item has got a name in the home, and has none here any more. */
  restored({ place, status }: FoundItem, where: Located): void {
    this.#parts.quota.moveToTrash(-chargedBytes(where), -1);
    this.#parts.held.setTrashed(status.ino, undefined);
    this.#batches.removeIfEmpty(place.period, place.batch);
  }

  /** Removes an item for good. ENOENT; Unfinished. */
  remove(id: Buffer): void {
    const { place } = this.find(id);
    this.#parts.changed();
    this.#discard(place);
    this.#batches.removeIfEmpty(place.period, place.batch);
  }

  /** Removes all items for good, while others have their turns. What was there. ECANCELED: it was stopped before that. */
  async empty(): Promise<Use> {
    const { trashed } = this.#parts.quota;
    if (!(await this.#removeInTurns())) {
      throw new Failure('ECANCELED', 'the home was closed before the trash was empty');
    }
    return trashed;
  }

  /** Removes what was kept for its time, while others have their turns. */
  async removeExpired(): Promise<void> {
    const { clock } = this.#parts;
    if (this.keepMs > 0) await this.#removeInTurns(periodOf(clock.date() - this.keepMs));
  }

  /** What the quota calls for room (Quota). Unfinished. */
  makeRoom(short: Use): void {
    const { quota } = this.#parts;
    const { used, limits } = quota;
    const isShort = (bytes: number, files: number): boolean =>
      quota.used.bytes > used.bytes - bytes || quota.used.files > used.files - files;
    const wanted = {
      bytes: withAhead(short.bytes, limits.bytes, MOST_AHEAD.bytes),
      files: withAhead(short.files, limits.files, MOST_AHEAD.files),
    };
    const more = this.#sliceOfClosed(() => isShort(wanted.bytes, wanted.files));
    if (more && isShort(short.bytes, short.files)) throw new Unfinished(this.#nextTurn());
  }

  /** Nothing more is removed in turns. */
  stop(): void {
    this.#stopped = true;
  }

  close(): void {
    this.#emptying.close();
    this.#batches.close();
  }

  /** A full disk: gives back what can be in a slice. */
  #reclaim(): Promise<void> | undefined {
    const { quota } = this.#parts;
    const before = quota.used;
    if (quota.trashed.files === 0) return undefined;
    const more = this.#sliceOfClosed(() => quota.used.bytes > before.bytes - RECLAIMED_AT_ONCE);
    return more || quota.used.files < before.files ? this.#nextTurn() : undefined;
  }

  /** Goes on removing while that is wanted and the turn is not over. False: there is nothing left to go on with. */
  #slice(end: string | undefined, isWanted: () => boolean, alsoOpen = true): boolean {
    const { turns, changed } = this.#parts;
    changed();
    while (isWanted()) {
      if (!this.#emptying.step((place) => this.#discardIfPossible(place, alsoOpen), end)) return false;
      if (turns.isOver) break;
    }
    return true;
  }

  /** The same of what makes room by it. */
  #sliceOfClosed(isWanted: () => boolean): boolean {
    return this.#slice(undefined, isWanted, false);
  }

  /** `end`: the first period that stays. Whether all that was to go was gone through; false: it was stopped. */
  async #removeInTurns(end?: string): Promise<boolean> {
    const { turns, whenChangeable, isFrozen } = this.#parts;
    let more = this.#batches.periods.length > 0;
    while (more && !this.#stopped) {
      await whenChangeable();
      more = await turns.putOff(() => this.#stopped || isFrozen() || this.#slice(end, () => true));
    }
    return !more;
  }

  #nextTurn(): Promise<void> {
    return this.#parts.turns.putOff(() => undefined);
  }

  /** Whether it was there, and is not any more. */
  #discardIfPossible(place: ItemPlace, alsoOpen: boolean): boolean {
    try {
      return this.#discard(place, alsoOpen);
    } catch (error) {
      if (!(error instanceof Unfinished)) this.#logRefusal(error);
      return false;
    }
  }

  /** Whether it was there, and is not any more. */
  #discard(place: ItemPlace, alsoOpen = true): boolean {
    const { quota, held, owners } = this.#parts;
    const [directory, name] = [this.#opened, itemId(place)];
    const status = statusIfAny(directory, name);
    if (status === undefined || isDirectory(status)) return false;
    if (!alsoOpen && held.isHeld(status.ino)) return false;
    held.freeing.requireIdle(status.ino);
    const file = { directory, name, parent: 0n, status };
    quota.prepare();
    const bytes = chargedBytes(file);
    const freed = held.freedBy(file);
    const open = held.freeing.open(file);
    try {
      unlinkat(directory, name, 0);
    } finally {
      if (open !== undefined) held.freeing.close(open);
    }
    held.setTrashed(status.ino, undefined);
    quota.asOne(() => {
      quota.moveToTrash(-bytes, -1);
      quota.release(freed.bytes, freed.files);
    });
    if (status.nlink <= 1 && !held.isHeld(status.ino)) owners.removed(status);
    return true;
  }

  get #opened(): Fd {
    const { fd } = this.#batches;
    if (fd === undefined) throw noSuchItem();
    return fd;
  }

  #logRefusal(error: unknown): void {
    const { clock, log, home } = this.#parts;
    if (clock.now() - this.#loggedAt < QUIET_MS) return;
    this.#loggedAt = clock.now();
    log.warn({ error, home }, 'the trash did not take, or give, what it should');
  }
}

function withAhead(short: number, limit: number, most: number): number {
  return short <= 0 ? 0 : short + Math.min(Math.floor(limit / AHEAD), most);
}
