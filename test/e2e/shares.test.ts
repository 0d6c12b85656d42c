/*
 * A share with members who may write and who may only read: who comes there, what they may do, its quota, and what becomes of
 * their sessions when that changes; over a real daemon and ftpctl.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import type { Client, NotificationHandlers } from '../../protocol/session/client.js';
import { LEASE_WRITE } from '../../protocol/methods.js';
import type { Share } from '../../protocol/shares.js';
import type { Scope } from '../lib/scope.js';
import { logIn, type TestLogin } from '../lib/accounts.js';
import { passwordOf, startDaemon } from '../lib/daemon.js';
import { failing } from '../lib/failing.js';
import { PathClient } from '../lib/path-client.js';

const daemon = await startDaemon(t, {
  users: { writer: { quota: '1G' }, reader: { quota: '1G' }, stranger: { quota: '1G' } },
  byPassword: true,
});

async function ftpctl(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await daemon.ftpctl(args);
  if (code !== 0) throw new Error(`ftpctl ${args.join(' ')}: ${stderr}`);
  return stdout;
}

/** What a session was told of shares, and the next time it is told. */
class Told {
  readonly lists: (readonly Share[])[] = [];
  #next: (shares: readonly Share[]) => void = () => undefined;

  shares = (shares: readonly Share[]): void => {
    this.lists.push(shares);
    this.#next(shares);
  };

  next(): Promise<readonly Share[]> {
    return new Promise((resolve) => {
      this.#next = resolve;
    });
  }
}

function comeTo(scope: Scope, user: string, share?: string, more: Partial<TestLogin> = {}): Promise<Client> {
  const { port } = daemon;
  return logIn(scope, { port, user, password: passwordOf(user), ...(share && { share }), ...more });
}

/** As a mount does: it holds leases, and gives back at once what others wait for. */
async function comeHolding(
  scope: Scope,
  user: string,
  share?: string,
  notifications: NotificationHandlers = {},
): Promise<{ client: Client; leased: number[] }> {
  const leased: number[] = [];
  const client: Client = await comeTo(scope, user, share, {
    leaseWanted: LEASE_WRITE,
    notifications: {
      shares: (shares) => notifications.shares?.(shares),
      lease: (items) => leased.push(...items.map(([, mode]) => mode)),
      recall: (items) => void client.call('returned', [items]),
    },
  });
  // Else it is waited for, for the term of its leases.
  scope.teardown(() => client.call('logout', []).catch(() => undefined));
  return { client, leased };
}

const WRITABLE = [{ name: 'team', isWritable: true }];
const READABLE = [{ name: 'team', isWritable: false }];

t.test('groups and a share are made, listed and recorded', async (t) => {
  t.equal(await ftpctl('groupadd', 'staff', 'writer'), 'group staff added, with writer\n');
  await ftpctl('groupadd', 'guests');
  await ftpctl('groupmod', 'guests', '--add', 'reader');
  t.equal(
    await ftpctl('shareadd', 'team', '--group', 'staff', '--rw', '--quota', '1M'),
    'share team added, quota 1.0M, for staff rw\n',
  );
  await ftpctl('sharemod', 'team', '--group', 'guests', '--ro');
  t.match(JSON.parse(await ftpctl('shares', '--json')), {
    name: 'team',
    quotaBytes: 2 ** 20,
    grants: [
      { group: 'guests', access: 'ro' },
      { group: 'staff', access: 'rw' },
    ],
  });
  t.match(await ftpctl('groups'), /^guests +team ro +reader$/m);
  const audit = readFileSync(path.join(daemon.state, 'manager.log'), 'utf8');
  t.match(audit, /"share":"team".*"grants":"staff rw".*"msg":"shareadd"/);
});

t.test('members come to it, and nobody else', async (t) => {
  const writer = new PathClient(await comeTo(t, 'writer', 'team'));
  await writer.put('report', 'text');
  t.equal((await new PathClient(await comeTo(t, 'reader', 'team')).read('report')).toString(), 'text');
  t.notOk(existsSync(path.join(daemon.home('writer'), 'report')), 'it is in no home of a user');
  t.equal(readFileSync(path.join(daemon.homes, '+team', 'report'), 'utf8'), 'text');
  for (const share of ['team', 'nothing', '../writer', '+team', '']) {
    await t.rejects(
      logIn(t, { port: daemon.port, user: 'stranger', password: passwordOf('stranger'), share }),
      { ...failing('ENOENT'), message: `you have no share ${share}` },
      'the same words for one of others and for none',
    );
  }
  t.same((await comeTo(t, 'writer')).session.shares, WRITABLE);
  t.same((await comeTo(t, 'reader')).session.shares, READABLE);
  t.same((await comeTo(t, 'reader', 'team')).session.shares, READABLE);
  t.same((await comeTo(t, 'stranger')).session.shares, []);
});

t.test('who may read changes nothing, and holds up nobody who may write', async (t) => {
  const { client, leased } = await comeHolding(t, 'reader', 'team');
  const reader = new PathClient(client);
  await t.rejects(reader.put('mine', 'x'), failing('EROFS'));
  await t.rejects(reader.unlink('report'), failing('EROFS'));
  await t.rejects(reader.setattr('report', { size: 0 }), failing('EROFS'));
  const upload = ['mine', 1, 0o644, 0, 0, randomBytes(32)].map((one) =>
    typeof one === 'string' ? Buffer.from(one) : one,
  );
  await t.rejects(client.call('uploadBegin', upload), failing('EROFS'));
  await t.rejects(client.call('grant', [65_536, 1, 1, 1, null, null, null]), failing('EROFS'));
  await new PathClient(await comeTo(t, 'writer', 'team')).put('report', 'another');
  t.equal((await reader.read('report')).toString(), 'another');
  t.notOk(leased.includes(LEASE_WRITE), 'it is leased units for reading at most');
});

