/**
 * Notices that a line is dead while somebody waits, long before TCP or the keepalive of an idle connection do: what waits
 * for some seconds without a word from the server makes a probe, which is to be answered at once.
 *
 * The probe travels behind the data that are on their way, so it has time to: on a line of 1 Mbit/s a megabyte takes 8 s.
 */

/** How long nothing is heard before a probe is sent (milliseconds). */
export const PROBE_AFTER_MS = 2_000;
/** How long a probe may take, besides the data before it (milliseconds). */
const PROBE_MS = 4_000;
/** A line that is slower than this counts as dead under load. */
const SLOWEST_BYTES_PER_MS = 131;

export interface LineWatchOptions {
  /** Sends what is answered at once, whatever else the server does; the answer is heard(), later. */
  probe(): void;
  /** Called once; nothing is watched from then on. */
  dead(): void;
  /** Milliseconds. */
  now(): number;
  /** Default: PROBE_AFTER_MS. */
  readonly probeAfterMs?: number | undefined;
  /** Default: PROBE_MS. */
  readonly probeMs?: number | undefined;
  /** How long a probe may take, besides the data before it, until the line is suspect; default: as until it is dead. */
  readonly suspectMs?: number | undefined;
}

export class LineWatch {
  readonly #options: LineWatchOptions;
  readonly #probeAfterMs: number;
  readonly #probeMs: number;
  readonly #suspectMs: number;
  #awaited = 0;
  #bytes = 0;
  /** When something was heard last, or something began to be awaited. */
  #quietSince = 0;
  #probedAt: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: LineWatchOptions) {
    this.#options = options;
    this.#probeAfterMs = options.probeAfterMs ?? PROBE_AFTER_MS;
    this.#probeMs = options.probeMs ?? PROBE_MS;
    this.#suspectMs = options.suspectMs ?? this.#probeMs;
  }

  /** A request was sent; `bytes` of file data travel with it or its answer. */
  sent(bytes: number): void {
    if (this.#awaited === 0) this.#quietSince = this.#options.now();
    this.#awaited += 1;
    this.#bytes += bytes;
    if (this.#timer === undefined) this.#arm(this.#probeAfterMs);
  }

  /** It was answered. */
  answered(bytes: number): void {
    this.#awaited -= 1;
    this.#bytes -= bytes;
    this.heard();
  }

  /** Something came from the server. */
  heard(): void {
    this.#quietSince = this.#options.now();
    if (this.#probedAt === undefined) return;
    this.#probedAt = undefined;
    clearTimeout(this.#timer);
    this.#arm(this.#probeAfterMs);
  }

  /** When something was heard last, or something began to be awaited. */
  get quietSince(): number {
    return this.#quietSince;
  }

  /** Whether a probe should have been answered by now. */
  get suspect(): boolean {
    return this.#probedAt !== undefined && this.#left(this.#suspectMs) <= 0;
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #arm(ms: number): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => this.#check(), Math.ceil(Math.max(ms, 1)));
  }

  #check(): void {
    this.#timer = undefined;
    if (this.#awaited === 0) return;
    const now = this.#options.now();
    if (this.#probedAt === undefined) {
      const due = this.#quietSince + this.#probeAfterMs;
      if (now < due) return this.#arm(due - now);
      this.#probedAt = now;
      this.#options.probe();
    }
    const left = this.#left(this.#probeMs);
    if (left > 0) return this.#arm(left);
    // Where this process stood still, the answer may have come and not be read.
    setImmediate(() => this.#giveUp());
  }

  #giveUp(): void {
    if (this.#stopped || this.#probedAt === undefined) return;
    this.stop();
    this.#options.dead();
  }

  /** How much of so many milliseconds the probe has left, besides what the slowest line takes for what is under way. */
  #left(ms: number): number {
    if (this.#probedAt === undefined) return ms;
    return this.#probedAt + ms + this.#bytes / SLOWEST_BYTES_PER_MS - this.#options.now();
  }
}
