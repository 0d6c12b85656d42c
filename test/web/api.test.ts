/* The API: who gets in, what each scope opens, that openapi.json is true, and that nothing comes out or goes in beside it. */
import t from 'tap';
import { formatPublicKey } from '../../protocol/transport/keys.js';
import { generateKeyPair } from '../../protocol/transport/x25519.js';
import { SCOPES } from '../../state/api-tokens.js';
import { logIn } from '../lib/accounts.js';
import { Program, programWith, refusedWith } from './program.js';
import { startWithWeb } from './web.js';

t.setTimeout(150_000);

const service = await startWithWeb(t, { users: { alice: { quota: '1M' } }, byPassword: true });
const { daemon, url } = service;

const all = await programWith(service, 'all', ...SCOPES);

interface Document {
  readonly paths: Record<string, Record<string, { security: { token: string[] }[] }>>;
}

t.test('each way in wants a token, and the scope that the document says', async (t) => {
  const { paths } = (await new Program(url).call('GET', '/openapi.json')).body as Document;
  const ways = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { security }]) => ({
      method: method.toUpperCase(),
      path: path.replace('/api/v1', '').replaceAll(/\{\w+\}/g, 'nobody'),
      scope: security[0]?.token[0] ?? '',
    })),
  );
  t.strictSame(new Set(ways.map(({ scope }) => scope)), new Set(SCOPES));
  const programs = new Map<string, Program>();
  for (const scope of SCOPES) {
    const others = SCOPES.filter((one) => one !== scope);
    programs.set(scope, await programWith(service, scope.replace(':', '.'), ...others));
  }
  for (const { method, path, scope } of ways) {
    for (const stranger of [new Program(url), new Program(url, 'ftpmount-guessed')]) {
      t.equal((await stranger.call(method, path)).status, 401, `${method} ${path}`);
    }
    t.match(
      await programs.get(scope)?.call(method, path),
      refusedWith(403, new RegExp(`has not the scope ${scope}`)),
      `${method} ${path}`,
    );
  }
});

t.test('a token ends by its time, and when it is removed', async (t) => {
  const removed = await programWith(service, 'removed', 'users:read');
  t.equal((await removed.call('GET', '/users')).status, 200);
  t.match(await daemon.ftpctl(['token', 'add', 'removed', '--scope', 'users:read']), {
    code: 1,
    stderr: /already/,
  });
  await daemon.ftpctl(['token', 'remove', 'removed']);
  t.equal((await removed.call('GET', '/users')).status, 401);
  t.match(await daemon.ftpctl(['token', 'remove', 'removed']), { code: 1, stderr: /no token removed/ });
  t.match(await daemon.ftpctl(['token', 'add', 'x', '--scope', 'all']), {
    code: 2,
    stderr: /'all' is no scope/,
  });
  const late = ['token', 'add', 'late', '--scope', 'users:read', '--expires', '2020-01-01'];
  t.match(await daemon.ftpctl(late), { code: 1, stderr: /has expired already/ });
  t.match((await daemon.ftpctl(['token', 'list'])).stdout, /^all +\S+ \S+ +never +status:read users:read/m);
});

t.test('users: made, changed, removed', async (t) => {
  const made = await all.call('POST', '/users', {
    ...{
      name: 'bob',
      quota: '2G',
      soft: '1G',
      grace: '2d',
      bandwidth: '1M',
      trash: '30d',
      expires: '2099-01-31',
    },
    password: 'a long sentence',
  });
  const bob = {
    name: 'bob',
    quota: 2 * 1024 ** 3,
    soft: 1024 ** 3,
    grace: '2d',
    bandwidth: 1024 ** 2,
    password: true,
  };
  t.match(made, { status: 201, body: { ...bob, sessions: 0, use: null, lastLogin: null } });
  t.match(await all.call('GET', '/users/bob'), { status: 200, body: bob });
  t.match(await all.call('GET', '/users'), { status: 200, body: [{ name: 'alice' }, { name: 'bob' }] });
  t.match(
    await all.call('POST', '/users', { name: 'bob', quota: 0 }),
    refusedWith(409, /a user bob already/),
  );
  const changed = { status: 200, body: { ...bob, quota: 0, disabled: true } };
  t.match(await all.call('PATCH', '/users/bob', { quota: 0, disabled: true }), changed);
  t.equal((await all.call('DELETE', '/users/bob')).status, 204);
  t.match(await all.call('DELETE', '/users/bob'), refusedWith(404, /no user bob/));
  t.match(await all.call('GET', '/users/NOT%20ONE'), refusedWith(400, /user name/));
  const { stdout } = await daemon.ftpctl(['users']);
  t.notMatch(stdout, /bob/);
});

