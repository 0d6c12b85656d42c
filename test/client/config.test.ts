import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { readClientConfig } from '../../client/config.js';
import { clientFiles } from '../../client/files.js';
import { temporaryDirectory } from '../lib/directory.js';
import { failing } from '../lib/failing.js';

const directory = temporaryDirectory(t);
const path = join(directory, 'config.toml');

function read(text: string) {
  writeFileSync(path, text, { mode: 0o600 });
  return readClientConfig(path);
}

t.test('aliases', async (t) => {
  t.equal(readClientConfig(join(directory, 'missing')).hosts.size, 0, 'no file, no alias');
  t.equal(read('').hosts.size, 0);
  const { hosts } = read(
    '[hosts.work]\nhost = "::1"\nport = 1\nuser = "al"\nsuite = "ChaChaPoly"\n[hosts.bare]\n',
  );
  t.strictSame(hosts.get('work'), { host: '::1', port: 1, user: 'al', suite: 'ChaChaPoly' });
  t.strictSame(hosts.get('bare'), { host: undefined, port: undefined, user: undefined, suite: undefined });
});

t.test('mounts', async (t) => {
  const { mounts } = read(
    '[mounts."~/b"]\nsource = "work:x"\noptions = "ro,soft=5"\n[mounts."/a"]\nsource = "h"\n',
  );
  t.strictSame(mounts, [
    { mountpoint: join(homedir(), 'b'), source: 'work:x', options: 'ro,soft=5' },
    { mountpoint: '/a', source: 'h', options: '' },
  ]);
});

t.test('how long a session is kept', async (t) => {
  t.equal(read('').masterIdleMs, 60_000);
  t.equal(read('master-idle = 0').masterIdleMs, 0);
  t.equal(read('master-idle = 600\n[hosts.a]\n').masterIdleMs, 600_000);
});

t.test('what is wrong names file, key and what is allowed', async (t) => {
  for (const [text, says] of [
    ['hots = 1', /config\.toml: unknown key 'hots': allowed are hosts, mounts, master-idle/],
    ['master-idle = -1', /'master-idle' must be a whole number from 0 to 86400/],
    ['master-idle = "60"', /'master-idle'/],
    ['[hosts.a]\npot = 1', /unknown key 'hosts\.a\.pot': allowed are host, port, user, suite/],
    ['[hosts.a]\nport = "1"', /'hosts\.a\.port' must be a whole number from 1 to 65535/],
    ['[hosts.a]\nport = 0', /'hosts\.a\.port'/],
    ['[hosts.a]\nhost = 1', /'hosts\.a\.host' must be a host name/],
    ['[hosts.a]\nhost = "a b"', /'hosts\.a\.host'/],
    ['[hosts.a]\nuser = "A"', /'hosts\.a\.user' must be a user name/],
    ['[hosts.a]\nsuite = "x"', /'hosts\.a\.suite' must be "AESGCM" or "ChaChaPoly"/],
    ['hosts = 3', /'hosts' must be a table/],
    ['hosts.a = 3', /'hosts\.a' must be a table/],
    ['[mounts.a]\nsource = "h"', /'mounts\.a' must be an absolute path/],
    ['[mounts."/a"]', /'mounts\.\/a\.source' must be a text/],
    ['[mounts."/a"]\nsource = "h"\noptions = ["ro"]', /'mounts\.\/a\.options' must be a text, as after -o/],
    ['[mounts."/a"]\non = "h"', /unknown key 'mounts\.\/a\.on': allowed are source, options/],
    ['x = = 1', /config\.toml:1: /],
  ] as const) {
    t.throws(() => read(text), { kind: 'USAGE', message: says }, text);
  }
});

t.test('a file that others can write is refused', async (t) => {
  writeFileSync(path, '');
  chmodSync(path, 0o666);
  t.throws(() => readClientConfig(path), { kind: 'USAGE', message: /chmod go-w/ });
  mkdirSync(join(directory, 'd'));
  t.throws(() => readClientConfig(join(directory, 'd')), failing('USAGE'));
});

t.test('where the files are', async (t) => {
  const files = clientFiles({ XDG_CONFIG_HOME: '/c', XDG_STATE_HOME: '/s' });
  t.strictSame(files, {
    key: '/c/ftpmount/key',
    knownHosts: '/c/ftpmount/known_hosts',
    config: '/c/ftpmount/config.toml',
    uploads: '/s/ftpmount/uploads',
    history: '/s/ftpmount/shell-history',
    masters: '/s/ftpmount/masters',
  });
  t.equal(clientFiles({ XDG_RUNTIME_DIR: '/r', XDG_STATE_HOME: '/s' }).masters, '/r/ftpmount/masters');
  t.match(clientFiles({ XDG_CONFIG_HOME: 'relative' }).key, /^\/.*\/\.config\/ftpmount\/key$/, 'as XDG says');
});
