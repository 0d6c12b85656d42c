/*
 * Boots of the machine: what was written in another one may be newer or older on the disk than what it tells of. So of the last
 * run of a daemon its boot is noted, until it ends in order: figures of a run that a power cut ended are counted anew, also
 * where they were settled, for disks promise more than they keep, and who mends a file system removes files.
 */
import { readFileSync } from 'node:fs';
import type { State } from './store.js';

/** What is needed of the state. */
export type RunState = Pick<State, 'runningIn' | 'ledger'>;

/** The id that the kernel gave itself when it started: 16 bytes. */
export function bootId(): Buffer {
  const id = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1');
  return Buffer.from(id.replaceAll('-', '').trim(), 'hex');
}

/** At the daemon's start. `boot`: the id of this boot, for tests. */
export function beginRun(state: RunState, boot: Buffer = bootId()): void {
  const id = boot.toString('hex');
  // In this order: cut off in between, it is done again.
  if (state.runningIn !== undefined && state.runningIn !== id) state.ledger.doubtAll();
  state.runningIn = id;
}

/** At its end in order, when the homes are closed. */
export function endRun(state: RunState): void {
  state.runningIn = undefined;
}
