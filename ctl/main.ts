/*
 * ftpctl: transfers and files of a home without a mount, and administration on the server. Here is the command line, one
 * table of commands (of administration: admin/commands.ts); what each does is in the file of its name, which is loaded when it is
 * called for: the connection, the progress bars and the account database take 35, 20 and 80 ms to load.
 */
import { Command, CommanderError, Option } from 'commander';
import { Failure } from '../protocol/failure.js';
import { EXIT_CODES_HELP, EXIT_OK } from '../program/exit-codes.js';
import { runProgram } from '../program/report.js';
import { clientCommands, COMPLETION } from './client-commands.js';
import { PROGRAM } from './program.js';
import { withSharedSessionOptions } from './remote/session-options.js';
import { parseCount, parseNumber, parseSize } from '../state/sizes.js';
import type { Survey } from './output/progress.js';
import { parseRule, type FilterRule } from './transfer/filter.js';
import { VERSION } from '../program/version.js';

const PATHS_HELP = `
Paths on a server are [USER@]HOST:PATH, relative to the home, also with a leading slash;
HOST may be an alias of the client's config.toml. Patterns in PATH (* ? [...]) are the server's names that
match, where there is none of that very spelling: quote them, 'alice@host:photos/*.jpg'.`;

/** A server is restarted in that time, or the network is another one. */
const RETRY_SECONDS = 120;
const RETRY_OPTION = [
  '--retry <seconds>',
  'how long to try when the connection is lost; 0 is not',
  parseCount,
  RETRY_SECONDS,
] as const;

const SHELL_HELP = `
The command help lists the commands, and help COMMAND tells how one is used. A standard input that is
no terminal is a script, too. In a script a dash before a command (-rm old) lets it fail.`;

const PATTERNS_HELP = `
Patterns are rsync's, and the first that matches decides: *.o (a name), dir/ (directories only), sub/*.o
(the last names of a path), /tree/tmp (from what is named on: here of 'tree', /tmp of 'tree/'). * and ? match
no slash, ** does; [a-z] is one of these, [!a-z] none of them. A directory left out is not looked into.`;

void runProgram(PROGRAM, async () => {
  let exitCode = EXIT_OK;
  const end = (code: number): void => {
    exitCode = code;
  };
  const args = withClassicStart(process.argv.slice(2));
  const program = commandLine(end);
  try {
    if (!isOfClient(program, args[0])) await addAdministration(program, end);
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // --help and --version end this way, too.
    if (error.exitCode !== 0) throw usageFailure(error, program);
  }
  return exitCode;
});

