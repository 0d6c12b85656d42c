/* The state directory: what is written is there for others, private, and gone when it has to be. */
import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { userName } from '../../protocol/ids.js';
import type { Account } from '../../state/accounts.js';
import { damageOf } from '../../state/database-check.js';
import { statePaths } from '../../state/directory.js';
import { openState, type State } from '../../state/store.js';
import type { UploadRecord } from '../../state/uploads.js';
import { temporaryDirectory } from '../lib/directory.js';
import type { Scope } from '../lib/scope.js';

const ALICE = userName('alice');
const LILY = userName('lily');
/** Of the database. */
const PAGE = 4096;

function account(name = ALICE): Account {
  return {
    name,
    quotaBytes: 5 * 2 ** 40,
    maxFiles: 0,
    passwordHash: null,
    keys: [{ publicKey: 'a2V5', comment: 'laptop' }],
    createdAt: 1_700_000_000_000,
    disabled: false,
    expiresAt: null,
  };
}

function upload(offset: number): UploadRecord {
  return {
    path: Buffer.from([0xff, 0x2f, 0x80]),
    partial: 'p',
    size: 2 ** 40,
    mode: 0o640,
    mtime: { sec: -1, nsec: 999_999_999 },
    fingerprint: Buffer.alloc(32, 1),
    boot: Buffer.alloc(16, 3),
    offset,
    md5State: Buffer.alloc(92, 2),
  };
}

function open(scope: Scope): State {
  const state = openState(join(temporaryDirectory(scope), 'made', 'here'));
  scope.teardown(() => state.close());
  return state;
}

t.test('accounts', async (t) => {
  const { accounts } = open(t);
  t.equal(accounts.get(ALICE), undefined);
  accounts.create(account());
  t.same(accounts.get(ALICE), account());
  t.throws(() => accounts.create(account()), { name: 'Failure', kind: 'EEXIST' });
  t.equal(accounts.update(ALICE, (a) => ({ ...a, quotaBytes: 1 })).quotaBytes, 1);
  t.equal(accounts.get(ALICE)?.quotaBytes, 1);
  accounts.create(account(LILY));
  t.same(
    accounts.list().map(({ name }) => name),
    [ALICE, LILY],
  );
  accounts.remove(ALICE);
  t.same(
    accounts.list().map(({ name }) => name),
    [LILY],
  );
  t.throws(() => accounts.remove(ALICE), { name: 'Failure', kind: 'ENOENT' });
  t.throws(() => accounts.update(ALICE, (a) => a), { name: 'Failure', kind: 'ENOENT' });
});

t.test('an update that throws changes nothing', async (t) => {
  const { accounts } = open(t);
  accounts.create(account());
  t.throws(() =>
    accounts.update(ALICE, () => {
      throw new Error('no');
    }),
  );
  t.same(accounts.get(ALICE), account());
});

t.test('a change of another process is seen at once, in the same turn as a read', async (t) => {
  const { accounts, paths } = open(t);
  accounts.create(account());
  const store = new URL('../../state/store.js', import.meta.url).href;
  const script = `
    const { openState } = await import(${JSON.stringify(store)});
    const state = openState(process.argv[1]);
    state.accounts.update('alice', (a) => ({ ...a, disabled: true }));
    await state.close();`;
  t.equal(accounts.get(ALICE)?.disabled, false);
  await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script, paths.directory]);
  t.equal(accounts.get(ALICE)?.disabled, true);
});

t.test('the ledger', async (t) => {
  const { accounts, ledger } = open(t);
  accounts.create(account());
  t.equal(ledger.read(ALICE), undefined, 'never counted');
  ledger.markDirty(ALICE);
  t.equal(ledger.read(ALICE), undefined, 'still never counted');
  ledger.write(account(), { bytes: 2 ** 45, files: 7 }, true);
  t.same(ledger.read(ALICE), { bytes: 2 ** 45, files: 7, clean: true });
  ledger.markDirty(ALICE);
  t.same(ledger.read(ALICE), { bytes: 2 ** 45, files: 7, clean: false });
});

t.test('a removed user leaves nothing to a new one of the same name', async (t) => {
  const state = open(t);
  const { accounts, ledger, uploads } = state;
  accounts.create(account());
  ledger.write(account(), { bytes: 1, files: 1 }, true);
  await uploads.put(ALICE, 'one', upload(0));
  state.removeUser(ALICE);
  // A worker that closes the home after that:
  ledger.write(account(), { bytes: 1, files: 1 }, true);
  t.equal(accounts.get(ALICE), undefined);
  t.equal(ledger.read(ALICE), undefined);
  t.same(uploads.list(ALICE), []);
  accounts.create({ ...account(), createdAt: 1_700_000_000_001 });
  ledger.write(account(), { bytes: 1, files: 1 }, true);
  t.equal(ledger.read(ALICE), undefined, 'nor does a worker that closes the home of the former one');
  t.throws(() => state.removeUser(LILY), { name: 'Failure', kind: 'ENOENT' });
});

