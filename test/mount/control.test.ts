import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { temporaryDirectory } from '../lib/directory.js';
import { succeed } from '../lib/run.js';
import { NOBODY } from './fuse/drop-privileges.js';
import { askStatus, serveControl, type MountStatus } from '../../mount/control.js';

const STATUS: MountStatus = {
  pid: 1,
  mountpoint: '/mnt',
  server: 'alice@example.org:',
  lease: 'home',
  connection: { state: 'connected', since: 0 },
  unsent: { operations: 0, bytes: 0 },
  undurable: { operations: 2, bytes: 10 },
  losses: 0,
  conflicts: 0,
  shares: [],
  ending: false,
};

t.test('tells the status to all who ask, and its end', async (t) => {
  const mountpoint = join(mkdtempSync(join(tmpdir(), 'ftpmount-')), 'mnt');
  const stop = serveControl(mountpoint, () => STATUS);
  const [one, two] = await Promise.all([askStatus(mountpoint), askStatus(mountpoint)]);
  t.same(one.status, STATUS);
  t.same(two.status, STATUS);
  stop();
  await Promise.all([one.ended, two.ended]);
  await t.rejects(askStatus(mountpoint), { kind: 'ENOENT', message: /nobody serves a mount/ });
});

t.test('a directory that others may enter is not used: what they put there could be a link', async (t) => {
  const temporary = temporaryDirectory(t);
  chmodSync(temporary, 0o777);
  const uid = process.getuid?.() === 0 ? NOBODY : process.getuid?.();
  const directory = join(temporary, `ftpmount-${uid}`);
  mkdirSync(directory);
  chmodSync(directory, 0o777);
  const precious = join(temporary, 'precious');
  writeFileSync(precious, 'important');
  chmodSync(precious, 0o666);
  const name = createHash('sha256').update('/mnt').digest('hex').slice(0, 32);
  for (let pid = process.pid + 1; pid < process.pid + 100; pid++)
    symlinkSync(precious, join(directory, `${name}.${pid}.sock`));
  const script = fileURLToPath(new URL('serve-control.js', import.meta.url));
  const env = { ...process.env, TMPDIR: temporary, XDG_RUNTIME_DIR: '' };
  await succeed(process.execPath, [script, '/mnt'], { env, input: '' });
  t.equal(readFileSync(precious, 'utf8'), 'important');
});
