/*
 * `npm run bench`: the same work on the plain disk, on sshfs and on ftpmount. The targets take turns within every
 * run, so a machine that gets slower for a while does so for all; the table shows medians. Everything is started
 * here and is gone at the end, after Ctrl-C too.
 */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { temporaryDirectory } from '../test/lib/directory.js';
import { succeed } from '../test/lib/run.js';
import { OwnScope } from '../test/lib/scope.js';
import { makeFixtures } from './fixtures.js';
import { missingOpenSsh } from './openssh.js';
import { parseBenchOptions, TRANSFERS, type BenchOptions } from './options.js';
import { formatTable, type Row } from './table.js';
import { ftpmount, peakResident, plainDisk, sshfs, type Target } from './targets.js';
import { workloads, type Fixtures, type Workload } from './workloads.js';

/** No phase may take longer: 1,700 entries over 20 ms take sshfs six minutes. */
const PHASE_TIMEOUT_MS = 20 * 60_000;

interface Job {
  readonly name: string;
  readonly title: string;
  /** Does the work once on a target and returns its seconds. */
  readonly time: (target: Target) => Promise<number>;
}

const options = parseBenchOptions(process.argv.slice(2));
const scope = new OwnScope();
const interrupted = new Promise<never>((_, reject) => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => reject(new Error(`ended by ${signal}`)));
});
try {
  await Promise.race([bench(options), interrupted]);
} catch (failure) {
  process.exitCode = 1;
  process.stderr.write(`bench: ${failure instanceof Error ? failure.message : String(failure)}\n`);
}
await scope.end();
process.exit(); // After Ctrl-C the interrupted run may still wait for something.

async function bench(options: BenchOptions): Promise<void> {
  const wanted = (name: string): boolean => options.only.length === 0 || options.only.includes(name);
  const fixtures = await makeFixtures(temporaryDirectory(scope), options.entries, TRANSFERS.some(wanted));
  const targets = await startTargets(options);
  const jobs = [
    ...workloads.map((workload) => workloadJob(workload, fixtures)),
    ...transferJobs(fixtures),
  ].filter(({ name }) => wanted(name));
  const rows = jobs.map(({ title }) => ({ title, seconds: {} as Record<string, number[]> }));
  for (let run = 0; run < options.runs; run++)
    for (const [index, job] of jobs.entries())
      for (const target of turn(targets, run)) {
        progress(`run ${run + 1} of ${options.runs}: ${job.title} on ${target.name}`);
        ((rows[index] as (typeof rows)[number]).seconds[target.name] ??= []).push(await job.time(target));
      }
  progress('');
  report(options, rows, targets);
}

async function startTargets({ rtt, ftpmount: withFtpmount }: BenchOptions): Promise<Target[]> {
  const missing = await missingOpenSsh();
  if (missing !== undefined) process.stdout.write(`without sshfs: ${missing}\n`);
  const makers = [plainDisk, ...(missing === undefined ? [sshfs] : []), ...(withFtpmount ? [ftpmount] : [])];
  const targets: Target[] = [];
  for (const make of makers) targets.push(await make(scope, rtt));
  return targets;
}

function workloadJob(workload: Workload, fixtures: Fixtures): Job {
  const file = fileURLToPath(new URL('./workload-process.js', import.meta.url));
  const phase = async (target: Target, name: 'prepare' | 'work'): Promise<number> => {
    const args = [file, workload.name, name, target.directory, JSON.stringify(fixtures)];
    return Number(await succeed(process.execPath, args, { timeoutMs: PHASE_TIMEOUT_MS }));
  };
  return {
    name: workload.name,
    title: workload.title(fixtures),
    time: async (target) => {
      await phase(target, 'prepare');
      await settle();
      if (workload.cold) {
        await target.remount();
        dropCaches();
      }
      return phase(target, 'work');
    },
  };
}

function transferJobs({ large }: Fixtures): Job[] {
  const back = `${large}.back`;
  const timed = async ([program, ...args]: readonly [string, ...string[]]): Promise<number> => {
    await settle();
    const start = performance.now();
    await succeed(program, args, { timeoutMs: PHASE_TIMEOUT_MS });
    return (performance.now() - start) / 1000;
  };
  const put = async (target: Target): Promise<number> => {
    await succeed('rm', ['-f', path.join(target.directory, 'large')]);
    return timed(target.put(large, 'large'));
  };
  const get = async (target: Target): Promise<number> => {
    await succeed('rm', ['-f', back]);
    const seconds = await timed(target.get('large', back));
    await succeed('cmp', [large, back], { timeoutMs: PHASE_TIMEOUT_MS });
    return seconds;
  };
  return [
    { name: 'put', title: 'put 1 GiB (cp, scp, ftpctl)', time: put },
    {
      name: 'get',
      title: 'get 1 GiB (cp, scp, ftpctl)',
      time: async (target) => {
        if (!options.only.includes('put') && options.only.length > 0) await put(target);
        return get(target);
      },
    },
  ];
}

/** Lets the disk finish what an earlier job wrote, so that this one does not pay for it. */
async function settle(): Promise<void> {
  await succeed('sync', [], { timeoutMs: PHASE_TIMEOUT_MS });
}

/** The page cache, names and inodes (proc(5), drop_caches); only root can, else cold means remounted. */
function dropCaches(): void {
  if (process.geteuid?.() === 0) writeFileSync('/proc/sys/vm/drop_caches', '3');
}

/** The targets in an order that changes from run to run: being first or last is no advantage. */
function turn<T>(list: readonly T[], by: number): T[] {
  const start = by % list.length;
  return [...list.slice(start), ...list.slice(0, start)];
}

function report(options: BenchOptions, rows: readonly Row[], targets: readonly Target[]): void {
  const names = targets.map(({ name }) => name);
  const line = options.rtt === 0 ? 'loopback' : `${options.rtt} ms round trip`;
  process.stdout.write(
    `${line}, medians of ${options.runs}, in turn; ratios below 1: ftpmount is faster\n\n`,
  );
  process.stdout.write(`${formatTable(rows, names, 'ftpmount')}\n\n`);
  const memory = targets.flatMap((target) =>
    Object.entries(target.processes()).map(([name, pid]) => [name, peakResident(pid)] as const),
  );
  for (const [name, bytes] of memory)
    process.stdout.write(`peak memory of ${name}: ${(bytes / 2 ** 20).toFixed(0)} MiB\n`);
  if (options.json !== undefined)
    writeFileSync(
      options.json,
      `${JSON.stringify({ rtt: options.rtt, rows, peakResident: Object.fromEntries(memory) }, null, 2)}\n`,
    );
}

/** What is running now, on a terminal in place of what was before. */
function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}
