/* The last hours, for the graphs: samples at equal distances, the oldest of which go. */
import type { DaemonStatus } from '../state/control.js';
import type { Measurements } from '../state/measurements.js';

/** Milliseconds from sample to sample. */
export const SAMPLE_MS = 30_000;
/** Six hours. */
export const MAX_SAMPLES = 720;

export interface Sample {
  readonly sessions: number;
  readonly queued: number;
  /** Bytes a second, since the sample before. */
  readonly received: number;
  readonly sent: number;
}

export class History {
  readonly #samples: Sample[] = [];
  #last: { at: number; bytesReceived: number; bytesSent: number } | undefined;

  /** The oldest first. */
  get samples(): readonly Sample[] {
    return this.#samples;
  }

  /** `at`: milliseconds that only grow. */
  add(
    at: number,
    { sessions, queued }: Pick<DaemonStatus, 'sessions' | 'queued'>,
    { bytesReceived, bytesSent }: Pick<Measurements, 'bytesReceived' | 'bytesSent'>,
  ): void {
    const last = this.#last ?? { at: at - SAMPLE_MS, bytesReceived, bytesSent };
    const seconds = (at - last.at) / 1000;
    this.#last = { at, bytesReceived, bytesSent };
    this.#samples.push({
      sessions: sessions.length,
      queued,
      received: (bytesReceived - last.bytesReceived) / seconds,
      sent: (bytesSent - last.bytesSent) / seconds,
    });
    if (this.#samples.length > MAX_SAMPLES) this.#samples.shift();
  }
}
