/*
 * Trees that are put and got while the client is killed or told to stop, the daemon is killed, or the line is cut, at random
 * moments: the same command again completes it, what arrived is what was sent, and nothing partial is left.
 *
 * ROUNDS=100 in the environment runs it for as long, SEED=n repeats a run.
 */
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startProxy } from '../../bench/proxy.js';
import { startDaemon } from '../lib/daemon.js';
import { temporaryDirectory } from '../lib/directory.js';
import { programs } from '../lib/programs.js';
import { randomFrom, seedOfRun } from '../lib/random.js';
import { run } from '../lib/run.js';
import { Service } from '../lib/service.js';

const ROUNDS = Number(process.env['ROUNDS'] ?? 5);
/** What a whole transfer takes here, about: interruptions come within that (milliseconds). */
const WHOLE_MS = 900;
const MiB = 1024 * 1024;

t.setTimeout(ROUNDS * 60_000);

const daemon = await startDaemon(t, { users: { alice: { quota: '2G' } } });
const proxy = await startProxy(t, daemon.port, 2);
const login = ['-q', '-p', String(proxy.port), ...daemon.login('alice').slice(2)];
const local = temporaryDirectory(t);
const tree = join(local, 'tree');
const seed = seedOfRun();
const random = randomFrom(seed);

/** Changes what is sent: so each round has something to do. */
function makeTree(): void {
  fs.rmSync(tree, { recursive: true, force: true });
  for (const directory of ['a', 'b/c']) fs.mkdirSync(join(tree, directory), { recursive: true });
  for (let n = 0; n < 400; n++) {
    const place = ['.', 'a', 'b', 'b/c'][n % 4] ?? '.';
    fs.writeFileSync(join(tree, place, `small-${n}`), randomBytes(random(9000)));
  }
  fs.writeFileSync(join(tree, 'a/large'), randomBytes(20 * MiB + random(MiB)));
  fs.writeFileSync(join(tree, 'b/middling'), randomBytes(MiB + random(MiB)));
}

const FAULTS = {
  'kill -9 of the client': (service: Service) => service.kill(),
  'Ctrl-C': async (service: Service) => {
    service.signal('SIGINT');
    await service.exited;
  },
  'kill -9 of the daemon': async () => {
    await daemon.kill();
    await daemon.start();
  },
  'a cut line': () => proxy.cut(),
} as const;

/** What a transfer may leave while it is not complete. */
function partials(directory: string): string[] {
  return fs
    .readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => /ftpmount-part|^\.ftpmount\/[0-9a-f]{32}-/.test(name));
}

/** Starts a command, does something to it at a random moment, and waits for its end. */
async function interrupted(args: readonly string[]): Promise<string> {
  const names = Object.keys(FAULTS) as (keyof typeof FAULTS)[];
  const fault = names[random(names.length)] ?? 'a cut line';
  const service = new Service(t, process.execPath, [programs.ftpctl, ...args], { env: daemon.env });
  await new Promise((resolve) => setTimeout(resolve, random(WHOLE_MS)));
  if (!service.ended) await FAULTS[fault](service);
  await service.exited;
  return fault;
}

t.test(`transfers that are interrupted, seed ${seed}`, async (t) => {
  const home = daemon.home('alice');
  for (let round = 0; round < ROUNDS; round++) {
    makeTree();
    const put = ['put', '-r', ...login, tree, daemon.at('alice', 'to')];
    const got = join(local, `got-${round}`);
    const get = ['get', '-r', ...login, daemon.at('alice', 'to/tree'), got];
    for (const [args, there, places] of [
      [put, join(home, 'to/tree'), [home]],
      [get, join(got, 'tree'), [got, home]],
    ] as const) {
      const fault = await interrupted(args);
      const about = `round ${round}, ${args[0]}, ${fault}`;
      const again = await daemon.ftpctl(args);
      t.match(again, { code: 0, stdout: '', stderr: '' }, about);
      t.equal((await run('diff', ['-r', tree, there])).stdout, '', about);
      for (const place of places) t.same(partials(place), [], `${about}: nothing partial is left`);
    }
    fs.rmSync(got, { recursive: true });
  }
  t.match(await daemon.ftpctl(['quota', 'check', 'alice']), { code: 0, stdout: /: right$/m });
});
