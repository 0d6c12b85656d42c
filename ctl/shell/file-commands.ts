/**
 * The commands at the prompt that are about files of the home. What they do is in the files of ftpctl's own commands.
 */
import { Failure } from '../../protocol/failure.js';
import { ROOT_PATH } from '../../protocol/ids.js';
import { readFiles } from '../cat.js';
import { showSpace } from '../df.js';
import { list } from '../ls.js';
import { makeDirectories } from '../mkdir.js';
import { showMd5 } from '../md5.js';
import { move } from '../mv.js';
import { displayName } from '../names.js';
import { Outcome } from '../outcome.js';
import { writeOut } from '../output/stdout.js';
import { find, findThere, isDirectory, throughLinks } from '../remote/directory.js';
import { pathFrom } from '../remote/shared-path.js';
import { remove, removeDirectories } from '../rm.js';
import { showAttributes } from '../stat.js';
import { emptyTrash, listTrash, removeTrash, restoreTrash, TRASH_VERBS } from '../trash.js';
import { listUploads, removeUploads, UPLOADS_VERBS } from '../uploads.js';
import { refuseSlip } from '../verb-slips.js';
import type { Context, ShellCommand } from './command.js';
import type { Flag, Operands } from './flags.js';
import { currentPlace, homePlace, remotePlace, remotePlaces, trashPlaces } from './operands.js';
import { page } from './run-program.js';
import type { Word } from './words.js';

const HUMAN: Flag = { letter: 'h', name: 'human-readable', text: 'sizes with K, M, G, T' };
const MANY = Infinity;

