/**
 * The commands at the prompt that copy, as ftpctl put and get do: with one operand to the current directory, else to the last
 * one; mput and mget copy all their operands to the current directory. sync is told which way.
 */
import { Failure } from '../../protocol/failure.js';
import { getInto } from '../get.js';
import { STREAM } from '../names.js';
import { putInto } from '../put.js';
import { parseNumber, parseSize } from '../../state/sizes.js';
import { syncFrom, syncTo } from '../sync.js';
import type { TransferFlags } from '../transfer/command.js';
import { parseRule } from '../transfer/filter.js';
import type { Context, ShellCommand } from './command.js';
import type { Flag, Operands } from './flags.js';
import { currentPlace, localPath, localPaths, remotePlace, remotePlaces } from './operands.js';
import type { Word } from './words.js';

const FLAGS: readonly Flag[] = [
  { name: 'no-resume', text: 'begin anew, also what is there with the same size and time' },
  { letter: 'c', name: 'checksum', text: 'find what is there already by MD5' },
  { name: 'preserve', text: "the source's mode also for what is there already" },
  { letter: 'H', name: 'hard-links', text: 'keep hard links among what is copied' },
  { letter: 'X', name: 'xattrs', text: 'keep extended attributes (user.*)' },
  { letter: 'n', name: 'dry-run', text: 'change nothing, say what would be copied' },
  { name: 'verify', text: 'change nothing, say what differs by MD5, or is missing' },
  { name: 'exclude', value: 'PATTERN', text: 'leave out what matches, unless an earlier --include does' },
  { name: 'include', value: 'PATTERN', text: 'copy what matches, though a later --exclude does' },
  { name: 'limit', value: 'RATE', text: 'move so many bytes a second at most: 500K, 2M' },
  { name: 'jobs', value: 'N', text: 'so many large files at once (default 8); small ones go besides' },
  { letter: 'v', name: 'verbose', text: 'tell each file that was moved, with its MD5' },
  { letter: 'q', name: 'quiet', text: 'tell only what goes wrong' },
];
const TREE_FLAGS: readonly Flag[] = [
  { letter: 'r', name: 'recursive', text: 'directories; of DIR/ what is in it' },
  ...FLAGS,
];
const PUT_FLAGS: readonly Flag[] = [
  ...TREE_FLAGS,
  { name: 'inplace', text: 'write into what is there, without room for both: meanwhile it is neither' },
];
const SYNC_FLAGS: readonly Flag[] = [
  { name: 'delete', text: 'delete what only DST has, when all is copied' },
  { name: 'allow-empty', text: 'delete also if nothing is in SRC' },
  ...FLAGS,
];
const HERE = Buffer.from('.');
const MANY = Infinity;

export const transferCommands: readonly ShellCommand[] = [
  {
    names: ['get'],
    usage: 'SRC... [DST]',
    summary: 'copy from the home',
    flags: TREE_FLAGS,
    least: 1,
    most: MANY,
    operand: (index) => (index === 0 ? 'remote' : 'local'),
    run: (context, operands) => get(context, operands, destinationOf(operands.words)),
  },
  {
    names: ['mget'],
    usage: 'SRC...',
    summary: 'copy from the home, all that are named',
    flags: TREE_FLAGS,
    least: 1,
    most: MANY,
    operand: () => 'remote',
    run: (context, operands) => get(context, operands, undefined),
  },
  {
    names: ['put'],
    usage: 'SRC... [DST]',
    summary: 'copy to the home',
    flags: PUT_FLAGS,
    least: 1,
    most: MANY,
    operand: (index) => (index === 0 ? 'local' : 'remote'),
    run: (context, operands) => put(context, operands, destinationOf(operands.words)),
  },
  {
    names: ['mput'],
    usage: 'SRC...',
    summary: 'copy to the home, all that are named',
    flags: PUT_FLAGS,
    least: 1,
    most: MANY,
    operand: () => 'local',
    run: (context, operands) => put(context, operands, undefined),
  },
  {
    names: ['sync'],
    usage: 'put|get SRC DST',
    summary: 'make the directory DST as SRC is',
    flags: SYNC_FLAGS,
    least: 3,
    most: 3,
    operand: (index, [direction]) => {
      if (index === 0) return 'nothing';
      return (direction === 'put') === (index === 1) ? 'local directory' : 'remote directory';
    },
    run: sync,
  },
];

async function get(context: Context, operands: Operands, destination: Word | undefined): Promise<number> {
  const { words } = operands;
  if (destination?.raw === STREAM) {
    throw new Failure('USAGE', "use cat or less to show a file here; './-' is a local file");
  }
  const local = destination === undefined ? HERE : await localPath(destination);
  const sources = await remotePlaces(context, without(words, destination));
  return getInto(context.session, sources, local, transferFlags(context, operands));
}

async function put(context: Context, operands: Operands, destination: Word | undefined): Promise<number> {
  const { words } = operands;
  if (words.some(({ raw }) => raw === STREAM)) {
    throw new Failure('USAGE', "standard input is the prompt's here; './-' is a local file");
  }
  const place = destination === undefined ? currentPlace(context) : await remotePlace(context, destination);
  const sources = await localPaths(without(words, destination));
  return putInto(context.session, sources, place, transferFlags(context, operands));
}

async function sync(context: Context, operands: Operands): Promise<number> {
  const { flags, words } = operands;
  const [direction, from, to] = words;
  const syncing = {
    ...transferFlags(context, operands),
    sync: { deletes: flags.has('delete'), allowEmpty: flags.has('allow-empty') },
  };
  if (from !== undefined && to !== undefined) {
    if (direction?.raw === 'put') {
      return syncTo(context.session, await localPath(from), await remotePlace(context, to), syncing);
    }
    if (direction?.raw === 'get') {
      return syncFrom(context.session, await remotePlace(context, from), await localPath(to), syncing);
    }
  }
  throw new Failure('USAGE', 'write sync put LOCAL REMOTE, or sync get REMOTE LOCAL');
}

function destinationOf(words: readonly Word[]): Word | undefined {
  return words.length > 1 ? words.at(-1) : undefined;
}

function without(words: readonly Word[], destination: Word | undefined): readonly Word[] {
  return destination === undefined ? words : words.slice(0, -1);
}

function transferFlags({ retry }: Context, { flags, values }: Operands): TransferFlags {
  const last = (name: string): string | undefined => values.findLast((one) => one.name === name)?.value;
  const limit = last('limit');
  const jobs = last('jobs');
  return {
    retry,
    filter: values
      .filter(({ name }) => name === 'exclude' || name === 'include')
      .map(({ name, value }) => parseRule(value, name === 'exclude')),
    limit: limit === undefined ? undefined : parseSize(limit),
    jobs: jobs === undefined ? undefined : parseNumber(jobs),
    recursive: flags.has('recursive'),
    resume: !flags.has('no-resume'),
    checksum: flags.has('checksum'),
    preserve: flags.has('preserve'),
    hardLinks: flags.has('hard-links'),
    xattrs: flags.has('xattrs'),
    inplace: flags.has('inplace'),
    survey: flags.has('verify') ? 'verify' : flags.has('dry-run') ? 'dry-run' : undefined,
    verbose: flags.has('verbose'),
    quiet: flags.has('quiet'),
  };
}