function commandLine(end: (exitCode: number) => void): Command {
  const program = new Command(PROGRAM)
    .description('Moves files to and from a home on an ftpmount server, and administers the server.')
    .version(VERSION, '--version', 'show the version')
    .helpOption('-h, --help', 'show this help')
    .helpCommand('help [command]', 'show the help of a command')
    .showSuggestionAfterError()
    .exitOverride()
    // Errors are told by report(), also that there is no command.
    .configureOutput({ outputError: () => undefined, writeErr: () => undefined })
    .addHelpText('after', `${PATHS_HELP}\n${EXIT_CODES_HELP}`);

  program.commandsGroup('Transfers (interrupted ones are resumed, large ones compared by MD5):');
  // commander takes a list only as the last argument, so the last of the list is the destination.
  const putFilter: FilterRule[] = [];
  transferOptions(
    recursiveOption(program.command('put')).argument(
      '<path...>',
      'what to copy, or - (standard input, which is not resumed), and where to',
    ),
    putFilter,
  )
    .usage('[options] SRC... [USER@]HOST:DIR | - [USER@]HOST:FILE')
    .option(
      '--inplace',
      'write into what is there, without room for both; until it is done the file is neither old nor new',
    )
    .description('copy files and trees to a home')
    .action(async (paths, options) => {
      const { put } = await import('./put.js');
      end(await put(...splitLast(paths), await transferOf(options, putFilter)));
    });
  const getFilter: FilterRule[] = [];
  transferOptions(
    recursiveOption(program.command('get')).argument(
      '<path...>',
      'what to copy, and where to, or - (standard output)',
    ),
    getFilter,
  )
    .usage('[options] [USER@]HOST:SRC... DST | [USER@]HOST:FILE -')
    .description('copy files and trees from a home')
    .action(async (paths, options) => {
      const { get } = await import('./get.js');
      end(await get(...splitLast(paths), await transferOf(options, getFilter)));
    });

  const syncFilter: FilterRule[] = [];
  transferOptions(
    program
      .command('sync')
      .argument('<src>', 'a directory')
      .argument('<dst>', 'the directory that becomes as it is; one of the two is [USER@]HOST:DIR')
      .option('--delete', 'delete what only DST has and is not excluded, when all is copied')
      .option('--allow-empty', 'delete also if nothing is in SRC'),
    syncFilter,
  )
    .usage('[options] DIR [USER@]HOST:DIR | [USER@]HOST:DIR DIR')
    .description('make a directory as another one is, to a home or from it')
    .action(async (source, destination, options) => {
      const { sync } = await import('./sync.js');
      const flags = { deletes: options.delete === true, allowEmpty: options.allowEmpty === true };
      end(await sync(source, destination, { ...(await transferOf(options, syncFilter)), sync: flags }));
    });

  program.commandsGroup('Files of a home:');
  withSharedSessionOptions(
    program.command('ls').helpOption('--help', 'show this help').argument('<place...>', '[USER@]HOST:PATH'),
  )
    .description('list directories')
    .option('-l, --long', 'with mode, links, size and time')
    .option('-a, --all', 'also names that begin with a dot')
    .option('-h, --human-readable', 'sizes with K, M, G, T')
    .action(async (places, options) => {
      const { ls } = await import('./ls.js');
      end(await ls(places, options));
    });
  withSharedSessionOptions(
    program.command('mkdir').argument('<place...>', '[USER@]HOST:DIR'),
    '--port <port>',
  )
    .description('make directories')
    .option('-p, --parents', 'also those above it that are missing; one that is there is well')
    .action(async (places, options) => {
      const { mkdir } = await import('./mkdir.js');
      end(await mkdir(places, options));
    });
  withSharedSessionOptions(program.command('rm').argument('<place...>', '[USER@]HOST:PATH'))
    .description('remove files')
    .option('-r, --recursive', 'remove directories with all that is in them')
    .option('-f, --force', 'say nothing of what is not there')
    .action(async (places, options) => {
      const { rm } = await import('./rm.js');
      end(await rm(places, options));
    });
  withSharedSessionOptions(program.command('rmdir').argument('<place...>', '[USER@]HOST:DIR'))
    .description('remove empty directories')
    .action(async (places, options) => {
      const { rmdir } = await import('./rm.js');
      end(await rmdir(places, options));
    });
  withSharedSessionOptions(
    program.command('mv').argument('<place...>', '[USER@]HOST:PATH, the last is where to'),
  )
    .usage('[options] [USER@]HOST:FROM... [USER@]HOST:TO')
    .description('rename, or move into a directory')
    .option('-n, --no-clobber', 'replace nothing')
    .action(async (places, options) => {
      const { mv } = await import('./mv.js');
      end(await mv(places, options));
    });
  withSharedSessionOptions(program.command('cat').argument('<place...>', '[USER@]HOST:FILE'))
    .description('write files to standard output')
    .action(async (places, options) => {
      const { cat } = await import('./cat.js');
      end(await cat(places, options));
    });
  withSharedSessionOptions(program.command('md5').argument('<place...>', '[USER@]HOST:FILE'))
    .description('show the MD5 of files, which the server computes')
    .action(async (places, options) => {
      const { md5 } = await import('./md5.js');
      end(await md5(places, options));
    });
  withSharedSessionOptions(program.command('stat').argument('<place...>', '[USER@]HOST:PATH'))
    .description('show all attributes')
    .option('--json', 'one JSON object a line')
    .action(async (places, options) => {
      const { stat } = await import('./stat.js');
      end(await stat(places, options));
    });
  withSharedSessionOptions(
    program.command('df').helpOption('--help', 'show this help').argument('<place>', '[USER@]HOST'),
  )
    .description('show quota and use, and what partial uploads take of it')
    .option('-h, --human-readable', 'sizes with K, M, G, T')
    .action(async (place, options) => {
      const { df } = await import('./df.js');
      end(await df(place, options));
    });
  const uploads = program
    .command('uploads')
    .helpOption('--help', 'show this help')
    .description('partial uploads: what interrupted ones left in a home');
  withSharedSessionOptions(
    uploads
      .command('list', { isDefault: true })
      .helpOption('--help', 'show this help')
      .argument('<place...>', '[USER@]HOST[:PATH]: of a file, or of all below a directory'),
  )
    .description('list them: what came so far, the whole size, the age, when it is removed')
    .option('-h, --human-readable', 'sizes with K, M, G, T')
    .option('--json', 'one JSON object a line')
    .action(async (places, options) => {
      const { uploads: list } = await import('./uploads.js');
      end(await list(places, options));
    });
  withSharedSessionOptions(
    uploads
      .command('rm')
      .argument(
        '<place...>',
        '[USER@]HOST[:PATH]: of a file, or of all below a directory; without PATH all of them',
      ),
  )
    .description('throw them away')
    .action(async (places, options) => {
      const { uploadsRm } = await import('./uploads.js');
      end(await uploadsRm(places, options));
    });
  const trash = program
    .command('trash')
    .helpOption('--help', 'show this help')
    .description('what was removed from a home, or replaced, and is kept for a time');
  const trashPlaces = '[USER@]HOST[:PATH]: a path of before, a directory with all below it, or a pattern';
  withSharedSessionOptions(
    trash
      .command('list', { isDefault: true })
      .helpOption('--help', 'show this help')
      .argument('<place...>', trashPlaces),
  )
    .description('list it, what was removed first before the other: when, the size, where it was')
    .option('-h, --human-readable', 'sizes with K, M, G, T')
    .option('--json', 'one JSON object a line')
    .action(async (places, options) => {
      const { trash: list } = await import('./trash.js');
      end(await list(places, options));
    });
  withSharedSessionOptions(trash.command('restore').argument('<place...>', trashPlaces))
    .description('put files back where they were, of each path what was removed last')
    .option('--to <dir>', 'make the former paths below this directory of the home')
    .option('--beside', 'where something has the name, take another one: NAME.restored')
    .option('--all', 'what was removed earlier under the same path, too, each beside the others')
    .action(async (places, options) => {
      const { trashRestore } = await import('./trash.js');
      end(await trashRestore(places, options));
    });
  withSharedSessionOptions(trash.command('rm').argument('<place...>', trashPlaces))
    .description('remove it for good')
    .action(async (places, options) => {
      const { trashRm } = await import('./trash.js');
      end(await trashRm(places, options));
    });
  withSharedSessionOptions(trash.command('empty').argument('<place>', '[USER@]HOST'))
    .description('remove all of it for good')
    .action(async (place, options) => {
      const { trashEmpty } = await import('./trash.js');
      end(await trashEmpty(place, options));
    });
  withSharedSessionOptions(program.command('shell').argument('[place]', '[USER@]HOST[:DIR]'))
    .usage('[options] [USER@]HOST[:DIR]')
    .description('work in a home at a prompt, or by a script (also: ftpctl -s HOST)')
    .option(
      '-b, --batch <file>',
      'carry out the commands in a file, up to the first that fails; - is standard input',
    )
    .option('-s, --server <host>', 'the server, whose user is asked for')
    .option(...RETRY_OPTION)
    .addHelpText('after', SHELL_HELP)
    .action(async (place, options) => {
      const { shell } = await import('./shell/shell.js');
      end(await shell(place, options));
    });
  clientCommands(program, end);
  return program;
}

