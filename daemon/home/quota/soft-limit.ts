/*
 * The limits of a home, of which the soft quota (state/soft-quota.ts) becomes the quota when its time of grace is over.
 *
 * Invariant: that time begins with the change that passes the soft quota, ends with the one that brings the use back within it, and
 * goes on over restarts.
 */
import type { HomeName } from '../../../protocol/ids.js';
import type { NotificationParams } from '../../../protocol/methods.js';
import type { Use } from '../../../state/ledger.js';
import { sizedAdvice, softQuotaOf, type SoftQuota } from '../../../state/soft-quota.js';
import type { Log } from '../../log.js';
import type { Clock } from '../calls/clock.js';
import type { Quota } from './quota.js';

/** Less than the longest time that a timer of node takes (milliseconds). */
const MAX_TIMER_MS = 86_400_000;

/** Who goes back and forth over the soft quota is told, and it is logged, once in so long (milliseconds). */
const QUIET_MS = 600_000;

/** 0: no limit. */
export interface HomeLimits extends Use {
  readonly soft?: SoftQuota;
}

export interface SoftLimitOptions {
  readonly clock: Clock;
  readonly home: HomeName;
  readonly log: Log;
  /** When the soft quota was passed, as the ledger has it: milliseconds since 1970. */
  readonly since: number | undefined;
  readonly quota: () => Quota;
  /** The soft quota was passed, the use is within it again, or the time is over. */
  readonly onChanged: (notice: NotificationParams<'softLimit'>) => void;
  /** The quota has other limits. */
  readonly onLimits: () => void;
  /** Has the ledger remember `since`. */
  readonly remember: () => void;
}

export class SoftLimit {
  readonly #options: SoftLimitOptions;
  #limits: HomeLimits = { bytes: 0, files: 0 };
  #soft: SoftQuota = softQuotaOf({});
  #since: number | undefined;
  /** When it was last told that the soft quota was passed, and whether that was of this time. */
  #toldAt = -Infinity;
  #isTold = false;
  #callOff: () => void = () => undefined;

  constructor(options: SoftLimitOptions) {
    this.#options = options;
    this.#since = options.since;
  }

  /** When the soft quota was passed: milliseconds since 1970; undefined: the use is within it. */
  get since(): number | undefined {
    return this.#since;
  }

  /** Bytes, and seconds of grace that are left; null: the use is within it. */
  get told(): [softBytes: number, graceLeft: number | null] {
    const left = this.#graceLeft;
    return [this.#soft.softBytes, left === undefined ? null : Math.ceil(left / 1000)];
  }

  get notice(): NotificationParams<'softLimit'> {
    return [this.#bytes, ...this.told];
  }

  /** What counts: what is in the trash makes room by itself. */
  get #bytes(): number {
    const { used, trashed } = this.#options.quota();
    return used.bytes - trashed.bytes;
  }

  setLimits(limits: HomeLimits): void {
    this.#limits = limits;
    this.#soft = limits.soft ?? softQuotaOf({});
    this.used(this.#bytes);
    this.#apply();
  }

  /** To be called whenever the use is another one. */
  used(bytes: number): void {
    const { softBytes } = this.#soft;
    const isOver = softBytes > 0 && bytes > softBytes;
    if (isOver === (this.#since !== undefined)) return;
    const { clock, log, home, remember, onChanged } = this.#options;
    this.#since = isOver ? clock.date() : undefined;
    try {
      remember();
    } catch (error) {
      log.error({ error, home }, 'the ledger was not written');
    }
    // Who charges goes on first: what waits for room is not to be woken meanwhile.
    if (isOver) this.#watch();
    else this.#apply();
    if (!this.#isNews(isOver)) return;
    log.info({ home, advice: sizedAdvice(bytes, ...this.told) ?? 'within it again' }, 'soft quota');
    onChanged(this.notice);
  }

  /** Of the way back it is told where it was of the way there. */
  #isNews(isOver: boolean): boolean {
    if (!isOver) return this.#isTold;
    const now = this.#options.clock.date();
    this.#isTold = now - this.#toldAt >= QUIET_MS;
    if (this.#isTold) this.#toldAt = now;
    return this.#isTold;
  }

  close(): void {
    this.#callOff();
  }

  /** Milliseconds; undefined: the use is within the soft quota. */
  get #graceLeft(): number | undefined {
    if (this.#since === undefined) return undefined;
    return Math.max(0, this.#since + this.#soft.graceMs - this.#options.clock.date());
  }

  /** Puts the limits of now into force. */
  #apply(): void {
    const { bytes, files } = this.#limits;
    const { quota, onLimits } = this.#options;
    const { softBytes } = this.#soft;
    const lowered = bytes === 0 ? softBytes : Math.min(bytes, softBytes);
    quota().setLimits({ bytes: this.#graceLeft === 0 ? lowered : bytes, files });
    onLimits();
    this.#watch();
  }

  #watch(): void {
    const left = this.#graceLeft;
    this.#callOff();
    if (left !== undefined && left > 0) {
      this.#callOff = this.#options.clock.after(Math.min(left, MAX_TIMER_MS), () => {
        this.#apply();
        if (this.#graceLeft === 0) this.#options.onChanged(this.notice);
      });
    }
  }
}
