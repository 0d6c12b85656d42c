/**
 * Locks of open files: fcntl(2) and flock(2).
 *
 * Where this mount owns the file's unit for writing, they are decided here, at once. Else the server decides, for all mounts of
 * the home; so it does about a file of which this mount has something there, until it has none of it any more. What was
 * decided here is given over with the recall, before the unit is (`relock`), and before the file leaves the unit; who waits here
 * waits there from then on.
 *
 * Invariants:
 * - the table has all locks of this mount: those that are decided about here, and of the others what the server has said,
 *   less what it was asked to take back;
 * - requests about one file are sent in the order in which they were made, behind the operations of the log that touch it;
 * - while anything of this mount is at the server, nobody waits here: a circle of waits is seen there or here as a whole.
 */
import { Failure } from '../../protocol/failure.js';
import {
  F_UNLCK,
  LAST_BYTE,
  LOCK_FLOCK,
  LOCK_POSIX,
  packLock,
  type Lock,
  type LockKind,
} from '../../protocol/file-locks.js';
import { compact, packRef } from '../../protocol/references.js';
import { isWithin } from '../../locks/ranges.js';
import { LockTable, tooMany, type LockRequest, type LockWait } from '../../locks/lock-table.js';
import type { Caller, Eventually } from '../operations.js';
import { interrupted, interruptible, onAnySignal } from '../remote/interruption.js';
import type { Inode } from '../tree/inode.js';
import type { FileHandle } from './handles.js';
import type { Home } from './home.js';

type Request = LockRequest<bigint>;

/** Gives back all that an owner has of a file. */
const UNLOCK_ALL: Lock = { type: F_UNLCK, start: 0n, end: LAST_BYTE, pid: 0 };

/** A file with locks, or of which some are asked for. */
interface LockedFile {
  readonly inode: Inode;
  /** The server decides. */
  atServer: boolean;
  /** Requests to the server without an answer, and those that wait here. */
  underWay: number;
  /** Owners of whom the server may have more than is known here: a wait was given up without its answer. */
  readonly unsure: Map<string, { readonly owner: bigint; readonly kind: LockKind }>;
  /** Resolves when the last request about it was sent. */
  turn: Promise<unknown> | undefined;
}

/** Where locks that are lost are told: the part of a pino logger that is used here. */
export interface LostLockLog {
  error(details: object, message: string): void;
}

export class FileLocks {
  readonly #home: Home;
  readonly #log: LostLockLog;
  readonly #table = new LockTable<Inode, bigint>(() => 'mount');
  readonly #files = new Map<Inode, LockedFile>();
  /** Those who wait here: has them wait at the server. */
  readonly #waits = new Map<LockWait<Inode, bigint>, () => void>();
  /** Open files through which something was locked. */
  readonly #through = new Map<Inode, Set<FileHandle>>();
  /** How many files are at the server. */
  #atServer = 0;
  /** How many more locks there are, when what the server was asked for is answered. */
  #growth = 0;
  /** Those that have no answer. */
  readonly #relocks = new Set<Promise<void>>();
  /** Counts lost connections. */
  #losses = 0;

  constructor(home: Home, log: LostLockLog) {
    this.#home = home;
    this.#log = log;
  }

