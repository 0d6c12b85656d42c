/* /metrics and /healthz: what an administrator's Prometheus sees of a daemon at work. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { once } from 'node:events';
import { connect } from 'node:net';
import t from 'tap';
import { startWeb } from '../../web/server.js';
import { openState } from '../../state/store.js';
import type { Ask } from '../../state/control.js';
import { temporaryDirectory } from '../lib/directory.js';
import { runProgram } from '../lib/programs.js';
import { startWithWeb } from './web.js';

const { daemon, url } = await startWithWeb(t, {
  users: { alice: { quota: '1M', maxFiles: 50 } },
  byPassword: true,
  args: ['--lockout-failures', '1'],
});

/** The samples by their names and labels, as they are written. */
async function metrics(): Promise<Map<string, number>> {
  const answer = await fetch(`${url}/metrics`);
  t.equal(answer.status, 200);
  t.equal(answer.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
  const samples = new Map<string, number>();
  for (const line of (await answer.text()).split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const [, name = '', value = ''] = /^([a-z_]+(?:\{[^{}]*\})?) (\S+)$/.exec(line) ?? [];
    t.ok(name !== '' && Number.isFinite(Number(value)) && !samples.has(name), line);
    samples.set(name, Number(value));
  }
  return samples;
}

t.test('shares have quotas, too', async (t) => {
  const { daemon: other, url: there } = await startWithWeb(t, { users: { alice: { quota: '1M' } } });
  for (const command of [
    ['groupadd', 'staff', 'alice'],
    ['shareadd', 'team', '--group', 'staff', '--rw', '--quota', '1M', '--max-files', '50'],
    ['mkdir', '--port', String(other.port), '--accept-new', other.at('alice', 'Shared/team/made')],
  ]) {
    const { code, stderr } = await other.ftpctl(command);
    t.equal(code, 0, stderr);
  }
  const text = await (await fetch(`${there}/metrics`)).text();
  for (const line of [
    'ftpmount_quota_used_bytes{share="team"} 0',
    'ftpmount_quota_limit_bytes{share="team"} 1048576',
    'ftpmount_quota_used_files{share="team"} 1',
    'ftpmount_quota_limit_files{share="team"} 50',
  ]) {
    t.ok(text.includes(`${line}\n`), line);
  }
});

t.test('what users do is counted and timed', async (t) => {
  const file = join(temporaryDirectory(t), 'file');
  writeFileSync(file, Buffer.alloc(100_000));
  const put = await daemon.ftpctl(['put', ...daemon.login('alice'), file, daemon.at('alice')]);
  t.equal(put.code, 0, put.stderr);
  const wrong = ['-p', String(daemon.port), '--password-file', '-', '--accept-new'];
  t.equal((await daemon.ftpctl(['ls', ...wrong, daemon.at('alice')], { input: 'wrong\n' })).code, 5);
  const samples = await metrics();
  const is = (name: string, value: number): void => void t.equal(samples.get(name), value, name);
  is('ftpmount_logins_total{result="accepted"}', 1);
  is('ftpmount_logins_total{result="rejected"}', 1);
  is('ftpmount_queue_wait_seconds_count', 1);
  is('ftpmount_call_duration_seconds_count{method="uploadFinish"}', 1);
  is('ftpmount_quota_used_bytes{user="alice"}', 100_000);
  is('ftpmount_quota_limit_bytes{user="alice"}', 2 ** 20);
  is('ftpmount_trash_bytes{user="alice"}', 0);
  is('ftpmount_quota_used_files{user="alice"}', 1);
  is('ftpmount_quota_limit_files{user="alice"}', 50);
  is('ftpmount_silent_workers', 0);
  const received = samples.get('ftpmount_received_bytes_total') ?? 0;
  t.ok(received > 100_000 && received < 110_000, `${received} bytes received`);
  t.ok((samples.get('ftpmount_sync_duration_seconds_count{call="fsync"}') ?? 0) >= 1);
  const locked = await daemon.ftpctl(['ls', ...wrong, daemon.at('alice')], { input: 'wrong\n' });
  t.match(locked.stderr, /too many failed logins/);
  t.equal((await metrics()).get('ftpmount_logins_total{result="rejected"}'), 2, 'so is who is locked out');
});

t.test('a connection that sends requests ahead has one of them answered, and is closed', async (t) => {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  let answer = '';
  socket.on('data', (bytes: Buffer) => (answer += bytes.toString()));
  const closed = once(socket, 'close');
  socket.write(`GET /metrics HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`.repeat(5_000));
  await closed.catch(() => undefined);
  t.ok(answer.split('HTTP/1.1 200').length <= 2);
  t.equal((await fetch(`${url}/healthz`)).status, 200);
});

t.test('classes of durations add up', async (t) => {
  const samples = await metrics();
  const of = (name: string): number[] =>
    [...samples].filter(([sample]) => sample.startsWith(`${name}_bucket{`)).map(([, value]) => value);
  const buckets = of('ftpmount_queue_wait_seconds');
  t.strictSame(
    buckets,
    buckets.toSorted((a, b) => a - b),
  );
  t.equal(buckets.at(-1), samples.get('ftpmount_queue_wait_seconds_count'));
});

t.test('the documents name the metrics that there are, and no others', async (t) => {
  const text = await (await fetch(`${url}/metrics`)).text();
  const there = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name ?? '').toSorted();
  const named = (file: string): Set<string> => {
    const path = fileURLToPath(new URL(`../../../docs/${file}`, import.meta.url));
    const names = readFileSync(path, 'utf8').match(/\b(?:ftpmount|process)_[a-z_]+\b/g) ?? [];
    return new Set(names.map((name) => name.replace(/_(?:bucket|count|sum)$/, '')));
  };
  t.strictSame([...named('operations.md')].toSorted(), there);
  t.strictSame(
    [...named('grafana-dashboard.json')].filter((name) => !there.includes(name)),
    [],
  );
});

t.test('/healthz', async (t) => {
  const well = await fetch(`${url}/healthz`);
  t.strictSame([well.status, await well.text()], [200, 'ok\n']);
  const directory = temporaryDirectory(t);
  const state = openState(directory);
  const ask = (async () => ({ silentWorkers: [1] })) as unknown as Ask;
  const listen = { host: '127.0.0.1', port: 0 };
  const web = await startWeb({
    ...{ listen, name: undefined, state, homes: directory, ask, onError: () => undefined },
    checkPassword: () => Promise.reject(new Error('not asked')),
  });
  const ill = await fetch(`${web.url}/healthz`);
  t.strictSame([ill.status, await ill.text()], [503, 'worker 1 does not answer\n']);
  await web.close();
  await state.close();
});

t.test('a port that is in use: the daemon does not start', async (t) => {
  const { port } = new URL(url);
  const [directory, homes] = [temporaryDirectory(t), temporaryDirectory(t)];
  const args = ['--listen', '127.0.0.1:0', '--web-listen', `127.0.0.1:${port}`, '--state', directory];
  const refused = await runProgram('ftpmountd', [...args, '--home', homes]);
  t.match(refused, {
    code: 1,
    stderr: /^ftpmountd: 127\.0\.0\.1, port \d+: .*: choose another by --web-listen$/m,
  });
  t.equal(refused.stdout, '', 'it does not say that it listens');
});
