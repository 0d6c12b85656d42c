/*
 * kill -9 of a daemon under work that goes on in a mount, and what has to hold afterwards.
 *
 * KILLS=... sets how often it is killed under each workload, SEED=... repeats the moments.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Test } from 'tap';
import type { Daemon } from './daemon.js';
import { randomFrom, seedOfRun } from './random.js';

const kills = Number(process.env['KILLS'] ?? 2);

/** So much work that it goes on under all the kills, on a busy machine too. */
export function workFor(least: number, perKill: number): number {
  return Math.max(least, perKill * kills);
}

/** For a program that goes on while its daemon is killed: it waits for each start of one, on a busy machine for long. */
export const WHILE_KILLED = { timeoutMs: 60_000 + kills * 5_000 };

/** So long the work goes on between two kills, at most (milliseconds). */
const BUSY_MS = 250;

const seed = seedOfRun();
const random = randomFrom(seed);

/**
 * Kills the daemon and starts it again, `kills` times or until the work is done: mostly some time after a mount has come back, and
 * at times while none has.
 */
export async function killWhile<T>(t: Test, daemon: Daemon, work: Promise<T>): Promise<T> {
  const progress = { done: false };
  const ended = (): void => {
    progress.done = true;
  };
  void work.then(ended, ended);
  let killed = 0;
  for (; killed < kills && !progress.done; killed++) {
    const before = logins(daemon);
    await daemon.kill();
    await daemon.start();
    if (random(5) === 0) continue;
    while (!progress.done && logins(daemon) === before) await delay(10);
    await delay(random(BUSY_MS));
  }
  t.comment(`killed ${killed} times, SEED=${seed}`);
  return work;
}

function logins(daemon: Daemon): number {
  return readFileSync(path.join(daemon.state, 'user.log'), 'latin1').split('"msg":"login"').length;
}

/** What is charged is what is there. */
export async function isRight(t: Test, daemon: Daemon): Promise<void> {
  const check = await daemon.ftpctl(['quota', 'check', 'alice']);
  t.match(check.stdout, /right/, 'what is charged is what is there');
}
