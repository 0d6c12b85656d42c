/* The page of the administrator, over HTTP as a browser speaks it: who gets in, what the forms do, and what names show as. */
import { once } from 'node:events';
import { appendFileSync, statSync } from 'node:fs';
import { get, request as httpRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import { connect as connectTo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import t, { type Test } from 'tap';
import { formatPublicKey } from '../../protocol/transport/keys.js';
import { generateKeyPair } from '../../protocol/transport/x25519.js';
import { logIn } from '../lib/accounts.js';
import { passwordOf } from '../lib/daemon.js';
import { Browser, setPassword } from './browser.js';
import { startWithWeb } from './web.js';

t.setTimeout(150_000);

const PASSWORD = 'the administrator';
const MIB = 1024 * 1024;

const { daemon, url } = await startWithWeb(t, {
  args: ['--web-host', 'home.example'],
  users: { alice: { quota: '1G' } },
  byPassword: true,
});
await setPassword(daemon, PASSWORD);
const stranger = new Browser(url);
const browser = new Browser(url);

t.test('who is not signed in sees nothing, and does nothing', async (t) => {
  for (const path of ['/', '/users', '/users/alice', '/audit']) {
    const answer = await stranger.get(path);
    t.strictSame([answer.status, answer.headers.get('location')], [303, '/login'], path);
  }
  const added = await stranger.post('/users', { name: 'eve', quota: '0', maxFiles: '0' });
  t.equal(added.headers.get('location'), '/login');
  t.notMatch((await daemon.ftpctl(['users'])).stdout, /eve/);
  for (const path of ['/../../etc/passwd', '/%2e%2e/%2e%2e/etc/passwd', '/style.css/../server.key']) {
    t.equal((await raw(path)).status, 404, path);
  }
});

t.test('what is no request, or for another host, gets a line of text', async (t) => {
  const refused = { status: 400, body: 'bad request\n' };
  for (const path of ['/%zz', `/users/${'x'.repeat(200)}`]) t.match(await raw(path), refused, path);
  const socket = connectTo({ port: Number(new URL(url).port), host: '127.0.0.1' });
  socket.end('GARBAGE\r\n\r\n');
  t.match(await text(socket), /^HTTP\/1\.1 400 [^]*\r\n\r\nbad request\n$/);
  for (const host of ['localhost:8084', '127.0.0.1', '[::1]:8084', 'HOME.example']) {
    t.equal((await raw('/healthz', { host })).status, 200, host);
  }
  for (const host of ['evil.example', '127.0.0.1.evil.example', 'localhost.evil.example:8084']) {
    t.match(await raw('/metrics', { host }), { status: 421, body: /^the page has another name/ }, host);
  }
});

t.test('signing in', async (t) => {
  const wrong = await stranger.signIn('wrong');
  t.equal(wrong.status, 403);
  t.match(await wrong.text(), /role="alert">Wrong password/);
  t.equal(wrong.headers.get('set-cookie'), null);
  const long = await stranger.signIn('x'.repeat(5000));
  t.equal(long.status, 403);
  const right = await browser.signIn(PASSWORD);
  t.equal(right.headers.get('location'), '/');
  t.match(
    right.headers.get('set-cookie'),
    /^ftpmount=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=\d+$/,
  );
  const page = await browser.get('/');
  t.equal(page.status, 200);
  t.match(page.headers.get('content-security-policy'), /^default-src 'none'; (?!.*unsafe)/);
  t.equal(page.headers.get('cache-control'), 'no-store');
  t.notMatch(await page.text(), / style="| on\w+="|<script>|<style>/, 'nothing is inline');
});

t.test('a form without its token, or from another site, changes nothing', async (t) => {
  const token = await browser.token();
  const other = { name: 'eve', quota: '1G', maxFiles: '0' };
  t.equal((await browser.post('/users', other)).status, 403);
  const second = new Browser(url);
  await second.signIn(PASSWORD);
  t.equal((await browser.post('/users', { ...other, token: await second.token() })).status, 403);
  const elsewhere = await browser.post('/users', { ...other, token }, { 'sec-fetch-site': 'cross-site' });
  t.equal(elsewhere.status, 403);
  t.equal((await browser.post('/logout', {})).status, 403);
  t.notMatch((await daemon.ftpctl(['users'])).stdout, /eve/);
  t.equal((await browser.get('/')).status, 200, 'still signed in');
});

t.test('what the forms do counts at once', async (t) => {
  const ls = async (): Promise<number | null> => {
    return (await daemon.ftpctl(['ls', ...daemon.login('carol'), daemon.at('carol')])).code;
  };
  const limits = { quota: '5G', maxFiles: '0', soft: '0', grace: '7d', bandwidth: '0', trash: 'off' };
  const carol = { ...limits, name: 'carol', password: passwordOf('carol') };
  t.equal(await browser.send('/users', carol), 'User carol added.');
  t.equal(await ls(), 0);
  t.match(await browser.send('/users', carol), /there is a user carol already/);
  t.match(await browser.send('/users', { ...carol, name: '../x' }), /is not valid/);
  t.match(await browser.send('/users/carol/limits', { ...limits, quota: '5X' }), /is not a size/);
  const others = { quota: '2G', maxFiles: '70', soft: '1G', grace: '90m', bandwidth: '10M', trash: '2w' };
  t.match(await browser.send('/users/carol/limits', { ...others, bandwidth: '1K' }), /too little/);
  t.match(await browser.send('/users/carol/limits', { ...others, trash: '2y' }), /no time for the trash/);
  t.equal(await browser.send('/users/carol/limits', others), 'Limits changed.');
  const page = await browser.text('/users/carol');
  for (const [field, value] of Object.entries(others))
    t.match(page, new RegExp(`name="${field}"[^>]*value="${value}"`), `${field} as it was given`);
  const [shown] = (await daemon.ftpctl(['users', '--json'])).stdout
    .split('\n')
    .filter((row) => row.includes('carol'));
  t.match(JSON.parse(shown ?? ''), {
    softBytes: 2 ** 30,
    graceMs: 5_400_000,
    bandwidth: 10 * 2 ** 20,
    trashMs: 14 * 86_400_000,
  });
  const login = daemon.login('carol');
  t.equal(
    (await daemon.ftpctl(['put', '-', daemon.at('carol', 'gone'), ...login], { input: 'data' })).code,
    0,
  );
  t.equal((await daemon.ftpctl(['rm', daemon.at('carol', 'gone'), ...login])).code, 0);
  t.equal(
    await browser.send('/users/carol/trash/empty', {}),
    'The trash is empty; of the quota it took 4 files, size 4.',
  );
  t.match(await browser.text('/users/carol/trash'), /Nothing is in the trash/);
  t.match((await daemon.ftpctl(['users'])).stdout, /^carol +2\.0G +\S+ +70 /m);
  t.match(await browser.text('/users'), /of 2\.0G[^]*<meter/);
  t.match(await browser.send('/users/carol/expires', { expires: 'soon' }), /is no date/);
  t.equal(
    await browser.send('/users/carol/expires', { expires: '2020-01-31' }),
    'Logins until: 2020-01-31 00:00.',
  );
  t.match(await browser.text('/users'), /<td data-label="Login">expired</);
  t.equal(await browser.send('/users/carol/expires', { expires: 'never' }), 'Logins until: never.');
  t.match(await browser.send('/users/carol/disable'), /refused/);
  t.equal(await ls(), 5);
  t.match(await browser.send('/users/carol/enable'), /allowed/);
  t.match(await browser.send('/users/carol/unlock'), /ended: 0\.$/);
  t.equal(await browser.send('/users/carol/password', { password: 'another one' }), 'Password changed.');
  t.equal(await ls(), 5, 'the old password');
  t.equal(
    await browser.send('/users/carol/password', { password: '' }),
    'the password has 0 characters, and 8 are needed',
  );
  const key = formatPublicKey(generateKeyPair().publicKey, 'laptop');
  t.match(await browser.send('/users/carol/keys', { key }), /^Key SHA256:\S+ added\.$/);
  t.match(await browser.text('/users/carol'), /<bdi>laptop<\/bdi>/);
  t.match(await browser.send('/users/carol/keys/remove', { key: 'laptop' }), /removed/);
  t.match(await browser.send('/users/nobody/disconnect'), /no user nobody/, 'told on the page of the others');
  t.equal((await browser.get('/users/nobody')).status, 404);
  const trail = await browser.text('/audit?user=carol');
  for (const action of ['useradd', 'usermod', 'passwd', 'key-add', 'key-remove', 'login refused']) {
    t.match(trail, new RegExp(`<bdi>${action}</bdi>`));
  }
  t.match(trail, /by: web page \(127\.0\.0\.1\)/);
  t.notMatch(trail, /alice/, 'the filter');
});

t.test('bans', async (t) => {
  const network = '203.0.113.9/24';
  t.match(await browser.send('/bans', { network: 'nowhere', until: '1d' }), /is no address/);
  t.match(await browser.send('/bans', { network, until: '2020-01-31' }), /is over already/);
  t.equal(
    await browser.send('/bans', { network, until: 'never' }),
    '203.0.113.0/24 is banned; sessions that ended: 0.',
  );
  t.match(await browser.text('/bans'), /203\.0\.113\.0\/24[^]*never/);
  t.match(await browser.text('/metrics'), /^ftpmount_bans 1$/m);
  t.equal(await browser.send('/bans/remove', { network }), '203.0.113.0/24 is not banned any more.');
  t.match(await browser.text('/audit?text=unban'), /network: 203/);
});

t.test('disconnect ends the sessions', async (t) => {
  const closed = new Promise<void>((resolve) => {
    void connect(t, 'test', () => resolve());
  });
  await until(async () => /href="\/users\/alice"/.test(await browser.text('/')));
  t.equal(await browser.send('/users/alice/disconnect'), 'Sessions ended: 1.');
  await closed;
});

t.test('names show as what they are', async (t) => {
  await connect(t, '<script>alert(1)</script>');
  await connect(t, 'a\u202eb\u200fc\nd');
  const line = '{"time":"2026-01-01T00:00:00.000Z","msg":"upload","user":"alice","path":"x\xff<b>\\n"}\n';
  appendFileSync(join(daemon.state, 'user.log'), Buffer.from(line, 'latin1'));
  for (const path of ['/', '/users/alice', '/audit', `/audit?text=${encodeURIComponent('"><script>')}`]) {
    t.notMatch(await browser.text(path), /<script>|<b>|\u202e|\u200f/, path);
  }
  const dashboard = await browser.text('/');
  t.match(dashboard, '<bdi>&lt;script&gt;alert(1)&lt;/script&gt;</bdi>');
  t.match(dashboard, '<bdi>a\\u202eb\\u200fc\\nd</bdi>');
  t.match(await browser.text('/audit?text=upload'), 'path: x\ufffd&lt;b&gt;\\n');
});

t.test('uploads that broke off, and how far they came', async (t) => {
  t.match(await browser.text('/uploads'), /No upload is under way/);
  await daemon.ftpctl(['groupadd', 'staff', 'alice']);
  await daemon.ftpctl(['shareadd', 'team', '--group', 'staff', '--rw', '--quota', '1G']);
  const login = { port: daemon.port, user: 'alice', password: passwordOf('alice') };
  for (const client of [await logIn(t, login), await logIn(t, { ...login, share: 'team' })]) {
    const [handle] = await client.call('uploadBegin', [
      Buffer.from('<b>film'),
      64 * MIB,
      0o644,
      0,
      0,
      Buffer.alloc(32),
    ]);
    for (let written = 0; written < 16; written++) {
      await client.call('uploadWrite', [handle, written * MIB, Buffer.alloc(MIB)]);
    }
    await client.call('close', [handle]);
  }
  // How far it is, is noted behind the answers.
  let page: string;
  do page = await browser.text('/uploads');
  while (page.split('16M of 64M').length < 3);
  t.match(page, /href="\/users\/alice">alice<\/a>[^]*<bdi>&lt;b&gt;film<\/bdi>[^]*the share team[^]*film/);
  t.match(page, /value="25"/);
});

t.test('another password ends what is signed in; so does signing out', async (t) => {
  await setPassword(daemon, 'another one');
  t.equal((await browser.get('/')).headers.get('location'), '/login');
  t.equal((await browser.signIn(PASSWORD)).status, 403);
  t.equal((await browser.signIn('another one')).status, 303);
  const token = await browser.token();
  t.equal((await browser.post('/logout', { token })).status, 303);
  t.equal((await browser.get('/')).headers.get('location'), '/login');
  await daemon.ftpctl(['web-password', '--no-password']);
  t.equal((await browser.signIn('another one')).status, 403, 'nobody can');
});

t.test('who guesses is locked out, and no user is', async (t) => {
  const guessed = await startWithWeb(t, {
    args: ['--lockout-failures', '2'],
    users: { alice: { quota: '1G' } },
  });
  await setPassword(guessed.daemon, PASSWORD);
  const guesser = new Browser(guessed.url);
  for (const guess of ['one', 'two']) t.equal((await guesser.signIn(guess)).status, 403, guess);
  const locked = await guesser.signIn(PASSWORD);
  t.equal(locked.status, 403);
  t.match(await locked.text(), /role="alert">too many failed logins: try again in /);
  const { daemon } = guessed;
  t.equal((await daemon.ftpctl(['ls', ...daemon.login('alice'), daemon.at('alice')])).code, 0);
});

/** A session of alice's, which ends with the test. */
async function connect(t: Test, program: string, onShutdown: () => void = () => undefined): Promise<void> {
  const login = { port: daemon.port, user: 'alice', password: passwordOf('alice'), program };
  await logIn(t, { ...login, notifications: { shutdown: onShutdown } });
}

/** The answer to a path as it stands: fetch would tidy it. */
async function raw(
  path: string,
  headers: OutgoingHttpHeaders = {},
): Promise<{ status: number; body: string }> {
  const { hostname, port } = new URL(url);
  const [answer] = (await once(get({ hostname, port, path, headers }), 'response')) as [IncomingMessage];
  return { status: answer.statusCode ?? 0, body: await text(answer) };
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds()));
}

