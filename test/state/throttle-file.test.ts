/* The file of failed logins: what was written comes back; anything else is told. */
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { readThrottle, writeThrottle, type ThrottleRecord } from '../../state/throttle-file.js';
import { temporaryDirectory } from '../lib/directory.js';

const RECORD: ThrottleRecord = {
  at: 5,
  known: [['alice', { addresses: ['::/64'], devices: ['key'], lastLogin: 3 }]],
  places: [['address ::/64: bob', 3, 1.5]],
  users: [['bob', 3, 1.5]],
  addresses: [],
};

t.test('what was written comes back', async (t) => {
  const path = join(temporaryDirectory(t), 'throttle.json');
  t.equal(readThrottle(path), undefined);
  for (const at of [1, 2]) {
    await writeThrottle(path, { ...RECORD, at });
    t.strictSame(readThrottle(path), { ...RECORD, at });
  }
  t.equal(statSync(path).mode & 0o777, 0o600);
});

t.test('what is damaged is told', async (t) => {
  const path = join(temporaryDirectory(t), 'throttle.json');
  for (const damaged of [
    '',
    '{',
    'null',
    '[]',
    '7',
    JSON.stringify(RECORD).slice(0, -2),
    JSON.stringify({ ...RECORD, at: 'now' }),
    JSON.stringify({ ...RECORD, users: [['bob', 3]] }),
    JSON.stringify({ ...RECORD, places: [null] }),
    JSON.stringify({ ...RECORD, known: [['alice', null]] }),
    JSON.stringify({ ...RECORD, known: [['alice', { addresses: [1], devices: [], lastLogin: 3 }]] }),
  ]) {
    writeFileSync(path, damaged);
    t.throws(() => readThrottle(path), { kind: 'EIO', message: /is damaged/ }, damaged);
  }
});
