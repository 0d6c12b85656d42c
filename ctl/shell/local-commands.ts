/**
 * The commands at the prompt that are about this machine, and about the prompt.
 */
import { homedir } from 'node:os';
import { Failure } from '../../protocol/failure.js';
import { displayName } from '../names.js';
import { writeOut } from '../output/stdout.js';
import { formatTable } from '../output/table.js';
import type { ShellCommand } from './command.js';
import { flagText } from './flags.js';
import { localPath, localPaths } from './operands.js';
import { runProgram } from './run-program.js';

export const localCommands: readonly ShellCommand[] = [
  {
    names: ['lcd'],
    usage: '[DIR]',
    summary: 'go to a directory of this machine',
    flags: [],
    least: 0,
    most: 1,
    isLocal: true,
    operand: () => 'local directory',
    async run(_, { words: [word] }) {
      const directory = word === undefined ? homedir() : (await localPath(word)).toString();
      try {
        process.chdir(directory);
      } catch (error) {
        const failure = Failure.from(error);
        const why = failure.kind === 'ENOENT' ? 'there is no such directory here' : 'it cannot be entered';
        throw new Failure(failure.kind, `${displayName(Buffer.from(directory))}: ${why}`, { cause: error });
      }
      return 0;
    },
  },
  {
    names: ['lls'],
    usage: '[PATH...]',
    summary: 'list directories of this machine, by its ls',
    flags: [
      { letter: 'l', name: 'long', text: 'with mode, owner, size and time' },
      { letter: 'a', name: 'all', text: 'also names that begin with a dot' },
      { letter: 'h', name: 'human-readable', text: 'sizes with K, M, G, T' },
    ],
    least: 0,
    most: Infinity,
    isLocal: true,
    operand: () => 'local',
    async run(context, { flags, words }) {
      const given = [
        ...(flags.has('long') ? ['-l'] : []),
        ...(flags.has('all') ? ['-a'] : []),
        ...(flags.has('human-readable') ? ['-h'] : []),
      ];
      const paths = await localPaths(words);
      return runProgram(context, 'ls', [...given, '--', ...paths.map((path) => path.toString())]);
    },
  },
  {
    names: ['lpwd'],
    usage: '',
    summary: 'say where on this machine this is',
    flags: [],
    least: 0,
    most: 0,
    isLocal: true,
    operand: () => 'nothing',
    async run() {
      await writeOut(`${process.cwd()}\n`);
      return 0;
    },
  },
  {
    names: ['help', '?'],
    usage: '[COMMAND]',
    summary: 'tell what commands there are, or how to use one',
    flags: [],
    least: 0,
    most: 1,
    isLocal: true,
    operand: () => 'command',
    async run({ commands }, { words: [word] }) {
      if (word === undefined) await writeOut(overview(commands));
      else await writeOut(helpOf(findCommand(commands, word.text)));
      return 0;
    },
  },
  {
    names: ['exit', 'quit', 'bye'],
    usage: '',
    summary: 'end; so does Ctrl-D',
    flags: [],
    least: 0,
    most: 0,
    isLocal: true,
    operand: () => 'nothing',
    async run(context) {
      context.end();
      return 0;
    },
  },
];

/** The command of that name. Throws USAGE. */
export function findCommand(commands: readonly ShellCommand[], name: string): ShellCommand {
  const command = commands.find(({ names }) => names.includes(name));
  if (command === undefined) throw new Failure('USAGE', `there is no command '${name}': help lists them`);
  return command;
}

/** `get [-rvq] SRC... [DST]` */
export function usageOf({ names: [name], flags, usage }: ShellCommand): string {
  const letters = flags.flatMap(({ letter }) => letter ?? []).join('');
  const options = letters === '' || usage.startsWith('-') ? [] : [`[-${letters}]`];
  return [name, ...options, ...(usage === '' ? [] : [usage])].join(' ');
}

function overview(commands: readonly ShellCommand[]): string {
  const rows = [
    ...commands.map((command) => [usageOf(command), command.summary]),
    ['!COMMAND', 'run a command of this machine; ! alone: a shell'],
  ];
  const lines = formatTable(rows, ['left', 'left']);
  const hints = [
    'Quotes, backslashes and the patterns * ? [...] are as in a shell.',
    "'help COMMAND' tells the options of a command.",
  ];
  return `${[...lines, ...hints].join('\n')}\n`;
}

function helpOf(command: ShellCommand): string {
  const [, ...others] = command.names;
  const rows = command.flags.map((flag) => [`  ${flagText(flag)}`, flag.text]);
  return [
    usageOf(command),
    `  ${command.summary}${others.length === 0 ? '' : ` (also: ${others.join(', ')})`}`,
    ...formatTable(rows, ['left', 'left']),
    '',
  ].join('\n');
}