  /** fcntl(2), flock(2). EAGAIN, EDEADLK, EINTR, ENOLCK; EIO where locks of this open file were lost. */
  set(handle: FileHandle, request: Request, wait: boolean, caller: Caller): Eventually<void> {
    requireLocks(handle);
    const { inode } = handle;
    const file = this.#fileOf(inode);
    if (request.lock.type !== F_UNLCK) this.#note(handle, request);
    try {
      if (!this.#decides(file)) return this.#taken(handle, request, this.#ask(file, request, wait, caller));
      if (this.#table.take(inode, request)) return undefined;
      if (!wait) throw new Failure('EAGAIN', 'another one has it locked');
      const waiting =
        this.#atServer > 0 ? this.#ask(file, request, wait, caller) : this.#waitHere(file, request, caller);
      return this.#taken(handle, request, waiting);
    } finally {
      this.#tidy(file);
    }
  }

  /** The outcome of a request that took time. */
  async #taken(handle: FileHandle, { owner, kind }: Request, asked: Promise<void>): Promise<void> {
    try {
      await underLocks(handle, asked);
    } catch (failure) {
      const file = this.#files.get(handle.inode);
      if (handle.locksLost && file !== undefined) void this.#release(file, owner, kind);
      throw failure;
    }
  }

  /** F_GETLK: a lock that is in the way. */
  get(handle: FileHandle, owner: bigint, lock: Lock, caller: Caller): Eventually<Lock | undefined> {
    requireLocks(handle);
    const { inode } = handle;
    const file = this.#fileOf(inode);
    if (this.#decides(file)) {
      const [found] = this.#table.opponents(inode, { owner, kind: LOCK_POSIX, lock });
      this.#tidy(file);
      return found?.lock;
    }
    this.#giveOver(file);
    file.underWay += 1;
    const { remote, tree } = this.#home;
    const asked = new Promise<Lock | undefined>((resolve, reject) => {
      const failed = (failure: Failure): void => {
        this.#ended(file);
        reject(failure);
      };
      this.#inTurn(file, failed, () => {
        const params = [packRef(tree.refOf(inode)), compact(owner), packLock(lock)];
        remote.request('getLock', params, undefined, (failure, found) => {
          if (failure !== undefined) return failed(failure);
          this.#ended(file);
          resolve(found ?? undefined);
        });
      });
    });
    return interruptible(asked, caller);
  }

  /** close(2) of one descriptor: its process has no POSIX locks of the file any more, whatever it locked them through. */
  closed({ inode }: FileHandle, owner: bigint, caller: Caller): Eventually<void> {
    const file = this.#files.get(inode);
    if (file === undefined) return undefined;
    for (const { locks } of this.#through.get(inode) ?? []) locks?.[LOCK_POSIX].delete(owner);
    const released = this.#release(file, owner, LOCK_POSIX, caller);
    // What is sent when there is a connection again keeps nobody from closing.
    return this.#home.remote.connected ? released : undefined;
  }

  /** The open file has no descriptor any more. */
  released(handle: FileHandle): void {
    const { inode, locks } = handle;
    if (locks === undefined) return;
    const others = this.#through.get(inode);
    others?.delete(handle);
    if (others?.size === 0) this.#through.delete(inode);
    const file = this.#files.get(inode);
    if (file === undefined) return;
    for (const kind of [LOCK_POSIX, LOCK_FLOCK] as const) {
      for (const owner of locks[kind]) void this.#release(file, owner, kind);
    }
  }

  /**
   * The file may belong to another mount's unit in a moment, by a change of its names: the server decides about it from now on.
   * Resolves when it was told so; undefined: there is nothing to wait for.
   */
  leaving(inode: Inode): Promise<unknown> | undefined {
    const file = this.#files.get(inode);
    if (file === undefined) return undefined;
    this.#giveOver(file);
    return file.turn;
  }

  /** A recall: gives over what is not to be decided about here any more. Resolves when that was sent. */
  recalled(): Promise<unknown> | undefined {
    const { tree } = this.#home;
    const turns: Promise<unknown>[] = [];
    for (const file of [...this.#files.values()]) {
      if (!tree.mayChange(file.inode)) this.#giveOver(file);
      if (file.turn !== undefined) turns.push(file.turn);
    }
    return turns.length === 0 ? undefined : Promise.all(turns);
  }

  /** The connection was lost. */
  lost(): void {
    this.#losses += 1;
  }

  /**
   * There is one again: says what this mount has at the server, and without its leases also what it decided itself. Resolves
   * when that is answered: what waits to be sent again must not be, where its lock is lost.
   */
  connected(leased: boolean): Promise<unknown> {
    for (const file of [...this.#files.values()]) {
      if (file.atServer) this.#relockAll(file);
      else if (!leased) this.#giveOver(file);
    }
    return Promise.all(this.#relocks);
  }

  /** Whether this mount decides about a file. */
  #decides(file: LockedFile): boolean {
    return !file.atServer && this.#home.tree.mayChange(file.inode);
  }

  // Waiting

  #waitHere(file: LockedFile, request: Request, caller: Caller): Promise<void> {
    return new Promise((resolve, reject) => {
      const wait = this.#table.wait(file.inode, request, (failure) => {
        end();
        if (failure === undefined) resolve();
        else reject(failure);
      });
      file.underWay += 1;
      this.#waits.set(wait, () => {
        this.#table.withdraw(wait);
        resolve(this.#ask(file, request, true, caller));
        end();
      });
      const endWatch = onAnySignal(caller, () => {
        this.#table.withdraw(wait);
        end();
        reject(interrupted());
      });
      const end = (): void => {
        endWatch();
        this.#waits.delete(wait);
        this.#ended(file);
      };
    });
  }

  // The server

  /** Has the server decide about a file from now on. */
  #giveOver(file: LockedFile): void {
    if (file.atServer) return;
    file.atServer = true;
    this.#atServer += 1;
    this.#relockAll(file);
    for (const wait of [...this.#table.waits(file.inode)]) this.#waits.get(wait)?.();
    for (const wait of [...this.#waits.keys()]) {
      const other = this.#files.get(wait.file);
      if (other !== undefined) this.#giveOver(other);
    }
  }

  /** Asks the server for a lock, or gives one back there. */
  #ask(file: LockedFile, request: Request, wait: boolean, caller?: Caller): Promise<void> {
    const { owner } = request;
    const growth = this.#table.growth(file.inode, request);
    // The server bounds what it was told of. It must have room for the rest as well, when that is recalled.
    if (growth > 0 && !this.#table.hasRoom(owner, growth + this.#growth)) return Promise.reject(tooMany());
    this.#growth += growth;
    this.#giveOver(file);
    file.underWay += 1;
    const asked = new Promise<void>((resolve, reject) => {
      let withdraw: (() => void) | undefined;
      let gaveUp = false;
      let losses: number | undefined;
      let lessens = false;
      // Locking is restartable: the kernel has the program ask again where it wants that.
      const endWatch =
        wait && caller !== undefined
          ? onAnySignal(caller, () => {
              gaveUp = true;
              withdraw?.();
            })
          : () => undefined;
      const done = (failure: Failure | undefined): void => {
        endWatch();
        this.#growth -= growth;
        if (failure === undefined) this.#put(file, request, resolve, reject);
        else {
          const unsure = losses !== undefined && (failure.kind !== 'ECANCELED' || losses !== this.#losses);
          const isUnknown = unsure && (gaveUp || failure.kind === 'ETIMEDOUT');
          if (isUnknown || lessens) this.#unsure(file, request);
          reject(gaveUp ? interrupted() : failure);
        }
        this.#ended(file);
      };
      const send = (): void => {
        if (gaveUp) return done(interrupted());
        losses = this.#losses;
        // Others may have it before the answer is here: after a lost connection it must not be said to be held.
        const held = this.#table.locksOf(file.inode, owner, request.kind);
        lessens =
          isWithin(held, request.lock) && this.#table.hasRoom(owner, this.#table.growth(file.inode, request));
        if (lessens) this.#table.put(file.inode, request);
        const { remote, tree } = this.#home;
        const { kind, lock } = request;
        const params = [packRef(tree.refOf(file.inode)), compact(owner), kind, packLock(lock), wait];
        withdraw = remote.request('lock', params, undefined, done);
      };
      this.#inTurn(file, done, send);
    });
    return wait || caller === undefined ? asked : interruptible(asked, caller);
  }

  /** The server has given a lock, or taken it back. */
  #put(file: LockedFile, request: Request, taken: () => void, refused: (failure: Failure) => void): void {
    try {
      this.#table.put(file.inode, request);
      taken();
    } catch (thrown) {
      // Others that were answered meanwhile left no room: it has what it had before.
      this.#relock(file, request.owner, request.kind);
      refused(Failure.from(thrown));
    }
  }

  #relockAll(file: LockedFile): void {
    const owners = new Map(file.unsure);
    file.unsure.clear();
    for (const owned of this.#table.held(file.inode)) owners.set(keyOf(owned), owned);
    for (const { owner, kind } of owners.values()) this.#relock(file, owner, kind);
  }

  /** Says what an owner has of a file that the server decides about. */
  #relock(file: LockedFile, owner: bigint, kind: LockKind): void {
    const { remote, tree } = this.#home;
    file.underWay += 1;
    let answered: () => void = () => undefined;
    const answer = new Promise<void>((resolve) => {
      answered = resolve;
    });
    this.#relocks.add(answer);
    const done = (failure: Failure | undefined): void => {
      // It is said again over the next connection.
      if (failure?.kind === 'ECONNRESET') file.unsure.set(keyOf({ owner, kind }), { owner, kind });
      else if (failure !== undefined) this.#refused(file, owner, kind, failure);
      this.#relocks.delete(answer);
      answered();
      this.#ended(file);
    };
    this.#inTurn(file, done, () => {
      const locks = this.#table.locksOf(file.inode, owner, kind).map(packLock);
      const params = [packRef(tree.refOf(file.inode)), compact(owner), kind, locks];
      remote.request('relock', params, undefined, done, { once: true });
    });
  }

  #unsure(file: LockedFile, { owner, kind }: Request): void {
    if (this.#home.remote.connected) this.#relock(file, owner, kind);
    else file.unsure.set(keyOf({ owner, kind }), { owner, kind });
  }

  /** Others may have had it locked: who believes to have it is told at whatever it does next. */
  #refused({ inode }: LockedFile, owner: bigint, kind: LockKind, failure: Failure): void {
    const [first] = this.#table.locksOf(inode, owner, kind);
    if (first === undefined) return;
    this.#table.release(inode, owner, kind);
    for (const handle of this.#through.get(inode) ?? []) {
      if (handle.locks?.[kind].delete(owner) !== true) continue;
      handle.locksLost = true;
      for (const withdraw of handle.writes) withdraw();
    }
    const path = this.#home.tree.pathOf(inode)?.toString();
    this.#log.error({ path, pid: first.pid, reason: failure.message }, 'a lock was lost');
  }

  // Sending

  /** Sends something about a file when all before it was sent, and the log's operations that touch it. */
  #inTurn(file: LockedFile, failed: (failure: Failure) => void, send: () => void): void {
    const { log, remote } = this.#home;
    const { last } = file.inode;
    const behind = last === undefined || last.orphaned ? undefined : log.whenSent(last);
    if (file.turn === undefined && behind === undefined) return send();
    const turn: Promise<unknown> = remote
      .bounded(Promise.all([file.turn, behind]))
      .then(send, (thrown: unknown) => failed(Failure.from(thrown)))
      .finally(() => {
        if (file.turn === turn) file.turn = undefined;
        this.#tidy(file);
      });
    file.turn = turn;
  }

  // What is kept

  /** Gives back what an owner has of a file. */
  #release(file: LockedFile, owner: bigint, kind: LockKind, caller?: Caller): Eventually<void> {
    if (!file.atServer) {
      this.#table.release(file.inode, owner, kind);
      return this.#tidy(file);
    }
    if (this.#table.locksOf(file.inode, owner, kind).length === 0) return undefined;
    return this.#ask(file, { owner, kind, lock: UNLOCK_ALL }, false, caller).catch(() => undefined);
  }

  #note(handle: FileHandle, { owner, kind }: Request): void {
    const { inode } = handle;
    handle.locks ??= [new Set(), new Set()];
    handle.locks[kind].add(owner);
    const others = this.#through.get(inode);
    if (others === undefined) this.#through.set(inode, new Set([handle]));
    else others.add(handle);
  }

  #fileOf(inode: Inode): LockedFile {
    let file = this.#files.get(inode);
    if (file === undefined) {
      file = { inode, atServer: false, underWay: 0, unsure: new Map(), turn: undefined };
      this.#files.set(inode, file);
    }
    return file;
  }

  #ended(file: LockedFile): void {
    file.underWay -= 1;
    this.#tidy(file);
  }

  /** A file of which there is nothing any more is nobody's. */
  #tidy(file: LockedFile): void {
    if (file.underWay > 0 || file.unsure.size > 0 || file.turn !== undefined) return;
    if (this.#table.has(file.inode) || !this.#files.delete(file.inode)) return;
    if (file.atServer) this.#atServer -= 1;
  }
}

/** EIO where locks that were taken through this open file are lost: others may have changed what they were to protect. */
export function requireLocks({ locksLost }: FileHandle): void {
  if (locksLost) throw new Failure('EIO', 'its lock was lost');
}

/** The outcome of what was done under locks; EIO where they were lost meanwhile. */
export async function underLocks<T>(handle: FileHandle, done: Promise<T>): Promise<T> {
  try {
    const result = await done;
    requireLocks(handle);
    return result;
  } catch (failure) {
    requireLocks(handle);
    throw failure;
  }
}

function keyOf({ owner, kind }: { readonly owner: bigint; readonly kind: LockKind }): string {
  return `${kind} ${owner}`;
}