t.test('uploads, of each user apart', async (t) => {
  const { uploads } = open(t);
  await uploads.put(userName('al'), 'one', upload(1));
  await uploads.put(ALICE, 'one', upload(2));
  await uploads.put(ALICE, 'two', upload(3));
  t.same(uploads.get(ALICE, 'one'), upload(2));
  t.same(uploads.list(userName('al')), [{ key: 'one', record: upload(1) }]);
  t.same(uploads.list(ALICE), [
    { key: 'one', record: upload(2) },
    { key: 'two', record: upload(3) },
  ]);
  await uploads.remove(ALICE, 'one');
  t.equal(uploads.get(ALICE, 'one'), undefined);
  t.throws(() => uploads.get(ALICE, 'k'.repeat(256)), RangeError);
});

t.test('files and directory are private, whatever the umask', async (t) => {
  const umask = process.umask(0);
  t.teardown(() => process.umask(umask));
  const { paths } = open(t);
  t.equal(statSync(paths.directory).mode & 0o777, 0o700);
  const modes = readdirSync(paths.directory).map(
    (name) => statSync(join(paths.directory, name)).mode & 0o777,
  );
  t.ok(modes.length >= 2);
  t.same(new Set(modes), new Set([0o600]));
});

t.test('read-only makes nothing', async (t) => {
  const directory = temporaryDirectory(t);
  t.throws(() => openState(directory, { readOnly: true }), { kind: 'ENOENT', message: /--state/ });
  t.same(readdirSync(directory), []);
  const state = openState(directory);
  t.teardown(() => state.close());
  state.accounts.create(account());
  state.homes = '/srv/homes';
  const reader = openState(directory, { readOnly: true });
  t.teardown(() => reader.close());
  t.same(reader.accounts.list(), [account()]);
  t.equal(reader.homes, '/srv/homes');
});

t.test('a path that cannot be a state directory is named', async (t) => {
  const directory = temporaryDirectory(t);
  writeFileSync(join(directory, 'file'), '');
  const inFile = join(directory, 'file', 'state');
  t.throws(() => openState(inFile), { kind: 'ENOTDIR', message: new RegExp(inFile) });
  mkdirSync(join(directory, 'full', 'state.lmdb'), { recursive: true });
  t.throws(() => openState(join(directory, 'full')), { kind: 'EACCES', message: /state\.lmdb/ });
});

t.test('digests: of one version of one file, and a bounded number of them', async (t) => {
  const { digests } = open(t);
  const time = { sec: 1, nsec: 2 };
  const file = { dev: 1n, ino: 2n ** 60n, btime: time, size: 2 ** 40, mtime: time, ctime: time };
  const md5 = Buffer.alloc(16, 3);
  await digests.put(ALICE, file, md5);
  t.same(digests.get(ALICE, file), md5);
  t.equal(digests.get(LILY, file), undefined);
  const later = { sec: 1, nsec: 3 };
  for (const other of [
    { dev: 2n },
    { ino: file.ino + 1n },
    { btime: later },
    { size: 1 },
    { mtime: later },
    { ctime: later },
  ])
    t.equal(digests.get(ALICE, { ...file, ...other }), undefined, Object.keys(other).join());
  for (let i = 0n; i < 1024n; i++) void digests.put(ALICE, { ...file, ino: i }, md5);
  await digests.put(LILY, file, md5);
  t.equal(digests.get(ALICE, file), undefined, 'another file has its slot');
  t.same(digests.get(ALICE, { ...file, ino: 1023n }), md5);
  digests.removeAll(ALICE);
  t.equal(digests.get(ALICE, { ...file, ino: 1023n }), undefined);
  t.same(digests.get(LILY, file), md5);
});

t.test('a database that lacks pages is refused, and no other one', async (t) => {
  const directory = join(temporaryDirectory(t), 'state');
  const database = statePaths(directory).database;
  const state = openState(directory);
  const users = Array.from({ length: 40 }, (_, i) => account(userName(`user${i}`)));
  for (const one of users)
    state.accounts.create({ ...one, keys: [{ publicKey: 'k'.repeat(9000), comment: '' }] });
  // In one transaction pages are taken and given back that are never written.
  for (const { name } of users.slice(1)) state.removeUser(name);
  t.equal(damageOf(database), undefined);
  await state.close();
  const whole = readFileSync(database);
  const refused = { kind: 'EIO', message: /state\.lmdb is damaged \(its page \d+ .*restore/ };
  truncateSync(database, 2 * PAGE);
  t.throws(() => openState(directory), refused, 'cut off');
  t.throws(() => openState(directory, { readOnly: true }), refused);
  writeFileSync(database, Buffer.from(whole).fill(0, 2 * PAGE));
  t.throws(() => openState(directory), refused, 'never written');
  writeFileSync(database, whole);
  await openState(directory).close();
});
