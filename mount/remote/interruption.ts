/**
 * When an operation gives up because its caller got a signal.
 *
 * The kernel reports every signal, also the harmless ones that programs send themselves (timers, child exits, a Go
 * runtime's preemption), and a file operation that fails with EINTR breaks programs that never saw that on a disk.
 * So: a caller that is being killed is let go at once; another one, whose handler may want to run (Ctrl-C that is
 * caught), after a moment, within which nearly every operation is answered anyway. NFS is stricter still: it
 * heeds fatal signals only (nfs(5), intr).
 */
import { readFileSync } from 'node:fs';
import { Failure } from '../../protocol/failure.js';
import type { InterruptSignal } from '../filesystem/operations.js';

/** The part of an operation's caller that matters here. */
export interface Interruptible {
  readonly pid: number;
  readonly signal?: InterruptSignal | undefined;
}

/** How long an operation goes on for a caller that got a signal and does not die of it (milliseconds). */
export const GRACE_MS = 1_000;

/** complete_signal (kernel/signal.c) puts SIGKILL into the pending set of each thread that a fatal signal ends. */
const SIGKILL_BIT = 1n << 8n;

/** Whether the thread is being killed; also where it cannot be seen (it is gone, or in another pid namespace). */
export function isDying(pid: number): boolean {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    const pending = /^SigPnd:\t([0-9a-f]{16})$/m.exec(status)?.[1];
    return pending === undefined || (BigInt(`0x${pending}`) & SIGKILL_BIT) !== 0n;
  } catch {
    return true;
  }
}

/** Calls `act`, at most once, when the caller is to be let go. The returned function ends the watch. */
export function onInterrupt(caller: Interruptible, act: () => void): (() => void) | undefined {
  const { signal } = caller;
  if (signal === undefined) return undefined;
  let timer: NodeJS.Timeout | undefined;
  const heed = (): void => {
    if (isDying(caller.pid)) act();
    else timer = setTimeout(act, GRACE_MS);
  };
  if (signal.aborted) heed();
  else signal.addEventListener('abort', heed, { once: true });
  return () => {
    signal.removeEventListener('abort', heed);
    clearTimeout(timer);
  };
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
