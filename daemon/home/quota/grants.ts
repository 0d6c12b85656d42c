/*
 * What clients are given ahead, so that they can answer for the home without asking: bytes and files out of the quota, and
 * inode numbers.
 *
 * Invariant: what all clients have left is what the quota has set aside. The operations of a client's log are charged to its
 * grant first, and give back into it, because the client counts so at once; its awaited changes are charged to the quota alone,
 * never to its grant, of which it may just be using the last byte. What is not there only because it is granted is refused as
 * GrantedAway, and nothing was done: it is to be tried again when that was given back (room-recalls.ts).
 */
import { Failure } from '../../../protocol/failure.js';
import type { FileId } from '../../../protocol/references.js';
import type { Use } from '../../../state/ledger.js';
import type { ConfinedTree } from '../disk/confined.js';
import { GrantedInodes, InodePool } from './granted-inodes.js';
import type { Account, Quota } from './quota.js';

/** (bytes, files, ids of regular files, ids of directories), as `grant` answers. */
export type Granted = [bytes: number, files: number, regular: FileId[], directories: FileId[]];

/** What one client may have at most, so that sums stay exact. */
const MOST: Use = { bytes: 2 ** 42, files: 2 ** 32 };
/** A client that said that it needs all that it has is not asked again for so long (milliseconds). */
const ASKED_AGAIN_MS = 1000;
const NOTHING: Use = { bytes: 0, files: 0 };

/** There would be room if others gave back what they were granted and may not need. */
export class GrantedAway extends Failure {
  /** Whose grant is not asked for, if any is not. */
  readonly by: ClientGrant | undefined;

  constructor(by?: ClientGrant) {
    super('EDQUOT', 'the rest of the quota is granted');
    this.by = by;
  }
}

export class ClientGrant {
  readonly inodes: GrantedInodes;
  /** What operations of the client's log are charged to. */
  readonly log: Account;
  /** What its awaited changes are charged to. */
  readonly awaited: Account;
  readonly #quota: Quota;
  readonly #grants: Grants;
  #left: Use = NOTHING;
  #allNeededAt = -Infinity;

  constructor(grants: Grants, quota: Quota, pool: InodePool) {
    this.#quota = quota;
    this.#grants = grants;
    this.inodes = new GrantedInodes(pool);
    this.log = new LogAccount(quota, this);
    this.awaited = new AwaitedAccount(quota, () => grants.spare());
  }

  /** What the client has and has not used, of bytes and of files. */
  get left(): Use {
    return this.#left;
  }

  /** What the client may have and not need: all, unless it has just said otherwise, and got nothing back since. */
  get spare(): Use {
    return this.#grants.now() - this.#allNeededAt < ASKED_AGAIN_MS ? NOTHING : this.#left;
  }

  /** The client says that it needs all that it has. */
  allNeeded(): void {
    this.#allNeededAt = this.#grants.now();
  }

  /** Gives ahead what there is room for, up to this; negative numbers give back. `needed`: GrantedAway. */
  take(bytes: number, files: number, regular: number, directories: number, needed = NOTHING): Granted {
    const spare = this.#grants.spare(this);
    this.#quota.makeRoom(
      Math.max(0, Math.min(needed.bytes, bytes)),
      Math.max(0, Math.min(needed.files, files)),
      spare,
    );
    const { room } = this.#quota;
    const isShort = (need: number, asked: number, there: number, ofOthers: number): boolean =>
      Math.min(need, asked) > there && ofOthers > 0;
    if (
      isShort(needed.bytes, bytes, room.bytes, spare.bytes) ||
      isShort(needed.files, files, room.files, spare.files)
    ) {
      throw new GrantedAway(this);
    }
    this.#giveBack(Math.max(0, -bytes), Math.max(0, -files));
    const most = (asked: number, most: number, left: number): number =>
      Math.max(0, Math.min(asked, most - left));
    const granted = this.#quota.grant(
      most(bytes, MOST.bytes, this.#left.bytes),
      most(files, MOST.files, this.#left.files),
    );
    this.changeLeft(granted.bytes, granted.files);
    const inodes = this.inodes.make(regular, directories);
    return [granted.bytes, granted.files, inodes.files, inodes.directories];
  }

  /** The client has gone: all is given back. */
  close(): void {
    this.#giveBack(this.#left.bytes, this.#left.files);
    this.inodes.close();
    this.#grants.ended(this);
  }

  /** Called by its account: its log has freed so much. That need not be needed. */
  freed({ bytes, files }: Use): void {
    this.changeLeft(bytes, files);
    if (bytes > 0 || files > 0) this.#allNeededAt = -Infinity;
  }