t.test('the quota is the share, not that of a member', async (t) => {
  const client = await comeTo(t, 'writer', 'team');
  const writer = new PathClient(client);
  await writer.create('large');
  await writer.write('large', 0, Buffer.alloc(2 ** 20)).catch(() => undefined);
  t.ok((await writer.stat('large')).size < 2 ** 20, 'only what fits is written');
  await t.rejects(writer.write('large', 2 ** 20, 'x'), failing('EDQUOT'));
  const [, limit] = await client.call('statfs', []);
  t.equal(limit, 2 ** 20);
  await ftpctl('sharemod', 'team', '--quota', '3M');
  t.equal((await client.call('statfs', []))[1], 3 * 2 ** 20, 'sessions follow at once');
  await writer.write('large', 0, Buffer.alloc(2 ** 20));
  const checked = await ftpctl('quota', 'check', '+team');
  t.match(checked, /^\+team: charged \d+ bytes, 2 files: right$/m);
});

t.test('the directories that show it are made, and removed where nothing is in them', async (t) => {
  const shown = path.join(daemon.home('reader'), 'Shared', 'team');
  t.ok(statSync(shown).isDirectory());
  const told = new Told();
  const { client: reader } = await comeHolding(t, 'reader', undefined, told);
  const paths = new PathClient(reader);
  await paths.mkdir('Shared/more');
  await paths.put('Shared/more/kept', 'x');
  const given = told.next();
  await ftpctl('shareadd', 'more', '--group', 'guests', '--rw', '--quota', '1M');
  t.match(await given.then(() => told.lists), [[{ name: 'more', isWritable: true }, ...READABLE]]);
  t.ok(existsSync(path.join(daemon.home('reader'), 'Shared', 'more')));
  const lost = told.next();
  await ftpctl('groupmod', 'guests', '--remove', 'reader');
  t.same(await lost, []);
  t.notOk(existsSync(shown));
  t.ok(
    existsSync(path.join(daemon.home('reader'), 'Shared', 'more', 'kept')),
    'what the user put there stays',
  );
  await ftpctl('groupmod', 'guests', '--add', 'reader');
  await ftpctl('sharedel', 'more', '--remove');
});

t.test('what was made before the quota was full is removed with its share', async (t) => {
  const shown = path.join(daemon.home('stranger'), 'Shared');
  await ftpctl('usermod', 'stranger', '--max-files', '2');
  await ftpctl('groupadd', 'few', 'stranger');
  for (const name of ['first', 'second']) {
    await ftpctl('shareadd', name, '--group', 'few', '--rw', '--quota', '1M');
  }
  const told = new Told();
  await comeHolding(t, 'stranger', undefined, told);
  t.ok(existsSync(path.join(shown, 'first')));
  t.notOk(existsSync(path.join(shown, 'second')));
  const lost = told.next();
  await ftpctl('groupdel', 'few');
  t.same(await lost, []);
  t.notOk(existsSync(shown));
  for (const name of ['first', 'second']) await ftpctl('sharedel', name, '--remove');
});

t.test('sessions end with the membership, and go on as what may be done changes', async (t) => {
  const ends: unknown[] = [];
  const shutdown = (...end: unknown[]): void => void ends.push(end);
  const writer = await comeTo(t, 'writer', 'team', { notifications: { shutdown } });
  await ftpctl('sharemod', 'team', '--group', 'staff', '--ro');
  await writer.closed;
  const now = await comeTo(t, 'writer', 'team', { notifications: { shutdown } });
  await t.rejects(new PathClient(now).put('report', 'x'), failing('EROFS'));
  await ftpctl('groupmod', 'staff', '--remove', 'writer');
  await now.closed;
  t.same(ends, [
    ['what you may do in team has changed', true],
    ['the share team is yours no more', false],
  ]);
  await t.rejects(comeTo(t, 'writer', 'team'), failing('ENOENT'));
  await ftpctl('groupmod', 'staff', '--add', 'writer');
  await ftpctl('sharemod', 'team', '--group', 'staff', '--rw');
});

t.test('it is there after a restart, and gone with sharedel', async (t) => {
  await daemon.stop();
  await daemon.start();
  const client = await comeTo(t, 'writer', 'team');
  t.equal((await new PathClient(client).read('report')).toString(), 'another');
  t.match(await ftpctl('status'), /^writer +team +127/m);
  t.match(await ftpctl('shares'), /^team +3\.0M +1\.0M +2 +1 +guests ro, staff rw$/m);
  await ftpctl('userdel', 'reader');
  t.notMatch(await ftpctl('groups'), /reader/);
  t.equal(await ftpctl('sharedel', 'team'), 'share team removed\n');
  await client.closed;
  t.ok(existsSync(path.join(daemon.homes, '+team', 'report')), 'the files stay unless told');
  const again = await daemon.ftpctl(['shareadd', 'team', '--group', 'staff', '--rw', '--quota', '1M']);
  t.match(again, {
    code: 1,
    stderr: /holds files of an earlier team: remove it, or hand it over with --adopt/,
  });
  await ftpctl('shareadd', 'team', '--group', 'staff', '--rw', '--quota', '2M', '--adopt');
  t.equal(await ftpctl('sharedel', 'team', '--remove'), 'share team removed with the home\n');
  t.notOk(existsSync(path.join(daemon.homes, '+team')));
  await ftpctl('groupdel', 'staff');
});
