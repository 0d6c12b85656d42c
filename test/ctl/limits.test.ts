/* --limit and --jobs of put and get, between a real ftpctl and a real daemon. */
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startProxy } from '../../bench/proxy.js';
import { startDaemon } from '../lib/daemon.js';
import { temporaryDirectory } from '../lib/directory.js';
import { programs, runProgram } from '../lib/programs.js';
import { Service } from '../lib/service.js';

t.setTimeout(90_000);

const MiB = 1024 * 1024;
const daemon = await startDaemon(t, { users: { alice: { quota: '500M' } } });
const home = daemon.home('alice');
const login = daemon.login('alice');
const proxy = await startProxy(t, daemon.port);
const far = login.toSpliced(1, 1, String(proxy.port));
await proxy.delay(200);

t.test('all files together are moved no faster than that, large and small ones', async (t) => {
  const local = temporaryDirectory(t);
  const tree = join(local, 'tree');
  fs.mkdirSync(tree);
  fs.writeFileSync(join(tree, 'large'), randomBytes(MiB));
  for (let n = 0; n < 20; n++) fs.writeFileSync(join(tree, `small ${n}`), randomBytes(50_000));
  const limited = async (...args: string[]): Promise<void> => {
    const result = await daemon.ftpctl([...args.slice(0, 1), '-r', '--limit=1M', ...login, ...args.slice(1)]);
    t.equal(result.code, 0, result.stderr);
    // The last piece is not waited for.
    const [, seconds = '0'] = /^21 files, 2.0M in 0:(\d\d)/m.exec(result.stderr) ?? [];
    t.ok(Number(seconds) >= 2, result.stderr);
  };
  await limited('put', tree, daemon.at('alice'));
  await limited('get', daemon.at('alice', 'tree'), local + '/got');
  t.ok(fs.readFileSync(join(local, 'got/tree/large')).equals(fs.readFileSync(join(home, 'tree/large'))));
  t.match(await daemon.ftpctl(['put', '--limit', 'much', tree, daemon.at('alice')]), { code: 2 });
});

t.test('one large file after the other with --jobs 1', async (t) => {
  const local = temporaryDirectory(t);
  const names = ['a', 'b', 'c'];
  for (const name of names) fs.writeFileSync(join(local, name), randomBytes(2 * MiB));
  /** The most partial files that were seen at a time. */
  const most = async (...options: string[]): Promise<number> => {
    const args = ['put', '--no-resume', ...options, ...far, ...names, daemon.at('alice')];
    const { execPath } = process;
    const service = new Service(t, execPath, [programs.ftpctl, ...args], { cwd: local, env: daemon.env });
    let seen = 0;
    while (!service.ended) {
      const partial = fs.readdirSync(join(home, '.ftpmount')).filter((name) => /^[0-9a-f]{32}-/.test(name));
      seen = Math.max(seen, partial.length);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    t.equal((await service.exited).code, 0, service.output);
    return seen;
  };
  t.equal(await most('--jobs', '1'), 1);
  t.equal(await most(), 3);
  t.match(await daemon.ftpctl(['put', '--jobs', '0', ...names, daemon.at('alice')]), { code: 2 });
});

t.test('small files do not wait for the large one before them', async (t) => {
  const tree = join(temporaryDirectory(t), 'mixed');
  fs.mkdirSync(tree);
  fs.writeFileSync(join(tree, '0 large'), randomBytes(40 * MiB));
  for (let n = 0; n < 400; n++) fs.writeFileSync(join(tree, `small ${n}`), `${n}`);
  const args = ['put', '-r', '--json', '--jobs', '1', ...far, tree, daemon.at('alice')];
  const { code, stdout, stderr } = await runProgram('ftpctl', args, { env: daemon.env, timeoutMs: 60_000 });
  t.equal(code, 0, stderr);
  const told = stdout.trim().split('\n');
  t.equal(told.length, 401);
  // Five times what is under way at once, each a round trip, and two messages of small files, which go at once.
  t.match(told.at(-1), '0 large', 'small ones do not wait for a large one');
});
