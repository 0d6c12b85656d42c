/*
 * Notices a peer that is gone without a word, on a channel that may be idle for hours.
 *
 * A side that probes (the client) sends something at least once in `intervalMs`; both sides drop a peer from which
 * nothing came, and which took nothing, for twice as long, unless they did not read it themselves. It counts ticks of its own timer, not the clock, so
 * that a machine that slept does not drop its peers on waking. A message costs it nothing.
 */
import type { Channel } from '../transport/channel.js';
import { Failure } from '../failure.js';
import { KEEPALIVE_MS } from '../limits.js';

/** Half of the interval: then a send just after a tick still keeps the promise. */
const TICKS_PER_INTERVAL = 2;

export interface KeepaliveOptions {
  readonly intervalMs?: number;
  /** Sends a message that is answered. Without it the side only listens. */
  readonly probe?: () => void;
  /** Whether what the peer sends is read now: else its silence says nothing of it. Without it: always. */
  readonly hears?: () => boolean;
}

/** Watches `channel` until stopped. A silent peer's channel is destroyed with ETIMEDOUT. */
export class Keepalive {
  readonly #timer: NodeJS.Timeout;

  constructor(channel: Channel, { intervalMs = KEEPALIVE_MS, probe, hears }: KeepaliveOptions = {}) {
    let received = channel.receivedBytes;
    let sent = channel.sentBytes;
    let taken = channel.takenBytes;
    /** The kernel had not taken all of it at the last tick. */
    let waited = taken < sent;
    let silentTicks = 0;
    this.#timer = setInterval(() => {
      // What the kernel took counts only where it had to wait for the peer: else it takes probes to nobody.
      const took = waited && channel.takenBytes > taken;
      const isHeard = hears?.() ?? true;
      silentTicks = channel.receivedBytes > received || took || !isHeard ? 0 : silentTicks + 1;
      if (silentTicks >= 2 * TICKS_PER_INTERVAL) {
        this.stop();
        channel.destroy(new Failure('ETIMEDOUT', 'the peer has been silent for too long'));
        return;
      }
      received = channel.receivedBytes;
      taken = channel.takenBytes;
      waited = taken < channel.sentBytes;
      if (channel.sentBytes === sent) probe?.();
      sent = channel.sentBytes;
    }, intervalMs / TICKS_PER_INTERVAL).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