export const fileCommands: readonly ShellCommand[] = [
  {
    names: ['ls', 'dir'],
    usage: '[PATH...]',
    summary: 'list directories',
    flags: [
      { letter: 'l', name: 'long', text: 'with mode, links, size and time' },
      { letter: 'a', name: 'all', text: 'also names that begin with a dot' },
      HUMAN,
    ],
    least: 0,
    most: MANY,
    asks: true,
    operand: () => 'remote',
    async run(context, { flags, words }) {
      const places = words.length === 0 ? [currentPlace(context)] : await remotePlaces(context, words);
      return list(context.session, places, {
        long: flags.has('long'),
        all: flags.has('all'),
        humanReadable: flags.has('human-readable'),
      });
    },
  },
  {
    names: ['cd'],
    usage: '[DIR]',
    summary: 'go to a directory of the home; cd - goes back',
    flags: [],
    least: 0,
    most: 1,
    asks: true,
    operand: () => 'remote directory',
    run: (context, { words }) => changeDirectory(context, words[0]),
  },
  {
    names: ['pwd'],
    usage: '',
    summary: 'say where in the home this is',
    flags: [],
    least: 0,
    most: 0,
    isLocal: true,
    operand: () => 'nothing',
    async run({ directory }) {
      await writeOut(`/${displayName(directory)}\n`);
      return 0;
    },
  },
  {
    names: ['mkdir'],
    usage: 'DIR...',
    summary: 'make directories',
    flags: [{ letter: 'p', name: 'parents', text: 'also those above it that are missing' }],
    least: 1,
    most: MANY,
    operand: () => 'remote directory',
    async run(context, { flags, words }) {
      return makeDirectories(context.session, await remotePlaces(context, words), {
        parents: flags.has('parents'),
      });
    },
  },
  {
    names: ['rmdir'],
    usage: 'DIR...',
    summary: 'remove empty directories',
    flags: [],
    least: 1,
    most: MANY,
    operand: () => 'remote directory',
    run: async (context, { words }) => removeDirectories(context.session, await remotePlaces(context, words)),
  },
  {
    names: ['rm', 'delete'],
    usage: 'PATH...',
    summary: 'remove files and empty directories',
    flags: [
      { letter: 'r', name: 'recursive', text: 'directories with all that is in them' },
      { letter: 'f', name: 'force', text: 'say nothing of what is not there' },
    ],
    least: 1,
    most: MANY,
    operand: () => 'remote',
    async run(context, { flags, words }) {
      return remove(context.session, await remotePlaces(context, words), {
        recursive: flags.has('recursive'),
        force: flags.has('force'),
        emptyDirectories: true,
      });
    },
  },
  {
    names: ['mv', 'rename'],
    usage: 'FROM... TO',
    summary: 'rename, or move into a directory',
    flags: [{ letter: 'n', name: 'no-clobber', text: 'replace nothing' }],
    least: 2,
    most: MANY,
    operand: () => 'remote',
    async run(context, { flags, words }) {
      const { sources, last } = splitLast(words);
      const to = await remotePlace(context, last);
      return move(context.session, await remotePlaces(context, sources), to, {
        clobber: !flags.has('no-clobber'),
      });
    },
  },
  {
    names: ['ln'],
    usage: '-s TARGET NAME',
    summary: 'make a symbolic link',
    flags: [{ letter: 's', name: 'symbolic', text: 'has to be given: there are no others here' }],
    least: 2,
    most: 2,
    // The target is a text, and leads on from where the link is.
    operand: (index) => (index === 0 ? 'nothing' : 'remote'),
    async run(context, { flags, words }) {
      const [target, name] = words;
      if (!flags.has('symbolic'))
        throw new Failure('USAGE', 'only symbolic links can be made here: use ln -s');
      if (target === undefined || name === undefined) return 0;
      const { path } = await remotePlace(context, name);
      const { client, changes } = context.session;
      await throughLinks(client, path, 'kept', (there) => changes.symlink(there, Buffer.from(target.text)));
      return 0;
    },
  },
  {
    names: ['chmod'],
    usage: 'MODE PATH...',
    summary: 'change permissions; MODE is octal, such as 644',
    flags: [],
    least: 2,
    most: MANY,
    operand: (index) => (index === 0 ? 'nothing' : 'remote'),
    async run(context, { words: [mode, ...words] }) {
      const text = mode?.text ?? '';
      if (!/^[0-7]{3,4}$/.test(text))
        throw new Failure('USAGE', `'${text}' is not a mode: write one such as 644`);
      const outcome = new Outcome();
      for (const { path, shown } of await remotePlaces(context, words)) {
        await outcome.guard(shown, async () => {
          const { client, changes } = context.session;
          const { path: led } = await findThere(client, path);
          await changes.setattr(led, { mode: Number.parseInt(text, 8) });
        });
      }
      return outcome.exitCode;
    },
  },
  {
    names: ['cat'],
    usage: 'FILE...',
    summary: 'show files',
    flags: [],
    least: 1,
    most: MANY,
    operand: () => 'remote',
    run: async (context, { words }) =>
      readFiles(context.session, await remotePlaces(context, words), writeOut),
  },
  {
    names: ['less', 'more'],
    usage: 'FILE...',
    summary: 'show files by $PAGER, or less',
    flags: [],
    least: 1,
    most: MANY,
    operand: () => 'remote',
    async run(context, { words }) {
      const places = await remotePlaces(context, words);
      if (!process.stdout.isTTY) return readFiles(context.session, places, writeOut);
      return page((sink) => readFiles(context.session, places, sink));
    },
  },
  {
    names: ['md5'],
    usage: 'FILE...',
    summary: 'show the MD5 of files, computed by the server',
    flags: [],
    least: 1,
    most: MANY,
    operand: () => 'remote',
    run: async (context, { words }) => showMd5(context.session, await remotePlaces(context, words)),
  },
  {
    names: ['stat'],
    usage: 'PATH...',
    summary: 'show all attributes',
    flags: [{ name: 'json', text: 'one JSON object a line' }],
    least: 1,
    most: MANY,
    asks: true,
    operand: () => 'remote',
    async run(context, { flags, words }) {
      const places = await remotePlaces(context, words);
      return showAttributes(context.session, places, { json: flags.has('json') });
    },
  },
  {
    names: ['df', 'quota'],
    usage: '',
    summary: 'show quota and use',
    flags: [HUMAN],
    least: 0,
    most: 0,
    asks: true,
    operand: () => 'nothing',
    run: ({ session }, { flags }) => showSpace(session, { humanReadable: flags.has('human-readable') }),
  },
  {
    names: ['uploads'],
    usage: '[rm] [PATH...]',
    summary: 'list what interrupted puts left, or remove it',
    flags: [HUMAN],
    least: 0,
    most: MANY,
    verbs: UPLOADS_VERBS,
    operand: (index, [verb = '']) => (index === 0 && UPLOADS_VERBS.includes(verb) ? 'nothing' : 'remote'),
    run: uploads,
  },
  {
    names: ['trash'],
    usage: '[VERB] [PATH...]',
    summary: 'what was removed: list, restore, rm or empty',
    flags: [
      HUMAN,
      { name: 'beside', text: 'restore: take another name where something has the name' },
      { name: 'all', text: 'restore: what was removed earlier under the same path, too' },
    ],
    least: 0,
    most: MANY,
    verbs: TRASH_VERBS,
    operand: (index, [verb = '']) => (index === 0 && TRASH_VERBS.includes(verb) ? 'nothing' : 'remote trash'),
    run: trash,
  },
];

