/**
 * When an operation gives up because its caller got a signal: only where that ends the caller, and so nobody sees EINTR.
 *
 * The kernel reports every signal, also the harmless ones that programs send themselves (timers, child exits, a Go
 * runtime's preemption), and a file operation that fails with EINTR breaks programs that never saw that on a disk: git
 * dies of it. So what a signal does is looked up in /proc, as NFS heeds fatal signals only (nfs(5), intr). The kernel tells
 * of the first signal only; a caller that got a harmless one is looked at again while it waits.
 *
 * Only who waits for a lock is let go by any signal: on a disk, too, that is EINTR, or begins again (SA_RESTART).
 *
 * A caller that cannot be seen (in another pid namespace) counts as alive.
 */
import { readFileSync } from 'node:fs';
import { Failure } from '../../protocol/failure.js';
import type { InterruptSignal } from '../operations.js';

/** The part of an operation's caller that matters here. */
export interface Interruptible {
  /** The thread that called. */
  readonly pid: number;
  readonly signal?: InterruptSignal | undefined;
}

/** How often a caller that got a signal is looked at again (milliseconds). */
const LOOK_AGAIN_MS = 250;

const SIGHUP = 1;
const SIGINT = 2;
const SIGQUIT = 3;
const SIGKILL = 9;
const SIGTERM = 15;
const ENDING = maskOf(SIGHUP, SIGINT, SIGQUIT, SIGKILL, SIGTERM);

/** Signal 1 is bit 0, as in /proc/PID/status. */
function maskOf(...signals: number[]): bigint {
  return signals.reduce((mask, signal) => mask | (1n << BigInt(signal - 1)), 0n);
}

/**
 * Whether a thread with this /proc/PID/status is about to end of a signal. The kernel makes SIGKILL of the others that end
 * a process (complete_signal), but not of SIGQUIT, nor under a debugger.
 */
export function endsOfSignal(status: string): boolean {
  const mask = (name: string): bigint => {
    const digits = new RegExp(`^${name}:\t([0-9a-f]{16})$`, 'm').exec(status)?.[1];
    return digits === undefined ? 0n : BigInt(`0x${digits}`);
  };
  const pending = mask('SigPnd') | mask('ShdPnd');
  return (pending & ENDING & ~(mask('SigCgt') | mask('SigIgn') | mask('SigBlk'))) !== 0n;
}

/** Whether the thread is about to end of a signal. */
export function isDying(pid: number): boolean {
  try {
    return endsOfSignal(readFileSync(`/proc/${pid}/status`, 'latin1'));
  } catch {
    return false;
  }
}

/** Calls `act`, at most once, when the caller is to be let go. The returned function ends the watch. */
export function onInterrupt(caller: Interruptible, act: () => void): (() => void) | undefined {
  const { signal } = caller;
  if (signal === undefined) return undefined;
  let timer: NodeJS.Timeout | undefined;
  const look = (): void => {
    if (isDying(caller.pid)) act();
    else timer = setTimeout(look, LOOK_AGAIN_MS);
  };
  if (signal.aborted) look();
  else signal.addEventListener('abort', look, { once: true });
  return () => {
    signal.removeEventListener('abort', look);
    clearTimeout(timer);
  };
}

/**
 * Calls `act`, at most once, when the caller gets any signal: for what programs expect to be interrupted, and the kernel can
 * begin again. The returned function ends the watch.
 */
export function onAnySignal({ signal }: Interruptible, act: () => void): () => void {
  if (signal === undefined) return () => undefined;
  if (signal.aborted) act();
  else signal.addEventListener('abort', act, { once: true });
  return () => signal.removeEventListener('abort', act);
}

export function interrupted(): Failure {
  return new Failure('EINTR', 'interrupted by a signal');
}

/** The promise's outcome, or EINTR when the caller is let go first: what the promise stands for goes on. */
export function interruptible<T>(promise: Promise<T>, caller: Interruptible): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const end = onInterrupt(caller, () => reject(interrupted()));
    promise.then(resolve, reject).finally(end);
  });
}
