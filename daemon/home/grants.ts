/*
 * What clients are given ahead, so that they can answer for the home without asking: bytes and files out of the quota, and
 * inode numbers.
 *
 * Invariant: what all clients have left is what the quota has set aside. The operations of a client's log are charged to its
 * grant first, and give back into it, because the client counts so at once; its awaited changes are charged to the quota, and
 * to its grant only where the quota has no more, so that the client is surprised by nothing that it does not know of.
 */
import type { FileId } from '../../protocol/references.js';
import type { Use } from '../../state/ledger.js';
import type { ConfinedTree } from './confined.js';
import { GrantedInodes, InodePool } from './granted-inodes.js';
import { requireRoom, type Account, type Quota } from './quota.js';

/** (bytes, files, ids of regular files, ids of directories), as `grant` answers. */
export type Granted = [bytes: number, files: number, regular: FileId[], directories: FileId[]];

export class ClientGrant {
  readonly inodes: GrantedInodes;
  /** What operations of the client's log are charged to. */
  readonly log: Account;
  /** What its awaited changes are charged to. */
  readonly awaited: Account;
  readonly #quota: Quota;
  #left: Use = { bytes: 0, files: 0 };

  constructor(quota: Quota, pool: InodePool) {
    this.#quota = quota;
    this.inodes = new GrantedInodes(pool);
    this.log = new LogAccount(quota, this);
    this.awaited = new AwaitedAccount(quota, this);
  }

  /** What the client has and has not used, of bytes and of files. */
  get left(): Use {
    return this.#left;
  }

  /** Gives ahead what there is room for, up to this; negative numbers give back. */
  take(bytes: number, files: number, regular: number, directories: number): Granted {
    this.#giveBack(Math.max(0, -bytes), Math.max(0, -files));
    const granted = this.#quota.grant(Math.max(0, bytes), Math.max(0, files));
    this.changeLeft(granted.bytes, granted.files);
    const inodes = this.inodes.make(regular, directories);
    return [granted.bytes, granted.files, inodes.files, inodes.directories];
  }

  /** The client has gone: all is given back. */
  close(): void {
    this.#giveBack(this.#left.bytes, this.#left.files);
    this.inodes.close();
  }

  /** Called by its accounts, which change by as much what the quota has set aside. */
  changeLeft(bytes: number, files: number): void {
    this.#left = { bytes: this.#left.bytes + bytes, files: this.#left.files + files };
  }

  #giveBack(bytes: number, files: number): void {
    const back = { bytes: Math.min(bytes, this.#left.bytes), files: Math.min(files, this.#left.files) };
    this.#quota.ungrant(back);
    this.changeLeft(-back.bytes, -back.files);
  }
}

export class Grants {
  readonly #quota: Quota;
  readonly #pool: InodePool;

  /** `unnamed`: see InodePool. */
  constructor(parts: { tree: ConfinedTree; quota: Quota; unnamed?: boolean }) {
    this.#quota = parts.quota;
    this.#pool = new InodePool(parts.tree, parts.unnamed);
  }

  client(): ClientGrant {
    return new ClientGrant(this.#quota, this.#pool);
  }

  /** The clients' grants have been closed. */
  close(): void {
    this.#pool.close();
  }
}

/** A quota and a grant out of it. */
abstract class GrantAccount implements Account {
  protected readonly quota: Quota;
  protected readonly grant: ClientGrant;

  constructor(quota: Quota, grant: ClientGrant) {
    this.quota = quota;
    this.grant = grant;
  }

  prepare(): void {
    this.quota.prepare();
  }

  hasRoom(bytes: number, files: number): boolean {
    const { left } = this.grant;
    return this.quota.hasRoom(Math.max(0, bytes - left.bytes), Math.max(0, files - left.files));
  }

  fitting(bytes: number): number {
    return Math.min(bytes, this.grant.left.bytes + this.quota.room.bytes);
  }

  reserve(bytes: number, files: number): void {
    requireRoom(this, bytes, files);
    const ofGrant = this.share(bytes, files);
    this.quota.charge(bytes, files, ofGrant);
    this.grant.changeLeft(-ofGrant.bytes, -ofGrant.files);
  }

  abstract release(bytes: number, files: number): void;

  /** What the grant pays of a charge that there is room for. */
  protected abstract share(bytes: number, files: number): Use;
}

class LogAccount extends GrantAccount {
  protected override share(bytes: number, files: number): Use {
    const { left } = this.grant;
    return { bytes: Math.min(bytes, left.bytes), files: Math.min(files, left.files) };
  }

  override release(bytes: number, files: number): void {
    const given = this.quota.giveBack(bytes, files);
    this.quota.setAside(given);
    this.grant.changeLeft(given.bytes, given.files);
  }
}

class AwaitedAccount extends GrantAccount {
  protected override share(bytes: number, files: number): Use {
    const { room } = this.quota;
    return { bytes: Math.max(0, bytes - room.bytes), files: Math.max(0, files - room.files) };
  }

  override release(bytes: number, files: number): void {
    this.quota.release(bytes, files);
  }
}