/** Undefined: none is said. Throws USAGE: it is misspelled. */
function verbOf(command: string, verbs: readonly string[], word: Word | undefined): string | undefined {
  refuseSlip(command, word?.raw, verbs, (path) => `a path: ./${path}`);
  return verbs.find((verb) => verb === word?.raw);
}

async function trash(context: Context, { flags, words }: Operands): Promise<number> {
  const { session } = context;
  const verb = verbOf('trash', TRASH_VERBS, words[0]);
  const typed = verb === undefined ? words : words.slice(1);
  const places = typed.length === 0 ? [homePlace()] : [];
  const meant = [
    ...places.map(({ path, shown }) => ({ path, isPattern: false, shown })),
    ...trashPlaces(context, typed),
  ];
  if (verb === 'restore') {
    return restoreTrash(session, meant, { beside: flags.has('beside'), all: flags.has('all') });
  }
  if (verb === 'rm') return removeTrash(session, meant);
  if (verb !== 'empty') return listTrash(session, meant, { humanReadable: flags.has('human-readable') });
  if (typed.length > 0) throw new Failure('USAGE', 'empty takes no path: rm removes what was there');
  return emptyTrash(session);
}

async function uploads(context: Context, { flags, words }: Operands): Promise<number> {
  const verb = verbOf('uploads', UPLOADS_VERBS, words[0]);
  const paths = verb === undefined ? words : words.slice(1);
  const places = paths.length === 0 ? [homePlace()] : await remotePlaces(context, paths);
  if (verb === 'rm') return removeUploads(context.session, places);
  return listUploads(context.session, places, { humanReadable: flags.has('human-readable') });
}

async function changeDirectory(context: Context, word: Word | undefined): Promise<number> {
  if (word?.raw === '-') {
    if (context.former === undefined) throw new Failure('USAGE', 'there is no directory to go back to');
    context.changeDirectory(context.former);
    return 0;
  }
  if (word === undefined) {
    context.changeDirectory(ROOT_PATH);
    return 0;
  }
  const { path, shown } = await remotePlace(context, word);
  const name = displayName(shown) || '.';
  const { client, share } = context.session;
  const { path: led, attributes } = await find(client, path);
  if (attributes === undefined) throw new Failure('ENOENT', `${name}: there is no such directory`);
  if (!isDirectory(attributes)) throw new Failure('ENOTDIR', `${name} is not a directory`);
  context.changeDirectory(pathFrom(share, led));
  return 0;
}

function splitLast(words: readonly Word[]): { sources: readonly Word[]; last: Word } {
  const last = words.at(-1);
  if (last === undefined) throw new Failure('USAGE', 'say what, and where to');
  return { sources: words.slice(0, -1), last };
}
