import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
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
