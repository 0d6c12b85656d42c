/*
 * Whether a session is read from: not while its answers and requests take memory that others need (Backlog), while it is others'
 * turn (Turns), and while its user has moved more than the bandwidth allows (Pace).
 *
 * Who is not read from for the first or the last of these has no answer of its pings either: it is told that the server lives
 * (`busy`), unless it does not take what it is told.
 */
import type { Channel } from '../../protocol/transport/channel.js';
import { BUSY_MS } from '../../protocol/limits.js';
import type { Backlog } from '../home/calls/backlog.js';

export interface HearingParts {
  readonly channel: Pick<Channel, 'pause' | 'resume'>;
  readonly backlog: Pick<Backlog, 'isUnread' | 'isBehind'>;
  readonly tellBusy: () => void;
}

export class Hearing {
  readonly #parts: HearingParts;
  /** Tells the client why nothing is read from it; undefined while it is read from, or could be if it read. */
  #telling: NodeJS.Timeout | undefined;
  #paused = false;
  /** Others have their turn. */
  #resting = false;
  /** The user's bandwidth is used up. */
  #heldBack = false;
  #toldAt = -Infinity;
  #closed = false;

  constructor(parts: HearingParts) {
    this.#parts = parts;
  }

  /** The peer is told that the server lives, as it is not read from. */
  get tellsBusy(): boolean {
    return this.#telling !== undefined;
  }

  rest(): void {
    this.#resting = true;
    this.#parts.channel.pause();
  }

  goOn(): void {
    this.#resting = false;
    this.#hear();
  }

  holdBack(): void {
    this.#heldBack = true;
    this.#parts.channel.pause();
    this.look();
  }

  letGo(): void {
    this.#heldBack = false;
    this.look();
    this.#hear();
  }

  /** To be called when the backlog has changed. */
  look(): void {
    if (this.#closed) return;
    const { isUnread, isBehind } = this.#parts.backlog;
    this.#tell((isBehind || this.#heldBack) && !isUnread);
    const pauses = isUnread || isBehind;
    if (pauses === this.#paused) return;
    this.#paused = pauses;
    if (pauses) this.#parts.channel.pause();
    else this.#hear();
  }

  /** The session is over. */
  close(): void {
    this.#tell(false);
    this.#closed = true;
  }

  #hear(): void {
    if (!this.#paused && !this.#resting && !this.#heldBack) this.#parts.channel.resume();
  }

  #tell(isBusy: boolean): void {
    if (isBusy === this.tellsBusy) return;
    clearInterval(this.#telling);
    this.#telling = undefined;
    if (!isBusy) return;
    const tell = (): void => {
      this.#toldAt = performance.now();
      this.#parts.tellBusy();
    };
    this.#telling = setInterval(tell, BUSY_MS).unref();
    // Who is held back for a moment again and again need not hear it each time.
    if (performance.now() - this.#toldAt >= BUSY_MS) tell();
  }
}
