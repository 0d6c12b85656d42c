import { homedir } from 'node:os';
import t from 'tap';
import { complete, type Listers } from '../../../ctl/shell/completion.js';
import { fileCommands } from '../../../ctl/shell/file-commands.js';
import type { Lister } from '../../../ctl/glob.js';
import { localCommands } from '../../../ctl/shell/local-commands.js';
import { transferCommands } from '../../../ctl/shell/transfer-commands.js';
import { wordsOf } from '../../../ctl/shell/words.js';

const commands = [...fileCommands, ...transferCommands, ...localCommands];

function lister(tree: Readonly<Record<string, readonly (string | Buffer)[]>>): Lister {
  return (directory) =>
    Promise.resolve(
      (tree[directory.toString()] ?? []).map((entry) => {
        const name = entry.toString();
        const isDirectory = name.endsWith('/');
        return { name: isDirectory ? Buffer.from(name.slice(0, -1)) : Buffer.from(entry), isDirectory };
      }),
    );
}

const listers: Listers = {
  remote: lister({
    '': ['photos/', 'photo.txt', 'with space', "it's", 'a*b', '.hidden', Buffer.from([0x6e, 0xff]), 'n\nl'],
    'photos/': ['one.jpg', 'two.jpg'],
    '/': ['top/'],
    '//': ['top/'],
  }),
  trash: lister({ '': ['gone.txt', 'tree/'], 'tree/': ['restored'] }),
  local: lister({ '': ['local.txt', 'ldir/'], [`${homedir()}/`]: ['mine/'] }),
};

const candidates = async (line: string): Promise<readonly string[]> =>
  (await complete(line, commands, listers)).candidates;

t.test('commands', async (t) => {
  t.strictSame(await candidates('lp'), ['lpwd ']);
  t.strictSame(await candidates('help mk'), ['mkdir ']);
  t.ok((await candidates('')).includes('get '));
  t.strictSame(await candidates('nonsense x'), []);
  t.strictSame(await candidates('pwd '), []);
});

t.test('names of the home and of this machine, by what the operand is', async (t) => {
  t.strictSame(await candidates('ls ph'), ['photo.txt ', 'photos/']);
  t.strictSame(await candidates('cd ph'), ['photos/']);
  t.strictSame(await candidates('ls photos/o'), ['photos/one.jpg ']);
  t.strictSame(await candidates('-rm -r photos/t'), ['photos/two.jpg ']);
  t.strictSame(await candidates('put '), ['ldir/', 'local.txt ']);
  t.strictSame(await candidates('put -r ldir ph'), ['photo.txt ', 'photos/']);
  t.strictSame(await candidates('get photo.txt l'), ['ldir/', 'local.txt ']);
  t.strictSame(await candidates('get --limit 2M phot'), ['photo.txt ', 'photos/'], 'a value is no operand');
  t.strictSame(await candidates('get --limit '), []);
  t.strictSame(await candidates('lcd '), ['ldir/']);
  t.strictSame(await candidates('lcd ~/'), ['~/mine/']);
  t.strictSame(await candidates('cd /t'), ['/top/']);
  t.strictSame(await candidates('cd ~/t'), ['~/top/']);
});

t.test('verbs, and what is in the trash', async (t) => {
  t.strictSame(await candidates('trash r'), ['restore ', 'rm ']);
  t.strictSame(await candidates('trash '), ['list ', 'restore ', 'rm ', 'empty ', 'gone.txt ', 'tree/']);
  t.strictSame(await candidates('trash restore g'), ['gone.txt ']);
  t.strictSame(await candidates('trash rm tree/'), ['tree/restored ']);
  t.strictSame(await candidates('uploads rm ph'), ['photo.txt ', 'photos/']);
  t.strictSame(await candidates('uploads l'), ['list ']);
});

t.test('what cannot be typed is not offered, nor what is hidden before it is asked for', async (t) => {
  t.strictSame(await candidates('ls n'), []);
  t.notOk((await candidates('ls ')).some((name) => name.includes('hidden')));
  t.strictSame(await candidates('ls .'), ['.hidden ']);
});

t.test('names are quoted as they were begun, and mean themselves', async (t) => {
  for (const [line, candidate, text] of [
    ['cat wi', String.raw`with\ space `, 'with space'],
    ['cat "wi', '"with space" ', 'with space'],
    [`cat 'wi`, `'with space' `, 'with space'],
    [String.raw`cat with\ s`, String.raw`with\ space `, 'with space'],
    ['cat it', String.raw`it\'s `, "it's"],
    [`cat 'i`, String.raw`'it'\''s' `, "it's"],
    ['cat a', String.raw`a\*b `, 'a*b'],
    ['cat "photos"/o', 'photos/one.jpg ', 'photos/one.jpg'],
  ] as const) {
    t.strictSame(await candidates(line), [candidate], line);
    t.match(wordsOf(candidate), [{ text, isPattern: false }]);
  }
  t.equal((await complete('cat "photos"/o', commands, listers)).word, '"photos"/o');
});
