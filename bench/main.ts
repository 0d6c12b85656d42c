/*
 * `npm run bench`: the same work on the plain disk, on sshfs, on the driver alone and on ftpmount. The targets take turns,
 * so a machine that gets slower for a while does so for all; the table shows medians. Everything is started here and is
 * gone at the end, after Ctrl-C too.
 */
import { writeFileSync } from 'node:fs';
import { temporaryDirectory } from '../test/lib/directory.js';
import { OwnScope } from '../test/lib/scope.js';
import { countsFor } from './counts.js';
import { fairness } from './fairness.js';
import { makeFixtures } from './fixtures.js';
import type { Job } from './job.js';
import { isInstalled, missingOpenSsh } from './openssh.js';
import { parseBenchOptions, type BenchOptions } from './options.js';
import { formatTable, type Row } from './table.js';
import {
  floor,
  ftpmount,
  ftpmountNolease,
  peakResident,
  plainDisk,
  rsync,
  sshfs,
  type Target,
} from './targets.js';
import { TRANSFERS, transferJobs } from './transfer-jobs.js';
import { workloadJobs } from './workload-jobs.js';

const RATIOS = [
  { dividend: 'sshfs', divisor: 'ftpmount' },
  { dividend: 'rsync', divisor: 'ftpmount' },
  { dividend: 'ftpmount', divisor: 'floor' },
  { dividend: 'ftpmount', divisor: 'nolease' },
] as const;

const options = parseBenchOptions(process.argv.slice(2));
const scope = new OwnScope();
const interrupted = new Promise<never>((_, reject) => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => reject(new Error(`ended by ${signal}`)));
});
try {
  const work = options.part === 'fairness' ? fairness(scope, options, progress) : bench(options);
  await Promise.race([work, interrupted]);
} catch (failure) {
  process.exitCode = 1;
  process.stderr.write(`bench: ${failure instanceof Error ? failure.message : String(failure)}\n`);
}
await scope.end();
process.exit(); // After Ctrl-C the interrupted run may still wait for something.

async function bench(options: BenchOptions): Promise<void> {
  const wanted = (name: string): boolean => options.only.includes(name);
  const counts = countsFor(options.scale, options.entries);
  const fixtures = await makeFixtures(temporaryDirectory(scope), counts, TRANSFERS.some(wanted));
  const jobs = [...workloadJobs(fixtures), ...transferJobs(fixtures)].filter(({ name }) => wanted(name));
  const targets = await startTargets(options, jobs);
  const rows = jobs.map((job) => ({ job, title: job.title, seconds: {} as Record<string, number[]> }));
  for (let turn = 0; turn < options.turns; turn++)
    for (const { job, seconds } of rows)
      for (const target of rotated(targets, turn).filter((one) => job.suits(one))) {
        progress(`turn ${turn + 1} of ${options.turns}: ${job.title} on ${target.name}`);
        (seconds[target.name] ??= []).push(await job.time(target));
      }
  progress('');
  report(options, rows, targets);
}

/** Those that have something to do. */
async function startTargets(options: BenchOptions, jobs: readonly Job[]): Promise<Target[]> {
  const targets: Target[] = [];
  if (options.sharing) {
    for (const make of [plainDisk, ftpmount, ftpmountNolease]) targets.push(await make(scope, options.rtt));
    return targets;
  }
  const missing = await missingOpenSsh();
  if (missing !== undefined) process.stdout.write(`without sshfs: ${missing}\n`);
  const inMount = jobs.some(({ name }) => !TRANSFERS.includes(name));
  const transfers = jobs.some(({ name }) => TRANSFERS.includes(name));
  const makers = [
    plainDisk,
    ...(missing === undefined ? [sshfs] : []),
    ...(missing === undefined && transfers && (await isInstalled('rsync')) ? [rsync] : []),
    ...(inMount ? [floor] : []),
    ...(options.ftpmount ? [ftpmount] : []),
  ];
  for (const make of makers) targets.push(await make(scope, options.rtt));
  return targets;
}

/** The targets in an order that changes from turn to turn: being first or last is no advantage. */
function rotated<T>(list: readonly T[], by: number): T[] {
  const start = by % list.length;
  return [...list.slice(start), ...list.slice(0, start)];
}

function report(options: BenchOptions, rows: readonly Row[], targets: readonly Target[]): void {
  const { rtt, turns, scale, json } = options;
  const names = targets.map(({ name }) => name);
  const line = rtt === 0 ? 'loopback' : `${rtt} ms round trip, ${scale} of the whole`;
  process.stdout.write(
    `${line}, medians of ${turns}, in turn; sshfs/ftpmount: so many times faster is ftpmount\n\n`,
  );
  process.stdout.write(`${formatTable(rows, names, RATIOS)}\n\n`);
  const memory = targets.flatMap((target) =>
    Object.entries(target.processes()).map(([name, pid]) => [name, peakResident(pid)] as const),
  );
  for (const [name, bytes] of memory)
    process.stdout.write(`peak memory of ${name}: ${(bytes / 2 ** 20).toFixed(0)} MiB\n`);
  if (json === undefined) return;
  const figures = rows.map(({ title, seconds }) => ({ title, seconds }));
  const text = JSON.stringify(
    { rtt, scale, rows: figures, peakResident: Object.fromEntries(memory) },
    null,
    2,
  );
  writeFileSync(json, `${text}\n`);
}

/** What is running now, on a terminal in place of what was before. */
function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}
