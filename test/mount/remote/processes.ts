/** Processes in the states that interruption.ts tells apart. */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import type { Scope } from '../../lib/scope.js';

/** It has said that it is ready. */
export type Started = ChildProcessByStdio<Writable, Readable, null> & { readonly pid: number };

/** Starts a program that says something when it is ready. */
async function start(scope: Scope, command: string, args: string[]): Promise<Started> {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'ignore'] });
  scope.teardown(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  if (child.pid === undefined) throw new Error(`${command} did not start`);
  return child as Started;
}

/** A shell that sets traps, and then waits without starting anything: a fork blocks signals for a moment. */
export function waitingShell(scope: Scope, setup: string): Promise<Started> {
  return start(scope, 'sh', ['-c', `${setup}; echo ready; while :; do read line; done`]);
}

/** Makes a process stand still, and then sends it the signal: it cannot act on it. */
export async function stop(child: Started, signal: NodeJS.Signals): Promise<number> {
  child.kill('SIGSTOP');
  await until(() => statusOf(child.pid).includes('State:\tT'));
  child.kill(signal);
  return child.pid;
}

/** A shell with traps that has got the signal, and cannot act on it. */
export async function stopped(scope: Scope, setup: string, signal: NodeJS.Signals): Promise<number> {
  return stop(await waitingShell(scope, setup), signal);
}

/** A process that SIGQUIT ends as soon as it runs again. */
export function dying(scope: Scope): Promise<number> {
  return stopped(scope, ':', 'SIGQUIT');
}

function statusOf(pid: number): string {
  return readFileSync(`/proc/${pid}/status`, 'latin1');
}

/** Resolves when the condition holds; for what has no event to wait for. */
export async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`never came true: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
