/*
 * kill -9 of a daemon under work that goes on in a mount, and what has to hold afterwards.
 *
 * KILLS=... sets how often it is killed under each workload.
 */
import type { Test } from 'tap';
import type { Daemon } from './daemon.js';

/** For a program that goes on while its daemon is killed: it waits for each start of one, on a busy machine for long. */
export const WHILE_KILLED = { timeoutMs: 60_000 };

const kills = Number(process.env['KILLS'] ?? 2);

/** Kills the daemon and starts it again, until the work is done; at least `kills` times while it goes on. */
export async function killWhile<T>(daemon: Daemon, work: Promise<T>): Promise<T> {
  const progress = { done: false };
  const ended = (): void => {
    progress.done = true;
  };
  void work.then(ended, ended);
  for (let i = 0; i < kills && !progress.done; i++) {
    await daemon.kill();
    await daemon.start();
  }
  return work;
}

/** What is charged is what is there. */
export async function isRight(t: Test, daemon: Daemon): Promise<void> {
  const check = await daemon.ftpctl(['quota', 'check', 'alice']);
  t.match(check.stdout, /right/, 'what is charged is what is there');
}
