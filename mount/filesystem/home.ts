/**
 * The mounted home as its operations share it, and the two ways in which a change is made:
 *
 * - append(): under a lease for writing. The tree has checked and made the change; the log carries it to the server.
 * - change(): one operation, awaited. The server checks and makes it; the tree learns from its answer.
 *
 * Invariants:
 * - What is asked of the server about an inode is sent behind the operations of the log that touch it, so that the answer
 *   knows of them.
 * - An answer is put into the tree while it is received, never later, so that answers and recalls take effect in the
 *   order in which they came.
 */
import type { Attributes } from '../../protocol/attributes.js';
import { Failure } from '../../protocol/failure.js';
import { LEASE_WRITE, WHOLE_HOME, type MethodName, type Result } from '../../protocol/methods.js';
import { packOperation, type LogOperation, type Operation } from '../../protocol/operations.js';
import type { Cancel } from '../data/fetch.js';
import type { Grants } from '../lease/grants.js';
import type { Leases } from '../lease/holdings.js';
import type { Charge, Entry } from '../log/entry.js';
import type { Log } from '../log/log.js';
import type { Sender } from '../log/sender.js';
import type { Caller, Eventually } from '../operations.js';
import { interruptible } from '../remote/interruption.js';
import type { Remote } from '../remote/remote.js';
import { packRef } from '../../protocol/references.js';
import type { DirectoryInode, Inode } from '../tree/inode.js';
import type { Tree } from '../tree/tree.js';
import { ChangeNumbers } from './change-numbers.js';
import { ChangesUnderWay } from './changes-under-way.js';
import type { KernelView } from './kernel-view.js';
import type { WallClock } from './wall-clock.js';

export const NO_CHARGE: Charge = { bytes: 0, files: 0 };
export const ONE_FILE: Charge = { bytes: 0, files: 1 };

/** So often room is asked for while others go on with changes: then it is used up. */
const MOST_ROUNDS = 32;

/** How much a program waits for: -o sync, -o flush. */
export interface Temper {
  /** A change is answered when the server has made it. */
  readonly sync: boolean;
  /** close(2) is answered when the server has what was written. */
  readonly flush: boolean;
}

export type HomeParts = Pick<
  Home,
  'remote' | 'tree' | 'log' | 'sender' | 'leases' | 'grants' | 'kernel' | 'clock' | 'temper' | 'largestFile'
>;

export class Home {
  readonly remote: Remote;
  readonly tree: Tree;
  readonly log: Log;
  readonly sender: Sender;
  readonly leases: Leases;
  readonly grants: Grants;
  readonly kernel: KernelView;
  readonly clock: WallClock;
  readonly temper: Temper;
  /** Bytes that a file can have on the server's disk: what is larger is EFBIG before there is a question of room. */
  largestFile: number;
  readonly underWay = new ChangesUnderWay();
  readonly changes = new ChangeNumbers();

  constructor(parts: HomeParts) {
    this.remote = parts.remote;
    this.tree = parts.tree;
    this.log = parts.log;
    this.sender = parts.sender;
    this.leases = parts.leases;
    this.grants = parts.grants;
    this.kernel = parts.kernel;
    this.clock = parts.clock;
    this.temper = parts.temper;
    this.largestFile = parts.largestFile;
  }

