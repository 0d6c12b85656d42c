/* The benchmark's command line. */
import { Command, InvalidArgumentError } from 'commander';
import { workloads } from './workloads.js';

export interface BenchOptions {
  /** Milliseconds of round trip added to every connection; 0 is loopback as it is. */
  readonly rtt: number;
  /** Names of what runs; all when empty. */
  readonly only: readonly string[];
  readonly runs: number;
  /** Entries of the tree that is untarred, listed and committed. */
  readonly entries: number;
  /** Leaves ftpmount out: what the comparison alone gives. */
  readonly ftpmount: boolean;
  /** Where the figures of every run go. */
  readonly json?: string;
}

/** put and get run a command of the target, so they are no Workload. */
export const TRANSFERS = ['put', 'get'] as const;

const NAMES: readonly string[] = [...workloads.map(({ name }) => name), ...TRANSFERS];

export function parseBenchOptions(argv: readonly string[]): BenchOptions {
  const command = new Command('npm run bench --')
    .description('Times the same work on the plain disk, on sshfs and on ftpmount, in turn, in one run.')
    .option('--rtt <ms>', 'add this round trip time, by a delaying proxy', atLeast(0), 0)
    .option('--only <name>', `only this workload (may be repeated): ${NAMES.join(', ')}`, oneOf, [])
    .option('--runs <n>', 'the table shows the median of so many runs', atLeast(1), 3)
    .option('--entries <n>', 'entries of the tree for untar, ls, git and rm', atLeast(1), 1_700)
    .option('--no-ftpmount', 'compare the disk and sshfs only')
    .option('--json <file>', 'write the seconds of every run there')
    .parse(argv, { from: 'user' });
  return command.opts<BenchOptions>();
}

function atLeast(minimum: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < minimum)
      throw new InvalidArgumentError(`Give a whole number from ${minimum}.`);
    return value;
  };
}

function oneOf(text: string, before: readonly string[]): string[] {
  const names = text.split(',');
  for (const name of names)
    if (!NAMES.includes(name)) throw new InvalidArgumentError(`Use ${NAMES.join(', ')}.`);
  return [...before, ...names];
}
