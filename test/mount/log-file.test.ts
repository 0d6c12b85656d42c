/* The mount's log: private, begun anew when it has grown, and named where it cannot be written. */
import { readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { openMountLog } from '../../mount/log-file.js';
import { temporaryDirectory } from '../lib/directory.js';

t.test('a log that has grown is moved aside by the next mount', async (t) => {
  const file = join(temporaryDirectory(t), 'state', 'mount.log');
  openMountLog(file, '/mnt/a').info('first');
  t.equal(statSync(file).mode & 0o777, 0o600);
  openMountLog(file, '/mnt/b').info('second');
  t.match(readFileSync(file, 'utf8'), /"mountpoint":"\/mnt\/a".*first.*\n.*"mountpoint":"\/mnt\/b".*second/);
  truncateSync(file, 4 * 1024 * 1024);
  openMountLog(file, '/mnt/c').info('third');
  t.match(readFileSync(file, 'utf8'), /^.*third.*\n$/);
  t.match(readFileSync(`${file}.1`, 'utf8'), /first.*\n.*second/);
});

t.test('a log that cannot be written', async (t) => {
  const file = join(temporaryDirectory(t), 'file');
  writeFileSync(file, '');
  t.throws(() => openMountLog(join(file, 'mount.log'), '/mnt'), {
    kind: 'EACCES',
    message: `log file ${file}/mount.log cannot be written: choose another one with --log`,
  });
});

t.test('a line that cannot be written is no failure of what is logged', async (t) => {
  const log = openMountLog('/dev/full', '/mnt');
  for (let n = 0; n < 20; n++) t.doesNotThrow(() => log.warn({ n }, 'x'.repeat(100_000)));
});