  /** Called by its accounts, which change by as much what the quota has set aside. */
  changeLeft(bytes: number, files: number): void {
    this.#left = { bytes: this.#left.bytes + bytes, files: this.#left.files + files };
  }

  #giveBack(bytes: number, files: number): void {
    const back = { bytes: Math.min(bytes, this.#left.bytes), files: Math.min(files, this.#left.files) };
    if (back.bytes === 0 && back.files === 0) return;
    this.changeLeft(-back.bytes, -back.files);
    this.#quota.ungrant(back);
  }
}

export class Grants {
  /** Milliseconds that only grow. */
  readonly now: () => number;
  readonly pool: InodePool;
  readonly #quota: Quota;
  readonly #clients = new Set<ClientGrant>();

  /** `unnamed`: see InodePool. */
  constructor(parts: { tree: ConfinedTree; quota: Quota; now: () => number; unnamed?: boolean }) {
    this.now = parts.now;
    this.#quota = parts.quota;
    this.pool = new InodePool(parts.tree, parts.unnamed);
  }

  client(): ClientGrant {
    const grant = new ClientGrant(this, this.#quota, this.pool);
    this.#clients.add(grant);
    return grant;
  }

  /** Called by the grants. */
  ended(grant: ClientGrant): void {
    this.#clients.delete(grant);
  }

  /** Called by the grants: what clients may have and not need, but this one. */
  spare(but?: ClientGrant): Use {
    let [bytes, files] = [0, 0];
    for (const grant of this.#clients) {
      if (grant === but) continue;
      const { spare } = grant;
      bytes += spare.bytes;
      files += spare.files;
    }
    return { bytes, files };
  }

  /** The clients' grants have been closed. */
  close(): void {
    this.pool.close();
  }
}

/** A grant first, and the quota where it has no more. */
class LogAccount implements Account {
  readonly #quota: Quota;
  readonly #grant: ClientGrant;

  constructor(quota: Quota, grant: ClientGrant) {
    this.#quota = quota;
    this.#grant = grant;
  }

  prepare(): void {
    this.#quota.prepare();
  }

  hasRoom(bytes: number, files: number): boolean {
    const { left } = this.#grant;
    return this.#quota.hasRoom(Math.max(0, bytes - left.bytes), Math.max(0, files - left.files));
  }

  fitting(bytes: number): number {
    const { left } = this.#grant;
    return bytes <= left.bytes ? bytes : left.bytes + this.#quota.fitting(bytes - left.bytes);
  }

  requireRoom(bytes: number, files: number): void {
    const { left } = this.#grant;
    this.#quota.requireRoom(Math.max(0, bytes - left.bytes), Math.max(0, files - left.files));
  }

  reserve(bytes: number, files: number): void {
    this.requireRoom(bytes, files);
    const { left } = this.#grant;
    const ofGrant = { bytes: Math.min(bytes, left.bytes), files: Math.min(files, left.files) };
    this.#quota.charge(bytes, files, ofGrant);
    this.#grant.changeLeft(-ofGrant.bytes, -ofGrant.files);
  }

  release(bytes: number, files: number): void {
    const given = this.#quota.giveBack(bytes, files);
    // Beyond a limit that was lowered it is not granted again.
    const granted = this.#quota.grant(given.bytes, given.files);
    this.#grant.freed(granted);
  }
}

/** The quota. Before it refuses anything, clients are to be asked for what they do not need. */
class AwaitedAccount implements Account {
  readonly #quota: Quota;
  readonly #spare: () => Use;

  constructor(quota: Quota, spare: () => Use) {
    this.#quota = quota;
    this.#spare = spare;
  }

  prepare(): void {
    this.#quota.prepare();
  }

  hasRoom(bytes: number, files: number): boolean {
    return this.#quota.hasRoom(bytes, files);
  }

  fitting(bytes: number): number {
    if (!this.hasRoom(bytes, 0) && this.#spare().bytes > 0) throw new GrantedAway();
    return this.#quota.fitting(bytes);
  }

  requireRoom(bytes: number, files: number): void {
    if (!this.hasRoom(bytes, files)) {
      const spare = this.#spare();
      this.#quota.makeRoom(bytes, files, spare);
      const wouldFit = this.hasRoom(Math.max(0, bytes - spare.bytes), Math.max(0, files - spare.files));
      if (wouldFit && !this.hasRoom(bytes, files)) throw new GrantedAway();
    }
    this.#quota.requireRoom(bytes, files);
  }

  reserve(bytes: number, files: number): void {
    this.requireRoom(bytes, files);
    this.#quota.reserve(bytes, files);
  }

  release(bytes: number, files: number): void {
    this.#quota.release(bytes, files);
  }
}
