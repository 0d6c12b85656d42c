/* The bars of a transfer on a terminal whose window changes. */
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startDaemon } from '../lib/daemon.js';
import { temporaryDirectory } from '../lib/directory.js';
import { programs } from '../lib/programs.js';
import { run } from '../lib/run.js';
import { Terminal } from '../lib/terminal.js';

t.setTimeout(90_000);

/** To the first of the five rows that three bars have become, and nothing of them stays. */
const CLEARED = '\x1b[4A\x1b[1G\x1b[0J';
const MiB = 1024 * 1024;
const daemon = await startDaemon(t, { users: { alice: { quota: '500M' } } });

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
  const lines = drawn.split(/[\r\n]+/).flatMap((line) => line.split('\x1b'));
  const texts = lines.map((line) => line.replace(/^\[[0-9;]*[A-Za-z]/, ''));
  t.ok(texts.length > 3 && texts.every((text) => text.length <= 60), drawn);
});
