/* Groups and shares on the page of the administrator, and by the API: made, changed and removed as by ftpctl. */
import t from 'tap';
import { Browser, setPassword } from './browser.js';
import { programWith, refusedWith } from './program.js';
import { startWithWeb } from './web.js';

t.setTimeout(150_000);

const PASSWORD = 'the administrator';
const service = await startWithWeb(t, {
  users: { alice: { quota: '1G' }, lily: { quota: '1G' } },
  byPassword: true,
});
const { daemon, url } = service;
await setPassword(daemon, PASSWORD);
const browser = new Browser(url);
await browser.signIn(PASSWORD);
const program = await programWith(service, 'shares', 'shares:read', 'shares:write');

/** Whether a user can write there. */
async function put(user: string, path: string): Promise<string> {
  const { code, stderr } = await daemon.ftpctl(['put', ...daemon.login(user), '-', daemon.at(user, path)], {
    input: 'text\n',
  });
  return code === 0 ? 'done' : stderr;
}

const limits = { quota: '64M', maxFiles: '0' };

t.test('the page makes groups and shares, and what they may do counts at once', async (t) => {
  t.match(await browser.text('/shares'), /There are no shares yet[^]*Add a group first[^]*no groups yet/);
  t.match(await browser.send('/groups', { name: 'Staff', members: '' }), /is not valid/);
  t.match(await browser.send('/groups', { name: 'staff', members: 'alice nobody' }), /no user nobody/);
  t.equal(await browser.send('/groups', { name: 'staff', members: 'alice' }), 'Group staff added.');
  t.match(await browser.send('/groups', { name: 'staff', members: '' }), /a group staff already/);
  const team = { ...limits, name: 'team', group: 'staff', access: 'rw' };
  for (const [field, value, message] of [
    ['name', '../x', /is not valid/],
    ['quota', 'much', /is not a size/],
    ['maxFiles', '-1', /is not a whole number/],
    ['group', 'guests', /no group guests/],
    ['access', 'all', /whether the group may read/],
    ['access', 'none', /whether the group may read/],
  ] as const) {
    t.match(await browser.send('/shares', { ...team, [field]: value }), message);
  }
  t.match(await browser.text('/shares'), /There are no shares yet/, 'nothing was made');
  t.equal(await browser.send('/shares', team), 'Share team added, for staff rw.');
  t.match(await browser.send('/shares', team), /a share team already/);
  t.equal(await put('alice', 'Shared/team/f'), 'done');
  t.match(await browser.text('/shares'), /5 of 64M[^]*<meter[^]*href="\/groups\/staff">staff<\/a> rw/);

  t.equal(await browser.send('/shares/team/limits', { quota: '1', maxFiles: '7' }), 'Limits changed.');
  t.match(await put('alice', 'Shared/team/g'), /quota/);
  t.match(await browser.text('/shares/team'), /name="maxFiles"[^>]*value="7"/);
  t.equal(await browser.send('/shares/team/limits', limits), 'Limits changed.');
  t.equal(
    await browser.send('/shares/team/grant', { group: 'staff', access: 'ro' }),
    'The share is for staff ro now.',
  );
  t.match(await put('alice', 'Shared/team/g'), /you may only read here/);
  t.equal(
    await browser.send('/shares/team/grant', { group: 'staff', access: 'none' }),
    'The share is for nobody now.',
  );
  t.match(await browser.text('/shares/team'), /The share is for nobody\./);
  await browser.send('/shares/team/grant', { group: 'staff', access: 'rw' });

  t.equal(await browser.send('/groups/staff/members', { add: 'lily' }), 'lily added.');
  t.equal(await put('lily', 'Shared/team/lily'), 'done');
  t.match(await browser.text('/groups/staff'), /href="\/users\/lily"[^]*href="\/shares\/team"/);
  t.equal(await browser.send('/groups/staff/members', { remove: 'lily' }), 'lily removed.');
  t.match(await browser.send('/groups/staff/members', { remove: 'lily' }), /lily is not in the group/);
  t.match(await browser.send('/groups/staff/members', { add: ' ', remove: '' }), /who comes or goes/);
  const both = { add: 'alice', remove: 'alice' };
  t.match(await browser.send('/groups/staff/members', both), /alice cannot both come and go/);
});

t.test('the form of what is gone meanwhile tells that', async (t) => {
  for (const [path, message] of [
    ['/groups/gone/members', /no group gone/],
    ['/shares/gone/limits', /no share gone/],
    ['/users/gone/disable', /no user gone/],
    ['/users/gone/trash/empty', /no user gone/],
  ] as const) {
    t.match(await browser.send(path, { ...limits, add: 'alice' }), message, path);
  }
  t.equal((await browser.get('/groups/gone')).status, 404);
});

