/*
 * Something that is timed on one target after the other.
 */
import { succeed } from '../test/lib/run.js';
import type { Target } from './targets.js';

/** No step may take longer: 1,700 entries over 20 ms take sshfs six minutes. */
export const STEP_TIMEOUT_MS = 20 * 60_000;

export interface Job {
  /** As --only names it. */
  readonly name: string;
  readonly title: string;
  /** Whether it makes sense there. */
  suits(target: Target): boolean;
  /** Does the work once on a target and returns its seconds. */
  time(target: Target): Promise<number>;
}

/** Lets the disk finish what an earlier job wrote, so that this one does not pay for it. */
export async function settle(): Promise<void> {
  await succeed('sync', [], { timeoutMs: STEP_TIMEOUT_MS });
}
