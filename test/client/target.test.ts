import { userInfo } from 'node:os';
import t from 'tap';
import type { HostAlias } from '../../client/config.js';
import { isRemote, parsePort, parseTarget, resolveEndpoint } from '../../client/target.js';

const usage = { name: 'Failure', kind: 'USAGE' };

t.test('[USER@]HOST[:PATH]', async (t) => {
  t.strictSame(parseTarget('host'), { user: undefined, host: 'host', path: undefined });
  t.strictSame(parseTarget('host:'), { user: undefined, host: 'host', path: '' });
  t.strictSame(parseTarget('al@host:a/b:c@d'), { user: 'al', host: 'host', path: 'a/b:c@d' });
  t.strictSame(parseTarget('al@[::1]:x'), { user: 'al', host: '::1', path: 'x' });
  t.strictSame(parseTarget('[fe80::1%eth0]'), { user: undefined, host: 'fe80::1%eth0', path: undefined });
  t.strictSame(
    parseTarget('h:a\nb'),
    { user: undefined, host: 'h', path: 'a\nb' },
    'any byte but NUL in a path',
  );
  for (const wrong of [
    '',
    '@host',
    'a@',
    ':path',
    'a b:x',
    '::1',
    '[::1',
    'a/b',
    '-oProxy:x',
    'a@b@c:x',
    '[]:x',
    'ftp://host/x',
  ]) {
    t.throws(() => parseTarget(wrong), usage, JSON.stringify(wrong));
  }
});

t.test('what is local, as scp sees it', async (t) => {
  for (const local of ['file', './a:b', '/a:b', 'dir/a:b', '.', '']) t.notOk(isRemote(local), local);
  for (const remote of ['h:', 'h:/x', 'u@h:x', '[::1]:x']) t.ok(isRemote(remote), remote);
});

t.test('ports', async (t) => {
  t.equal(parsePort('1'), 1);
  t.equal(parsePort('65535'), 65_535);
  for (const wrong of ['0', '65536', '-1', '1.5', '80x', '', ' 80'])
    t.throws(() => parsePort(wrong), usage, wrong);
});

t.test('the command line goes before the alias, the alias before the defaults', async (t) => {
  const aliases = new Map<string, HostAlias>([
    ['work', { host: 'files.example.org', port: 99, user: 'alice', suite: 'ChaChaPoly' }],
    ['port-only', { host: undefined, port: 5, user: undefined, suite: undefined }],
  ]);
  t.strictSame(resolveEndpoint(parseTarget('work:x'), aliases, undefined), {
    user: 'alice',
    host: 'files.example.org',
    port: 99,
    suite: 'ChaChaPoly',
    likelyPort: undefined,
  });
  t.match(resolveEndpoint(parseTarget('bob@work'), aliases, 7), { user: 'bob', port: 7 });
  t.match(resolveEndpoint(parseTarget('bob@port-only'), aliases, undefined), { host: 'port-only', port: 5 });
  t.strictSame(resolveEndpoint(parseTarget('elsewhere'), aliases, undefined), {
    user: userInfo().username,
    host: 'elsewhere',
    port: 8083,
    suite: undefined,
    likelyPort: undefined,
  });
  t.throws(() => resolveEndpoint(parseTarget('Not A User@h'), aliases, undefined), usage);
});

t.test('a path that may be meant as a port', async (t) => {
  const likely = (text: string, port?: number): string | undefined =>
    resolveEndpoint(parseTarget(text), new Map(), port).likelyPort;
  for (const text of ['alice@h:8083', 'alice@h:8083:', 'alice@h:8083:photos', 'alice@h:8083/x'])
    t.equal(likely(text), '8083', text);
  for (const text of [
    'alice@h',
    'alice@h:',
    'alice@h:80x',
    'alice@h:123456',
    'alice@h:99999:x',
    'alice@h:007',
  ])
    t.equal(likely(text), undefined, text);
  t.equal(likely('alice@h:8083', 22), undefined, 'a port is given');
});
