/*
 * By how much this thread is late: a timer that should fire every INTERVAL_MS, and what it is late by. It starts with the first
 * who asks for the measurements, so that a daemon that nobody watches does not wake up for it.
 */
import { took } from './measures.js';

const INTERVAL_MS = 100;

let timer: NodeJS.Timeout | undefined;

/** From now on the delay of this thread is measured. */
export function measureEventLoopDelay(): void {
  if (timer !== undefined) return;
  let due = performance.now() + INTERVAL_MS;
  timer = setInterval(() => {
    const now = performance.now();
    took('eventLoop', Math.max(0, now - due));
    due = now + INTERVAL_MS;
  }, INTERVAL_MS).unref();
}
