/*
 * The benchmark's command line: what is compared, and how long it is looked at.
 */
import { Command, InvalidArgumentError, Option } from 'commander';
import { floods } from './floods.js';
import { sharing } from './sharing.js';
import { TRANSFERS } from './transfer-jobs.js';
import { workloads } from './workloads.js';

export interface BenchOptions {
  readonly part: 'comparison';
  /** Milliseconds of round trip added to every connection; 0 is loopback as it is. */
  readonly rtt: number;
  /** Whether two mounts of one home are compared: with leases, and without. */
  readonly sharing: boolean;
  /** Names of what runs. */
  readonly only: readonly string[];
  /** The table shows medians of so many turns. */
  readonly turns: number;
  /** Share of the whole that the workloads do; by default all on loopback and a tenth at a distance. */
  readonly scale: number;
  /** Entries of the tree, where not by scale. */
  readonly entries?: number;
  /** Leaves ftpmount out: what the comparison alone gives. */
  readonly ftpmount: boolean;
  /** Where the figures of every turn go. */
  readonly json?: string;
}

export interface FairnessOptions {
  readonly part: 'fairness';
  /** Names of what the neighbour does. */
  readonly only: readonly string[];
  /** Share of the whole that it does. */
  readonly scale: number;
}

interface Flags extends Omit<BenchOptions, 'part' | 'scale' | 'sharing'> {
  readonly scale?: number;
}

const MOUNT: readonly string[] = workloads.map(({ name }) => name);
/** The last one is the comparison: the same by one mount alone. */
export const SHARING: readonly string[] = [...sharing.map(({ name }) => name), 'untar'];
const FLOODS: readonly string[] = floods.map(({ name }) => name);
const FAR_SCALE = 0.1;

/** Throws what commander does; it ends the program after --help. */
export function parseBenchOptions(argv: readonly string[]): BenchOptions | FairnessOptions {
  const program = new Command('npm run bench --').description(
    'Times the same work on the plain disk, on sshfs and on ftpmount, in turn, in one run.',
  );
  let chosen: BenchOptions | FairnessOptions | undefined;
  const part = (name: string, description: string, names: readonly string[]): void => {
    program
      .command(name, { isDefault: name === 'all' })
      .description(description)
      .option('--rtt <ms>', 'add this round trip time, by a delaying proxy', atLeast(0), 0)
      .addOption(onlySome(names))
      .option('--turns <n>', 'the table shows the median of so many turns', atLeast(1), 3)
      .option('--scale <share>', `share of the whole work (default 1, with --rtt ${FAR_SCALE})`, aShare)
      .option('--entries <n>', 'entries of the tree that is untarred, listed, committed', atLeast(1))
      .option('--no-ftpmount', 'compare the others only')
      .option('--json <file>', 'write the seconds of every turn there')
      .action((flags: Flags) => {
        chosen = {
          ...flags,
          part: 'comparison',
          sharing: name === 'sharing',
          scale: flags.scale ?? (flags.rtt === 0 ? 1 : FAR_SCALE),
        };
      });
  };
  part('mount', 'work in a mounted directory, also of the driver alone (the floor)', MOUNT);
  part(
    'transfer',
    'a large file and many small ones there and back, by cp, scp, rsync and ftpctl',
    TRANSFERS,
  );
  part('sharing', 'work in two mounts of one home, with leases and without', SHARING);
  part('all', 'the first two', [...MOUNT, ...TRANSFERS]);
  program
    .command('fairness')
    .description('how long a stat takes beside a neighbour that floods the same worker')
    .addOption(onlySome(FLOODS))
    .option('--scale <share>', 'share of the whole that the neighbour does', aShare, 1)
    .action((flags: Omit<FairnessOptions, 'part'>) => {
      chosen = { ...flags, part: 'fairness' };
    });
  program.parse(argv, { from: 'user' });
  if (chosen === undefined) throw new Error('no part was chosen');
  return chosen;
}

function onlySome(names: readonly string[]): Option {
  return new Option('--only <names>', `only these, by comma: ${names.join(', ')}`)
    .argParser(listOf(names))
    .default(names, 'all');
}

function atLeast(minimum: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < minimum)
      throw new InvalidArgumentError(`Give a whole number from ${minimum}.`);
    return value;
  };
}

function aShare(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 1)) throw new InvalidArgumentError('Give a number above 0, up to 1.');
  return value;
}

function listOf(all: readonly string[]): (text: string) => string[] {
  return (text) => {
    const names = text.split(',');
    if (!names.every((name) => all.includes(name))) throw new InvalidArgumentError(`Use ${all.join(', ')}.`);
    return names;
  };
}