/** Whether a command needs no others: they take 20 ms to load. */
function isOfClient(program: Command, name: string | undefined): boolean {
  return name !== COMPLETION && program.commands.some((command) => command.name() === name);
}

async function addAdministration(program: Command, end: (exitCode: number) => void): Promise<void> {
  const { administrationCommands } = await import('./admin/commands.js');
  const { shareCommands } = await import('./admin/share-commands.js');
  program.commandsGroup('On the server:');
  administrationCommands(program, end);
  shareCommands(program, end);
}

function recursiveOption(command: Command): Command {
  return command.option(
    '-r, --recursive',
    'copy directories: DIR itself is made in the destination; of DIR/ what is in it goes there',
  );
}

/** The options of put, get and sync. What --exclude and --include say is added to `filter`, in the order given. */
function transferOptions(command: Command, filter: FilterRule[]): Command {
  const rule = (excludes: boolean) => (pattern: string) => void filter.push(parseRule(pattern, excludes));
  return withSharedSessionOptions(command)
    .option(
      '--no-resume',
      'begin anew: also what an interrupted transfer left, or is there with the same size and time',
    )
    .option('-c, --checksum', 'find what is there already by MD5, not by size and time')
    .option(
      '--preserve',
      "give the source's mode also to what is there already, and its mtime to directories",
    )
    .option('-H, --hard-links', 'keep hard links among what is copied')
    .option('-X, --xattrs', 'keep extended attributes of users (user.*)')
    .option('--exclude <pattern>', 'leave out what matches, unless an earlier --include does', rule(true))
    .option('--include <pattern>', 'copy what matches, though a later --exclude does', rule(false))
    .option('-n, --dry-run', 'change nothing, say what would be copied')
    .option('--verify', 'change nothing, compare by MD5 what is there, say what differs or is missing')
    .option(
      '--limit <rate>',
      'move so many bytes a second at most, of all files together: 500K, 2M',
      parseSize,
    )
    .option('--jobs <n>', 'so many large files at once (default 8); small ones go besides', parseNumber)
    .option(...RETRY_OPTION)
    .option('-v, --verbose', 'tell each file that was moved, with its MD5')
    .option('-q, --quiet', 'tell only what goes wrong')
    .addOption(
      new Option(
        '--json',
        'one JSON object a file: path, bytes; md5, seconds, resumedAt; or skipped, finding, deleted',
      ),
    )
    .addHelpText('after', PATTERNS_HELP);
}