t.test('who reaches the socket needs no password, and nobody else reaches it', async (t) => {
  const socketPath = join(daemon.state, 'web.sock');
  t.equal(statSync(socketPath).mode & 0o777, 0o600);
  const ask = async (method: string, path: string, cookie = '', body = ''): Promise<IncomingMessage> => {
    const headers = { cookie, 'content-type': 'application/x-www-form-urlencoded' };
    const request = httpRequest({ socketPath, path, method, headers });
    request.end(body);
    const [answer] = (await once(request, 'response')) as [IncomingMessage];
    return answer;
  };
  t.equal((await ask('GET', '/users')).headers.location, '/login');
  const signedIn = await ask('GET', '/login');
  t.equal(signedIn.headers.location, '/');
  const cookie = signedIn.headers['set-cookie']?.[0]?.split(';')[0] ?? '';
  const users = await text(await ask('GET', '/users', cookie));
  t.match(users, /alice/);
  const token = /name="token" value="([^"]+)"/.exec(users)?.[1] ?? '';
  await ask(
    'POST',
    '/bans',
    cookie,
    new URLSearchParams({ token, network: '192.0.2.9', until: '1d' }).toString(),
  );
  t.match(await text(await ask('GET', '/audit?text=192.0.2.9', cookie)), /web page \(by the socket\)/);
  t.equal(
    (await fetch(`${url}/users`, { redirect: 'manual', headers: { cookie } })).headers.get('location'),
    '/login',
  );
});