t.test('what is removed there is gone, but for the files', async (t) => {
  t.match(
    await browser.send('/groups/staff/remove'),
    'Group staff removed; it has no part any more in team.',
  );
  t.equal((await browser.get('/groups/staff')).status, 404);
  t.equal(await browser.send('/shares/team/remove'), 'Share team removed; its files are left on the server.');
  t.equal((await browser.get('/shares/team')).status, 404);
  await browser.send('/groups', { name: 'staff', members: 'alice' });
  const again = { ...limits, name: 'team', group: 'staff', access: 'rw' };
  t.match(
    await browser.send('/shares', again),
    /files are left|--adopt/,
    'they are nobody else\u2019s by that',
  );
  const trail = await browser.text('/audit');
  for (const action of ['groupadd', 'groupmod', 'groupdel', 'shareadd', 'sharemod', 'sharedel']) {
    t.match(trail, new RegExp(`<bdi>${action}</bdi>`));
  }
  t.match(trail, /by: web page \(127\.0\.0\.1\), share: team/);
});

t.test('without its token, or from another site, no form changes anything', async (t) => {
  const before = (await daemon.ftpctl(['export'])).stdout;
  const token = await browser.token();
  for (const path of [
    '/groups',
    '/groups/staff/members',
    '/groups/staff/remove',
    '/shares',
    '/shares/x/remove',
  ]) {
    const fields = { ...limits, name: 'eve', members: '', add: 'lily', group: 'staff', access: 'rw' };
    t.equal((await browser.post(path, fields)).status, 403, path);
    const elsewhere = { 'sec-fetch-site': 'cross-site' };
    t.equal((await browser.post(path, { ...fields, token }, elsewhere)).status, 403, path);
    const stranger = await new Browser(url).post(path, { ...fields, token });
    t.equal(stranger.headers.get('location'), '/login', path);
  }
  t.equal((await daemon.ftpctl(['export'])).stdout, before);
  const bad = '<script>alert(1)</script>';
  t.notMatch(await browser.send('/groups', { name: bad, members: bad }), /<script>/);
  t.equal((await browser.get(`/shares/${encodeURIComponent(bad)}`)).status, 404);
});

t.test('the same by the API', async (t) => {
  const made = await program.call('POST', '/groups', { name: 'guests', members: ['lily'] });
  t.strictSame(made, { status: 201, body: { name: 'guests', members: ['lily'], shares: {} } });
  const share = await program.call('POST', '/shares', {
    ...{ name: 'docs', quota: '1M', grants: { staff: 'rw', guests: 'ro' } },
  });
  const docs = { name: 'docs', quota: 1024 ** 2, maxFiles: 0, grants: { staff: 'rw', guests: 'ro' } };
  t.match(share, { status: 201, body: { ...docs, use: null, sessions: 0, createdAt: String } });
  t.equal(await put('alice', 'Shared/docs/f'), 'done');
  t.match(await program.call('GET', '/shares/docs'), { body: { ...docs, use: { bytes: 5, files: 1 } } });
  t.match(await program.call('GET', '/shares'), { body: [{ name: 'docs' }] });
  t.match(await program.call('GET', '/groups'), {
    body: [
      { name: 'guests', members: ['lily'], shares: { docs: 'ro' } },
      { name: 'staff', members: ['alice'], shares: { docs: 'rw' } },
    ],
  });
  t.match(await program.call('PATCH', '/shares/docs', { maxFiles: 9, grants: { guests: null } }), {
    ...{ status: 200, body: { maxFiles: 9, grants: { staff: 'rw' } } },
  });
  t.match(await program.call('PATCH', '/groups/guests', { add: ['alice'], remove: ['lily'] }), {
    body: { members: ['alice'] },
  });
  for (const [method, path, body, status, message] of [
    ['POST', '/shares', { name: 'x', quota: 0 }, 400, /required property 'grants'/],
    ['POST', '/shares', { name: 'x', grants: {} }, 400, /quota is missing/],
    ['POST', '/shares', { name: 'x', quota: 0, grants: { nobody: 'ro' } }, 404, /no group nobody/],
    ['POST', '/shares', { name: 'docs', quota: 0, grants: {} }, 409, /a share docs already/],
    ['PATCH', '/shares/docs', { grants: { staff: 'all' } }, 400, /grants\/staff must be equal to one of/],
    ['PATCH', '/shares/docs', {}, 400, /fewer than 1/],
    ['PATCH', '/shares/docs', { name: 'x' }, 400, /'name'/],
    ['PATCH', '/groups/guests', { add: ['nobody'] }, 404, /no user nobody/],
    ['PATCH', '/groups/guests', { add: 'lily' }, 400, /add must be array/],
    ['PATCH', '/groups/guests', { add: [], remove: [] }, 400, /who comes or goes/],
    ['GET', '/groups/nobody', undefined, 404, /no group nobody/],
    ['GET', '/shares/none', undefined, 404, /no share none/],
  ] as const) {
    t.match(await program.call(method, path, body), refusedWith(status, message), `${method} ${path}`);
  }
  t.equal((await program.call('DELETE', '/groups/guests')).status, 204);
  t.equal((await program.call('DELETE', '/shares/docs')).status, 204);
  t.match(await program.call('DELETE', '/shares/docs'), refusedWith(404, /no share docs/));
  t.match((await daemon.ftpctl(['shares'])).stdout, /^Share .*\n$/);
  t.match(await browser.text('/audit?text=sharedel'), /API token shares \(127\.0\.0\.1\)/);
});