/** The options of a transfer, with what its command line says by several of them, or as a whole. */
async function transferOf<Options extends { dryRun?: true; verify?: true }>(
  options: Options,
  filter: readonly FilterRule[],
) {
  const { resumingCommand } = await import('./transfer/resuming-command.js');
  const command = resumingCommand(process.argv.slice(2));
  return { ...options, ...surveyOf(options), filter, command };
}

/** Which of the two options that change nothing is given. */
function surveyOf(options: { dryRun?: true; verify?: true }): { survey?: Survey } {
  if (options.verify === true) return { survey: 'verify' };
  return options.dryRun === true ? { survey: 'dry-run' } : {};
}

/** `ftpctl -s HOST`, as the classic client is started, is `ftpctl shell -s HOST`. */
function withClassicStart(args: readonly string[]): readonly string[] {
  const isClassic =
    args[0]?.startsWith('-') === true && args.some((arg) => /^(?:-s|--server(?:=|$))/.test(arg));
  return isClassic ? ['shell', ...args] : args;
}

/** Sources and destination of a command that copies. Throws USAGE. */
function splitLast(paths: readonly string[]): [sources: readonly string[], destination: string] {
  const destination = paths.at(-1);
  if (destination === undefined || paths.length < 2) {
    throw new Failure('USAGE', `say what to copy, and where to: see ${PROGRAM} --help`);
  }
  return [paths.slice(0, -1), destination];
}

/** commander's words, `error: ...`, as what happened and what to do: the help of the command that was meant. */
function usageFailure(error: CommanderError, program: Command): Failure {
  const [first, helped] = program.args;
  const noCommand = error.code === 'commander.help';
  const text = noCommand
    ? first === 'help'
      ? `there is no command '${helped}'`
      : 'no command is given'
    : error.message.replace(/^error: |\.$/g, '').replaceAll('\n', ' ');
  const meant: string[] = [PROGRAM];
  let { commands } = program;
  for (const word of program.args) {
    const command = commands.find((one) => one.name() === word);
    if (command === undefined) break;
    meant.push(word);
    ({ commands } = command);
  }
  return new Failure('USAGE', `${text}: see ${meant.join(' ')} --help`, { cause: error });
}