t.test('a password and keys let in; sessions end', async (t) => {
  const key = generateKeyPair();
  const text = formatPublicKey(key.publicKey, 'laptop');
  const added = await all.call('POST', '/users/alice/keys', { key: text });
  const { fingerprint } = added.body as { fingerprint: string };
  t.match(await all.call('GET', '/users/alice'), { body: { keys: [text] } });
  t.equal((await all.call('DELETE', `/users/alice/keys/${encodeURIComponent(fingerprint)}`)).status, 204);
  t.match(await all.call('GET', '/users/alice'), { body: { keys: [] } });
  const short = await all.call('PUT', '/users/alice/password', { password: 'short' });
  t.match(short, refusedWith(400, /5 characters, and 8 are needed/));
  t.equal((await all.call('PUT', '/users/alice/password', { password: 'another long one' })).status, 204);
  const client = await logIn(t, { port: daemon.port, user: 'alice', password: 'another long one' });
  t.match((await all.call('GET', '/sessions')).body, [{ user: 'alice', share: null, program: String }]);
  t.match(await all.call('GET', '/users/alice'), { body: { sessions: 1, lastLogin: String } });
  t.strictSame((await all.call('DELETE', '/users/alice/sessions')).body, { closedSessions: 1 });
  await client.closed;
  t.strictSame((await all.call('DELETE', '/users/alice/lockouts')).body, { lifted: 0 });
  t.equal((await all.call('PUT', '/users/alice/password', { password: null })).status, 204);
  t.match(await all.call('GET', '/users/alice'), { body: { password: false } });
});

t.test('what is not understood is refused, and changes nothing', async (t) => {
  const before = (await all.call('GET', '/users/alice')).body;
  const wrong: [body: unknown, message: RegExp][] = [
    [{ quota: null }, /body\/quota must be integer,string/],
    [{ quoata: '5G' }, /'quoata'/],
    [{ quota: 'much' }, /'much' is not a size/],
    [{ quota: '' }, /body\/quota must NOT have fewer than 1 characters/],
    [{ disabled: 'true' }, /body\/disabled must be boolean/],
    [{ name: 'bob' }, /'name'/],
    [{}, /fewer than 1/],
    [[], /must be object/],
  ];
  for (const [body, message] of wrong) {
    t.match(await all.call('PATCH', '/users/alice', body), refusedWith(400, message), JSON.stringify(body));
  }
  t.match(await all.call('PATCH', '/users/alice'), refusedWith(400, /body must be object/));
  t.strictSame((await all.call('GET', '/users/alice')).body, before);
  t.match(await all.call('GET', '/nothing'), refusedWith(404, /no such address/));
  t.match(await all.call('POST', '/users', { name: 'x'.repeat(20_000) }), { status: 413 });
});

t.test('bans, status, and the audit trail in the name of the token', async (t) => {
  const made = await all.call('POST', '/bans', { network: '192.0.2.77/24' });
  t.strictSame(made, { status: 201, body: { network: '192.0.2.0/24', closedSessions: 0 } });
  t.match(await all.call('GET', '/bans'), { body: [{ network: '192.0.2.0/24', until: null }] });
  t.equal((await all.call('DELETE', `/bans/${encodeURIComponent('192.0.2.0/24')}`)).status, 204);
  t.match(await all.call('DELETE', '/bans/192.0.2.7'), refusedWith(404, /is not banned/));
  t.match((await all.call('GET', '/status')).body, { sessions: 0, silentWorkers: [], workers: Number });
  interface Entry {
    readonly time: string;
    readonly what: string;
  }
  const newest = (await all.call('GET', '/audit?text=192.0.2.0&limit=1')).body as Entry[];
  t.match(newest, [{ what: 'unban', user: null, details: { by: 'API token all (127.0.0.1)' } }]);
  const older = await all.call('GET', `/audit?text=192.0.2.0&before=${newest[0]?.time}`);
  t.match(older.body, [{ what: 'ban' }]);
  t.match(await all.call('GET', '/audit?limit=0'), { status: 400 });
  t.match(await all.call('GET', '/audit?before=yesterday'), { status: 400 });
});
