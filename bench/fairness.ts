/*
 * How long a user waits whose neighbour floods the worker that both share: each stat of bob's, one after the other, while nobody
 * else is there, and while alice does one thing after the other.
 */
import { fileURLToPath } from 'node:url';
import { logIn } from '../test/lib/accounts.js';
import { passwordOf, startDaemon, type Daemon } from '../test/lib/daemon.js';
import { PathClient } from '../test/lib/path-client.js';
import type { Scope } from '../test/lib/scope.js';
import { Service } from '../test/lib/service.js';
import { succeed } from '../test/lib/run.js';
import { floods, type Flood } from './floods.js';
import { STEP_TIMEOUT_MS } from './job.js';
import type { FairnessOptions } from './options.js';
import { aligned, quantile } from './table.js';

const PROCESS = fileURLToPath(new URL('./flood-process.js', import.meta.url));
const IDLE_MS = 3_000;
/** What is wanted: as much as this, or so many times what it is without a neighbour (milliseconds). */
const BOUND_MS = 10;
const BOUND_TIMES = 3;

export async function fairness(
  scope: Scope,
  { only, scale }: FairnessOptions,
  progress: (text: string) => void,
): Promise<void> {
  const users = { alice: { quota: '0' }, bob: { quota: '0' } };
  const daemon = await startDaemon(scope, { users, args: ['--workers', '1'], byPassword: true });
  const user = 'bob';
  const client = await logIn(scope, { port: daemon.port, user, password: passwordOf(user) });
  const bob = new PathClient(client);
  await bob.create('f');
  progress('idle');
  const idle = await stats(bob, new Promise((resolve) => setTimeout(resolve, IDLE_MS)));
  const bound = Math.max(BOUND_MS, BOUND_TIMES * quantile(idle, 0.99));
  const lines = [
    ['a stat, beside', 'stats', 'median', 'p99', 'longest', `p99 up to ${inMs(bound)}`],
    line('nobody', idle),
  ];
  for (const flood of floods.filter(({ name }) => only.includes(name))) {
    progress(flood.name);
    const times = await beside(scope, daemon, flood, scale, bob);
    lines.push([...line(flood.title(scale), times), quantile(times, 0.99) <= bound ? 'yes' : 'no']);
  }
  progress('');
  process.stdout.write(`${aligned(lines)}\n`);
}

async function beside(
  scope: Scope,
  daemon: Daemon,
  { name }: Flood,
  share: number,
  bob: PathClient,
): Promise<number[]> {
  const phase = (which: 'prepare' | 'work'): string[] => [
    ...[PROCESS, name, which, String(share), String(daemon.port)],
  ];
  await succeed(process.execPath, phase('prepare'), { timeoutMs: STEP_TIMEOUT_MS });
  const flooding = new Service(scope, process.execPath, phase('work'));
  await flooding.says(/^begins$/m);
  const times = await stats(bob, flooding.exited);
  const { code } = await flooding.exited;
  if (code !== 0) throw new Error(`the flood ${name} failed:\n${flooding.output}`);
  return times;
}

/** Milliseconds of each stat until then. */
async function stats(paths: PathClient, until: Promise<unknown>): Promise<number[]> {
  const state = { ended: false };
  void until.finally(() => {
    state.ended = true;
  });
  const times: number[] = [];
  while (!state.ended) {
    const began = performance.now();
    await paths.stat('f');
    times.push(performance.now() - began);
  }
  return times;
}

function line(title: string, times: readonly number[]): string[] {
  const values = [0.5, 0.99, 1].map((share) => inMs(quantile(times, share)));
  return [title, String(times.length), ...values];
}

function inMs(ms: number): string {
  return `${ms.toFixed(2)} ms`;
}
