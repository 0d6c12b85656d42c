/* The configuration: what is wrong is named with file, key and what is allowed. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import {
  mergeSettings,
  needingRestart,
  readConfigFile,
  readSettings,
  SETTING_NAMES,
  SETTINGS,
} from '../../daemon/config.js';
import { temporaryDirectory } from '../lib/directory.js';

const directory = temporaryDirectory(t);

function file(text: string): string {
  const path = join(directory, 'daemon.toml');
  writeFileSync(path, text);
  return path;
}

t.test('a whole file', async (t) => {
  const settings = readConfigFile(
    file(`
      listen = "[::1]:9000"
      home = "/srv/homes"
      workers = 3
      max-sessions = 7
      log-level = "debug"
      [web]
      listen = "127.0.0.1:8084"
    `),
  );
  t.same(settings, {
    listen: { host: '::1', port: 9000 },
    home: '/srv/homes',
    workers: 3,
    'max-sessions': 7,
    'log-level': 'debug',
    'web-listen': { host: '127.0.0.1', port: 8084 },
  });
});

t.test('mistakes name file, key and what is allowed', async (t) => {
  const cases: [text: string, message: RegExp][] = [
    ['max-session = 3', /daemon\.toml: 'max-session' is not known: allowed are .*max-sessions/],
    ['[limits]\nx = 1', /daemon\.toml: 'limits' is not known/],
    ['[web]\nport = 1', /daemon\.toml: 'web-port' is not known/],
    ['web-listen = "8084"', /'web-listen' must be HOST:PORT/],
    ['workers = "many"', /daemon\.toml: 'workers' must be a whole number from 1 to 64/],
    ['workers = 1.5', /'workers' must be a whole number/],
    ['workers = 0', /from 1 to 64/],
    ['max-open-files = 0', /'max-open-files' must be a whole number from 1 to 65536/],
    ['upload-expiry = 0', /'upload-expiry' must be a whole number from 1 to 3650/],
    ['lease-term = 1', /'lease-term' must be a whole number from 2 to 3600/],
    ['default-quota = "5X"', /'default-quota' must be a size/],
    ['max-queue = -1', /'max-queue' must be a whole number from 0 to/],
    ['home = 7', /'home' must be a path/],
    ['home = ""', /'home' must be a path/],
    ['log-level = "loud"', /'log-level' must be one of debug, info, warn, error/],
    ['listen = "localhost"', /'listen' must be HOST:PORT/],
    ['listen = 8083', /'listen' must be HOST:PORT/],
    ['workers = 1\nworkers = 2', /daemon\.toml:2: /],
    ['workers = ', /daemon\.toml:1: /],
    ['__proto__ = 1', /'__proto__' is not known/],
    [`home = "${'x'.repeat(70_000)}"`, /longer than/],
  ];
  for (const [text, message] of cases) {
    t.throws(
      () => readConfigFile(file(text)),
      { name: 'Failure', kind: 'USAGE', message },
      text.slice(0, 40),
    );
  }
  t.throws(() => readConfigFile(join(directory, 'none.toml')), {
    name: 'Failure',
    kind: 'USAGE',
    message: /none\.toml/,
  });
});

t.test('addresses', async (t) => {
  const listen = (text: string) => readSettings({ listen: text }, (key) => key).listen;
  t.same(listen('0.0.0.0:0'), { host: '0.0.0.0', port: 0 });
  t.same(listen('files.example.org:8083'), { host: 'files.example.org', port: 8083 });
  t.same(listen(':8083'), { host: undefined, port: 8083 });
  t.same(listen('[2001:db8::1]:1'), { host: '2001:db8::1', port: 1 });
  for (const wrong of ['', '1', 'a:b', 'a:65536', '::1:80', 'a b:1', '[x:1']) {
    t.throws(() => listen(wrong), { name: 'Failure', kind: 'USAGE' }, wrong);
  }
});

t.test('the command line counts before the file, the file before the default', async (t) => {
  const config = mergeSettings({ 'max-sessions': 1 }, { 'max-sessions': 2, 'max-queue': 0 });
  t.equal(config['max-sessions'], 1);
  t.equal(config['max-queue'], 0);
  t.equal(config.listen.port, 8083);
  t.equal(config.home, undefined);
});

t.test('what a reload cannot change is told', async (t) => {
  const before = mergeSettings({});
  const after = mergeSettings({
    workers: before.workers + 1,
    home: '/x',
    'max-sessions': 1,
    'log-level': 'error',
  });
  t.same(needingRestart(before, after), ['home', 'workers']);
});

t.test('every default is allowed', async (t) => {
  for (const name of SETTING_NAMES) {
    const { fallback, read } = SETTINGS[name];
    if (typeof fallback === 'number' || typeof fallback === 'string') t.equal(read(fallback), fallback, name);
  }
});
