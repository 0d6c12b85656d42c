/* What `ftpctl export` wrote of a server comes back by `ftpctl import ftpmount` on another one, all or none. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { passwordOf, startDaemon, type Daemon } from '../lib/daemon.js';
import type { RunResult } from '../lib/run.js';

const first = await startDaemon(t, {
  users: { alice: { quota: '1G' }, lily: { quota: '1G', trash: '7d' }, max: { quota: '0' } },
  byPassword: true,
});
const second = await startDaemon(t, { byPassword: true });

async function said(daemon: Daemon, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await daemon.ftpctl(args);
  if (code !== 0) throw new Error(`${args.join(' ')}: ${stderr}`);
  return stdout;
}

function add(daemon: Daemon, input: string, ...options: string[]): Promise<RunResult> {
  return daemon.ftpctl(['import', 'ftpmount', '-', ...options], { input });
}

/** Of a server, without what is of its own time. */
async function known(daemon: Daemon, ...args: string[]): Promise<unknown[]> {
  const lines = (await said(daemon, ...args, '--json')).trimEnd().split('\n');
  return lines.map((line) => ({ ...(JSON.parse(line) as object), createdAt: 0, lastLogin: 0 }));
}

for (const command of [
  'groupadd staff alice max',
  'groupadd guests lily',
  'groupadd empty',
  'shareadd team --group staff --rw --quota 64M --max-files 1000',
  'sharemod team --group guests --ro',
  'shareadd archive --group guests --ro --quota 0',
  'sharemod archive --group guests --none',
]) {
  await said(first, ...command.split(' '));
}

t.test('users, groups and shares are on the other server as they are here', async (t) => {
  const exported = await said(first, 'export', '--password-hashes');
  // In whatever order they are.
  const turned = exported.trimEnd().split('\n').toReversed().join('\n');
  t.match(await add(second, turned), {
    ...{ code: 0, stderr: '' },
    stdout: 'users added: 3\ngroups added: 3\nshares added: 2\n',
  });
  for (const list of ['users', 'groups', 'shares']) {
    t.strictSame(await known(second, list), await known(first, list), list);
  }
  t.equal(await said(second, 'export', '--password-hashes'), exported);
  const put = ['put', ...second.login('alice'), '-', second.at('alice', 'Shared/team/f')];
  t.equal((await second.ftpctl(put, { input: 'text\n' })).code, 0, 'which a running daemon knows');
  t.equal(readFileSync(join(second.homes, '+team', 'f'), 'utf8'), 'text\n');
  const trail = readFileSync(join(second.state, 'manager.log'), 'utf8').trimEnd().split('\n');
  t.strictSame(
    trail.map((line) => (JSON.parse(line) as { msg: string }).msg),
    [
      ...Array<string>(3).fill('useradd'),
      ...Array<string>(3).fill('groupadd'),
      ...Array<string>(2).fill('shareadd'),
    ],
  );
  t.notMatch(trail.join('\n'), new RegExp(`argon2|${passwordOf('alice')}`));
});

t.test('what is wrong is told line by line, and nothing is changed', async (t) => {
  const before = await said(second, 'export');
  const user = '{"name":"new","quota":"1G"}';
  const wrong = [
    user,
    '{"group":"staff","members":[]}',
    '{"group":"x","members":"new"}',
    '{"group":"y","owner":"new"}',
    '{"share":"team","quota":"1G","grants":{}}',
    '{"share":"z","grants":{}}',
    '{"share":"z","quota":"1G","grants":{"staff":"w"}}',
    '{"share":"Z","quota":"1G"}',
    '{"name":"q","group":"q"}',
    '{"share":"q","name":"r","quota":"1G"}',
    '{"group":"r","share":"r"}',
    '{"group":"s","members":["new","nobody","noone"]}',
    '{"share":"s","quota":0,"grants":{"s":"rw","none":"ro"}}',
  ];
  const { code, stderr } = await add(second, wrong.join('\n'));
  t.equal(code, 1);
  t.match(stderr, /-:2: there is a group staff already\n/);
  t.match(stderr, /-:3: there is no list of users\n/);
  t.match(stderr, /-:4: there is no field 'owner': allowed are members\n/);
  t.match(stderr, /-:5: there is a share team already/);
  t.match(stderr, /-:6: the quota is missing/);
  t.match(stderr, /-:7: 'w' is neither ro nor rw\n/);
  t.match(stderr, /-:8: share name 'Z' is not valid/);
  t.match(stderr, /-:9: there is no field 'name': allowed are members\n/, 'nothing wins over `group`');
  t.match(stderr, /-:10: there is no field 'name': allowed are quota, maxFiles, grants\n/);
  t.match(stderr, /-:11: there is no field 'share': allowed are members\n/);
  t.match(stderr, /-:12: there is no user nobody: [^\n]*\n.*-:12: there is no user noone: /);
  t.match(stderr, /-:13: there is no group none: /);
  t.match(stderr, /mistakes in -: 13; nothing is changed\n$/);
  t.equal(await said(second, 'export'), before);
});

t.test('files that are there are nobody else’s unless that is said', async (t) => {
  await said(second, 'sharedel', 'team');
  const team =
    (await said(first, 'export')).split('\n').find((line) => line.includes('"share":"team"')) ?? '';
  t.match(await add(second, team), { code: 1, stderr: /--adopt/ });
  t.match(await add(second, team, '--adopt'), { code: 0, stdout: /shares added: 1/ });
  t.equal(readFileSync(join(second.homes, '+team', 'f'), 'utf8'), 'text\n');
});

t.test('a file that says nothing is a mistake', async (t) => {
  for (const input of ['', '\n', '[]']) {
    t.match(await add(second, input), { code: 1, stderr: /there is nothing to add in -/ }, input);
  }
  const foreign = await second.ftpctl(['import', 'passwd', '-'], { input: await said(first, 'export') });
  t.match(foreign, { code: 1, stderr: /-:1: it is no line of passwd\(5\)/ });
});

t.test('useradd --batch says where groups and shares are read', async (t) => {
  const input = await said(first, 'export');
  t.match(await second.ftpctl(['useradd', '--batch', '-'], { input }), {
    ...{ code: 1, stderr: /it is no user: ftpctl import ftpmount reads groups and shares/ },
  });
});
