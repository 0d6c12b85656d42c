/* The bars of a transfer on a terminal: of several files and their total, of wide names, and of a window that changes. */
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startDaemon } from '../lib/daemon.js';
import { temporaryDirectory } from '../lib/directory.js';
import { programs } from '../lib/programs.js';
import { run } from '../lib/run.js';
import { Terminal } from '../lib/terminal.js';
import { widthOf } from '../../ctl/output/width.js';

t.setTimeout(90_000);

/** To the first of the five rows that three bars have become, and nothing of them stays. */
const CLEARED = '\x1b[4A\x1b[1G\x1b[0J';
const MiB = 1024 * 1024;
const daemon = await startDaemon(t, { users: { alice: { quota: '500M' } } });

/** Lines as they were drawn one over the other. */
function drawnLines(text: string): string[] {
  const rows = text.split(/[\r\n]+/).flatMap((line) => line.split('\x1b'));
  return rows.map((line) => line.replace(/^\[[0-9;]*[A-Za-z]/, ''));
}

t.test('of a window that gets narrower the wrapped bars are cleared, and new ones fit', async (t) => {
  const local = temporaryDirectory(t);
  const tree = join(local, 'tree');
  fs.mkdirSync(tree);
  for (const name of ['first', 'second']) fs.writeFileSync(join(tree, name), randomBytes(20 * MiB));
  for (let n = 0; n < 20; n++) fs.writeFileSync(join(tree, `small ${n}`), '');
  const put = [process.execPath, programs.ftpctl, 'put', '-r', '--limit=4M', ...daemon.login('alice')];
  const shell = ['sh', '-c', 'stty cols 120; echo "on $(tty)."; exec "$@"', 'sh'];
  const terminal = new Terminal(t, [...shell, ...put, tree, daemon.at('alice')], daemon.env);
  const [, tty = ''] = /on (.*)\./.exec(await terminal.says(/on .*\./)) ?? [];
  // All are drawn: two bars of 101 columns or so, and the total.
  await terminal.says(/ETA[^]*ETA[^]*20 files, [2-9].*M of 40M {2}.*M\/s {2}ETA 0:\d\d/);
  const before = terminal.output.length;
  t.equal((await run('stty', ['-F', tty, 'cols', '60'])).code, 0);
  await terminal.says(new RegExp(CLEARED.replaceAll('[', String.raw`\[`)));
  await terminal.says(/20 files, /);
  await terminal.says(/20 files, /);
  const drawn = terminal.output.slice(terminal.output.indexOf(CLEARED, before));
  const texts = drawnLines(drawn);
  t.ok(texts.length > 3 && texts.every((text) => text.length <= 60), drawn);
});

t.test(
  'the total is told with the first bytes of several large files, and a wide name takes one row',
  async (t) => {
    const tree = join(temporaryDirectory(t), 'tree');
    fs.mkdirSync(tree);
    const names = [`${'漢字'.repeat(20)}.bin`, `${'😀'.repeat(20)}.bin`];
    for (const name of names) fs.writeFileSync(join(tree, name), randomBytes(8 * MiB));
    const put = [process.execPath, programs.ftpctl, 'put', '-r', '--limit=2M', ...daemon.login('alice')];
    const shell = ['sh', '-c', 'stty cols 80; exec "$@"', 'sh'];
    const terminal = new Terminal(t, [...shell, ...put, tree, daemon.at('alice', 'wide')], daemon.env);
    await terminal.says(/0 files, [1-3]\.\dM of 16M {2}.*M\/s {2}ETA 0:\d\d/);
    await terminal.says(/字\.bin \[=.*ETA/);
    await terminal.says(/😀\.bin \[=.*ETA/);
    for (const line of drawnLines(terminal.output)) t.ok(widthOf(line) <= 80, line);
  },
);

t.test('of files that are moved one by one, too', async (t) => {
  const directory = temporaryDirectory(t);
  const files = ['first', 'second'].map((name) => join(directory, name));
  for (const file of files) fs.writeFileSync(file, randomBytes(4 * MiB));
  const one = ['--jobs=1', '--limit=1M', ...daemon.login('alice')];
  const put = [process.execPath, programs.ftpctl, 'put', ...one, ...files, daemon.at('alice')];
  const terminal = new Terminal(t, put, daemon.env);
  await terminal.says(/0 files, [^ ]+M of 8\.0M {2}.*M\/s {2}ETA 0:\d\d/);
});

t.test('with -v each file is one line', async (t) => {
  const directory = temporaryDirectory(t);
  const files = ['verbose1', 'verbose2'].map((name) => join(directory, name));
  for (const file of files) fs.writeFileSync(file, 'text');
  const put = [process.execPath, programs.ftpctl, 'put', '-v', ...daemon.login('alice'), ...files];
  const terminal = new Terminal(t, [...put, daemon.at('alice')], daemon.env);
  t.equal((await terminal.exited).code, 0);
  for (const file of files) {
    const lines = terminal.output
      .split('\n')
      .filter((line) => line.includes(`${file}: `) || line.includes(`(${file})`));
    t.equal(lines.length, 1, terminal.output);
    t.match(lines[0], /: 4 bytes, .*, MD5 1cb251ec0d568de6a929b520c4aed8d1/);
  }
});

t.test('what is told when all is over draws nothing any more', async (t) => {
  const bars = new URL('../../ctl/output/bars.js', import.meta.url).href;
  const script = `
    const { Bars } = await import(${JSON.stringify(bars)});
    const shown = new Bars();
    shown.close();
    shown.expected({ files: 5, bytes: 10 });
    console.log('the end');`;
  const terminal = new Terminal(t, [process.execPath, '--input-type=module', '--eval', script]);
  await terminal.says(/the end/);
  t.match(await terminal.exited, { code: 0 });
});

t.test('a get of a tree tells the time that is left of all of it, as a put does', async (t) => {
  const tree = join(temporaryDirectory(t), 'several');
  fs.mkdirSync(join(tree, 'sub'), { recursive: true });
  for (const name of ['one', 'sub/two']) fs.writeFileSync(join(tree, name), randomBytes(4 * MiB));
  const login = daemon.login('alice');
  t.equal((await daemon.ftpctl(['put', '-r', ...login, tree, daemon.at('alice')])).code, 0);
  const here = temporaryDirectory(t);
  const get = [process.execPath, programs.ftpctl, 'get', '-r', '--limit=2M', ...login];
  const terminal = new Terminal(t, [...get, daemon.at('alice', 'several'), here], daemon.env);
  await terminal.says(/0 files, [1-3]\.\dM of 8\.0M {2}.*M\/s {2}ETA 0:\d\d/);
  t.equal((await terminal.exited).code, 0);
});
