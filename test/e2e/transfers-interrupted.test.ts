/*
 * Trees that are put and got while the client is killed or told to stop, the daemon is killed, or the line is cut, at random
 * moments: the same command again completes it, what arrived is what was sent, nothing partial is left, and of a get hardly
 * anything is sent twice.
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
import { run, type RunResult } from '../lib/run.js';
import { Service } from '../lib/service.js';

const ROUNDS = Number(process.env['ROUNDS'] ?? 5);
/** What a whole transfer takes here, about: interruptions come within that (milliseconds). */
const WHOLE_MS = 900;
const MiB = 1024 * 1024;
const MOST_TWICE = 8 * MiB;

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

/** Starts a command, does something to it at a random moment, or when it `has` come so far, and waits for its end. */
async function interrupted(args: readonly string[], has?: () => boolean): Promise<string> {
  const names = Object.keys(FAULTS) as (keyof typeof FAULTS)[];
  const fault = names[random(names.length)] ?? 'a cut line';
  const service = new Service(t, process.execPath, [programs.ftpctl, ...args], { env: daemon.env });
  const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
  if (has === undefined) await pause(random(WHOLE_MS));
  else while (!service.ended && !has()) await pause(1);
  if (!service.ended) await FAULTS[fault](service);
  await service.exited;
  return fault;
}

/** Bytes of what arrived of a tree that is got, partial files among them. */
function bytesBelow(directory: string): number {
  if (!fs.existsSync(directory)) return 0;
  return (
    fs
      .readdirSync(directory, { recursive: true, encoding: 'utf8' })
      .filter((name) => !name.endsWith('.state'))
      // Parts come and go.
      .map((name) => fs.statSync(join(directory, name), { throwIfNoEntry: false }))
      .reduce((bytes, status) => bytes + (status?.isFile() === true ? status.size : 0), 0)
  );
}

/** Bytes that a command moved, as its JSON tells. */
function moved({ stdout }: RunResult): number {
  return stdout
    .split('\n')
    .filter((line) => line.includes('"md5"'))
    .map((line) => JSON.parse(line) as { bytes: number; resumedAt: number })
    .reduce((sum, { bytes, resumedAt }) => sum + bytes - resumedAt, 0);
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
      const enough = random(bytesBelow(tree));
      const fault = await interrupted(args, args === get ? () => bytesBelow(got) >= enough : undefined);
      const about = `round ${round}, ${args[0]}, ${fault}`;
      const arrived = bytesBelow(got);
      const again = await daemon.ftpctl([...args, '--json']);
      t.match(again, { code: 0, stderr: '' }, about);
      if (args === get) t.ok(arrived + moved(again) - bytesBelow(tree) <= MOST_TWICE, `${about}: sent once`);
      t.equal((await run('diff', ['-r', tree, there])).stdout, '', about);
      for (const place of places) t.same(partials(place), [], `${about}: nothing partial is left`);
    }
    fs.rmSync(got, { recursive: true });
  }
  t.match(await daemon.ftpctl(['quota', 'check', 'alice']), { code: 0, stdout: /: right$/m });
});
