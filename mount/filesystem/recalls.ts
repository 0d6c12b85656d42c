/**
 * Leases that come and go: what the server gives, what it wants back for others, what a lost connection takes.
 *
 * A recall is answered by `returned` when nothing here would be found out to be old: all that was done under the lease is
 * carried out, the locks that were decided about here were said to the server, files that are open here and may lose their names are held by the server, and the kernel has dropped what it
 * believed. That the log was sent is not enough: the server may stop within it (an id that it has forgotten), and what is sent
 * again behind `returned` is not leased any more.
 *
 * Invariant: from the moment of the recall the unit is not changed here without asking, and nothing of it is believed.
 */
import { Failure } from '../../protocol/failure.js';
import { MAX_LEASED_UNITS } from '../../protocol/limits.js';
import { LEASE_NONE, WHOLE_HOME, type LeaseItem } from '../../protocol/methods.js';
import { compact } from '../../protocol/references.js';
import type { Recall } from '../lease/holdings.js';
import type { Term } from '../lease/term.js';
import type { Doubting } from './doubting.js';
import type { FileLocks } from './file-locks.js';
import type { Home } from './home.js';
import { orAfter } from './patience.js';

/**
 * For how long a recall waits for a kernel that acts on nothing. It acts within microseconds, unless it waits for the lock of a
 * directory or a page that an operation of a program holds: which may itself be waiting, at the server, for this recall, or for
 * one of another mount that waits for this (milliseconds). A program that lists the directory all the time lets it have the
 * lock between two listings: for each name once.
 */
const KERNEL_PATIENCE_MS = 250;
/** For how many times as long a recall waits for a kernel that acts. */
const MAX_PATIENCES = 40;
/**
 * Recalls that are not answered, or that the kernel has not acted on: a message and a unit in it count one each. More than
 * MAX_LEASED_UNITS at once, also where each comes alone, asks only a server that means harm.
 */
const MAX_UNDER_WAY = 2 * MAX_LEASED_UNITS;

export class Recalls {
  readonly #home: Home;
  readonly #doubting: Doubting;
  readonly #term: Term;
  readonly #locks: FileLocks;
  /** How often the kernel was told to drop something. */
  #tells = 0;
  /** Units that it was told of and has not dropped yet: by which of the tells, the first one first. */
  readonly #told = new Map<bigint, number[]>();
  #underWay = 0;

  constructor(parts: { home: Home; doubting: Doubting; term: Term; locks: FileLocks }) {
    this.#home = parts.home;
    this.#doubting = parts.doubting;
    this.#term = parts.term;
    this.#locks = parts.locks;
  }

  leased(items: readonly LeaseItem[]): void {
    const { leases } = this.#home;
    const lost = items.filter(([unit, mode]) => mode === LEASE_NONE && leases.believes(unit));
    leases.leased(items);
    if (lost.length > 0) this.#doubting.units(lost.map(([unit]) => unit));
    this.#renew();
  }

  /** Others wait for these. PROTOCOL. */
  recalled(items: readonly LeaseItem[]): void {
    const weight = items.length + 1;
    if (this.#underWay + weight > MAX_UNDER_WAY) {
      throw new Failure('PROTOCOL', 'the server recalls more than it has leased');
    }
    const recall = this.#home.leases.returning(items);
    this.#underWay += weight;
    void this.#giveBack(recall).finally(() => {
      this.#underWay -= weight;
    });
  }

  /**
   * All of one message together: there may be tens of thousands, as what is watched of a disk is bounded. Resolves when the
   * kernel has acted on it, too.
   */
  async #giveBack(recall: Recall): Promise<void> {
    const { items } = recall;
    const { leases, log, sender, remote } = this.#home;
    const { connections } = remote;
    const { last } = log;
    sender.kick();
    // What was done under leases that are lost is done under none that is recalled, and may wait for others.
    const own = last === undefined || last.orphaned ? undefined : last;
    const judged = own && log.whenApplied(own)?.then(succeeded, failed);
    const sent = own && log.whenSent(own);
    // Not where the session has ended: nothing is given back then, and over() was called.
    if (sent !== undefined && !(await sent.then(succeeded, failed))) return;
    let settled: Promise<void> | undefined;
    const units = items.filter(([, mode]) => mode === LEASE_NONE).map(([unit]) => unit);
    if (units.length > 0) {
      this.#doubting.units(units);
      settled = this.#kernelSettled(units);
      await this.#patiently(this.#kernelDropped(settled, this.#tells));
    }
    if (judged !== undefined && !(await judged)) return;
    await this.#locks.recalled();
    if (remote.connections !== connections) await remote.whenUpToDate();
    const packed = recall.items.map(([unit, mode]) => [compact(unit), mode]);
    remote.request('returned', [packed], undefined, () => undefined, { once: true });
    leases.returned(recall);
    this.#renew();
    await settled;
  }

  /** Waits as long as the kernel gets on. */
  async #patiently(dropped: Promise<void>): Promise<void> {
    const { kernel } = this.#home;
    const isDropped = dropped.then(succeeded);
    for (let patiences = 0; patiences < MAX_PATIENCES; patiences++) {
      const { acted } = kernel;
      if (await orAfter(KERNEL_PATIENCE_MS, isDropped, failed)) return;
      if (kernel.acted === acted) return;
    }
  }

  /** Notes that the kernel was just told to drop what it knew of units. Resolves when it has. */
  async #kernelSettled(units: readonly bigint[]): Promise<void> {
    this.#tells += 1;
    for (const unit of units) {
      const tells = this.#told.get(unit);
      if (tells === undefined) this.#told.set(unit, [this.#tells]);
      else tells.push(this.#tells);
    }
    await this.#home.kernel.settled();
    for (const unit of units) {
      const tells = this.#told.get(unit);
      tells?.shift();
      if (tells?.length === 0) this.#told.delete(unit);
    }
  }

  /**
   * Resolves when the kernel has `settled` what it was told by `tell`; or where it cannot before a change that is under way
   * is answered (changes-under-way.ts). It acts on what it is told in order: so it is with what it was told before that, too.
   * Attributes it has dropped in any case.
   */
  async #kernelDropped(settled: Promise<void>, tell: number): Promise<void> {
    const attributes = this.#home.kernel.settled('attributes');
    const isHeldUp = (unit: bigint): boolean => (this.#told.get(unit)?.[0] ?? Infinity) <= tell;
    await this.#home.underWay.any(isHeldUp, settled);
    await attributes;
  }

  /** The server says that the leases are another's, or will never say anything any more. */
  over(): void {
    this.#home.leases.clear();
    this.#renew();
    this.doubtAll();
  }

  /** The term ran out: nothing is believed until the server has been asked whether the leases are still ours. */
  doubtAll(): void {
    this.#doubting.all();
    void this.#kernelSettled([WHOLE_HOME]);
  }

  /** The term is watched while something is held. */
  #renew(): void {
    this.#term.hold(this.#home.leases.any);
  }

  /** A server that does not know this mount any more holds nothing for it. */
  holdAgain(): void {
    for (const inode of this.#home.tree.opened()) if (inode.held) this.#doubting.hold(inode);
  }
}

const succeeded = (): boolean => true;
const failed = (): boolean => false;