  /**
   * Asks the server. `params` are made when the request is sent, behind the log's operations that touch the `involved`;
   * `received` sees the result in the receive path, and `failed` the failure, which it may turn into a result. EINTR when
   * the caller is let go.
   */
  ask<M extends MethodName, T>(
    method: M,
    involved: readonly Inode[],
    caller: Caller,
    params: () => unknown[],
    received: (result: Result<M>) => T,
    failed: (failure: Failure) => T = rethrow,
  ): Promise<T> {
    const asked = new Promise<T>((resolve, reject) => {
      this.askForData(method, involved, params, (failure, result) => {
        settle(resolve, reject, () =>
          result === undefined ? failed(failure ?? new Failure('EIO')) : received(result),
        );
      });
    });
    return interruptible(method === 'getattr' ? asked : this.#noticing(asked, involved), caller);
  }

  /** As ask(), for what nobody may be waiting for: without a promise, as there are many of them. */
  askForData<M extends MethodName>(
    method: M,
    involved: readonly Inode[],
    params: () => unknown[],
    arrived: (failure: Failure | undefined, result: Result<M> | undefined) => void,
  ): Cancel {
    let cancelled = false;
    let withdraw: Cancel | undefined;
    const failed = (failure: Failure): void => arrived(failure, undefined);
    const ask = (): void => this.#behindLog('sent', involved, failed, send);
    const send = (): void => {
      if (cancelled) return failed(new Failure('ECANCELED'));
      const { rewinds } = this.log;
      withdraw = this.remote.request(method, params(), undefined, (failure, result) => {
        if (rewinds === this.log.rewinds) arrived(failure, result);
        // A page is told once.
        else if (method === 'listNext') failed(new Failure('ESTALE', 'the listing was cut off'));
        // A server that was killed has forgotten operations that this was sent behind: it is asked behind them again.
        else ask();
      });
    };
    ask();
    return () => {
      cancelled = true;
      withdraw?.();
    };
  }

  /**
   * Has the server make one change, and waits for it. `received` sees the attributes that it left, also where the caller
   * was let go meanwhile (EINTR): the change goes on. `withdrawable` is given what withdraws it while it waits. EDQUOT only
   * where there is no room behind all that was done here before, of whatever files.
   */
  change<T>(
    involved: readonly Inode[],
    caller: Caller,
    operation: () => Operation,
    received: (left: readonly Attributes[]) => T,
    data?: Buffer,
    withdrawable?: (withdraw: Cancel) => void,
  ): Promise<T> {
    const ended = this.underWay.begin(involved.flatMap((inode) => this.tree.possibleUnitsOf(inode)));
    const changed = new Promise<T>((resolve, reject) => {
      const send = (before: Entry | undefined): void => {
        const packed = packOperation(operation());
        // What has a number is answered.
        const withdraw = this.remote.request(
          'change',
          [this.changes.next(), packed],
          data,
          (failure, left) => {
            this.changes.answered();
            if (failure?.kind === 'EDQUOT' && before !== undefined) {
              this.#whenApplied(before, () => send(undefined), reject);
              return;
            }
            settle(resolve, reject, () => {
              if (left === undefined) throw failure ?? new Failure('EIO');
              return received(left);
            });
          },
        );
        withdrawable?.(withdraw);
      };
      // A server that stops within the log would make this before what is sent again of it.
      this.#behindLog('applied', involved, reject, () =>
        send(this.log.unapplied.operations > 0 ? this.log.last : undefined),
      );
    });
    changed.then(ended, ended);
    return interruptible(this.#noticing(changed, involved), caller);
  }

  /**
   * The same outcome; where the server does not know what it was asked for, it is noticed which of the directories were removed.
   * Who got there by a name looks again, as the kernel does by itself for ESTALE. Who has such a directory open finds it
   * empty from then on.
   */
  #noticing<T>(asked: Promise<T>, involved: readonly Inode[]): Promise<T> {
    return asked.catch(async (thrown: unknown) => {
      if (Failure.from(thrown).kind === 'ESTALE') {
        await Promise.all(involved.map((inode) => inode.isDirectory() && this.#lookAgain(inode)));
      }
      throw thrown;
    });
  }

  #lookAgain(directory: DirectoryInode): Promise<void> {
    const params = (): unknown[] => [packRef(this.tree.refOf(directory))];
    return new Promise((resolve, reject) => {
      this.askForData('getattr', [directory], params, (failure, attributes) => {
        settle(resolve, reject, () => {
          if (attributes !== undefined) this.tree.told(directory, attributes);
          else if (failure?.kind === 'ESTALE') this.tree.vanished(directory);
        });
      });
    });
  }

  /** Whether a failure says that something was removed that the server does not keep, and only who has it open still sees. */
  vanished(inode: Inode, thrown: unknown): boolean {
    if (inode.isRegular || Failure.from(thrown).kind !== 'ESTALE') return false;
    this.tree.vanished(inode);
    return inode.removed;
  }

  /** Appends a change that the tree has made of these inodes. */
  append(operation: LogOperation, charge: Charge, touched: readonly Inode[]): Entry {
    const entry = this.log.append(operation, charge);
    for (const inode of touched) inode.touched(entry);
    this.sender.kick();
    return entry;
  }

  /** What is to be waited for before a change of this charge can be appended; undefined: nothing. EDQUOT. */
  room(charge: Charge): Promise<void> | undefined {
    return this.log.room() ?? this.#quota(charge);
  }

  /** Goes on when what room() gave has come. */
  after<T>(wait: Promise<unknown>, caller: Caller, then: () => Eventually<T>): Promise<T> {
    return interruptible(this.remote.bounded(wait), caller).then(then);
  }

  /** As room(), of what makes a new inode. */
  roomForInode(): Promise<void> | undefined {
    return this.room(ONE_FILE);
  }

  /**
   * Asks for so much more room, and comes back when there is as much, or no more. What the log frees is only known here as far as
   * the files' attributes are, and the server has it when it has carried the log out; what of that went into a trash is given to
   * nobody before it is asked for, and the log may use what was asked for by others. So nothing is refused but by an answer to who
   * had nothing under way.
   */
  async ensure(charge: Charge): Promise<void> {
    for (let round = 0; round < MOST_ROUNDS; round += 1) {
      const { last } = this.log;
      const applied = last === undefined ? undefined : this.log.whenApplied(last);
      await this.grants.ensure(charge.bytes, charge.files);
      if (this.#fits(charge) || applied === undefined) return;
      await applied;
    }
  }

  /** The value as the answer of a change that was appended: at once, or (-o sync) when the server has made it. */
  answered<T>(entry: Entry | undefined, value: T, caller: Caller): Eventually<T> {
    if (!this.temper.sync || entry === undefined) return value;
    const applied = this.log.whenApplied(entry);
    if (applied === undefined) return value;
    const answer = Promise.resolve(applied).then(() => {
      if (entry.failure !== undefined) throw entry.failure;
      return value;
    });
    return interruptible(answer, caller);
  }

  /**
   * An answer whose attributes the kernel takes in as they are, also behind a recall that came later: of a SETATTR, and of what
   * makes or opens a name (for all others it compares its attr_version). So what another mount may have recalled is not to be
   * believed longer than the answer is on its way.
   */
  takenIn<T extends { readonly validMs: number }>(answer: T): T {
    const isAlone = this.leases.mode(WHOLE_HOME) === LEASE_WRITE && this.leases.size === 0;
    return isAlone ? answer : { ...answer, validMs: 0 };
  }

  #quota(charge: Charge): Promise<void> | undefined {
    if (this.#fits(charge)) return undefined;
    return this.ensure(charge).then(() => {
      if (!this.#fits(charge)) throw new Failure('EDQUOT', 'the quota is used up');
    });
  }

  #fits({ bytes, files }: Charge): boolean {
    if (bytes <= 0 && files <= 0) return true;
    const available = this.grants.available(this.log.charged);
    return (bytes <= 0 || bytes <= available.bytes) && (files <= 0 || files <= available.files);
  }

  /** Runs `send` when the log's operations that touch the inodes were sent, or are applied; at once where they are. */
  #behindLog(
    stage: 'sent' | 'applied',
    involved: readonly Inode[],
    reject: (failure: Failure) => void,
    send: () => void,
  ): void {
    const guarded = (): void => {
      try {
        send();
      } catch (thrown) {
        reject(Failure.from(thrown));
      }
    };
    const waits: Promise<void>[] = [];
    for (const { last } of involved) {
      if (last === undefined) continue;
      const reached = stage === 'sent' ? this.log.whenSent(last) : this.log.whenApplied(last);
      if (reached !== undefined) waits.push(reached);
    }
    if (waits.length === 0) guarded();
    else this.remote.bounded(Promise.all(waits)).then(guarded, reject);
  }

  #whenApplied(entry: Entry, then: () => void, reject: (failure: Failure) => void): void {
    const applied = this.log.whenApplied(entry) ?? Promise.resolve();
    this.remote
      .bounded(applied)
      .then(then)
      .catch((thrown: unknown) => reject(Failure.from(thrown)));
  }
}

function rethrow(failure: Failure): never {
  throw failure;
}

/** Settles a promise by what a function returns or throws. */
function settle<T>(resolve: (value: T) => void, reject: (failure: Failure) => void, run: () => T): void {
  let value: T;
  try {
    value = run();
  } catch (thrown) {
    reject(Failure.from(thrown));
    return;
  }
  resolve(value);
}
