/*
 * Files and trees that are put and got while the client is killed or told to stop, the daemon is killed, or the line is cut, at
 * random moments: the same command again completes it, what arrived is what was sent, next to nothing is sent twice, the old
 * file stays until the new one is whole, and nothing partial is left.
 *
 * ROUNDS=100 in the environment runs it for as long, SEED=n repeats a run.
 */
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { startProxy, type Carried } from '../../bench/proxy.js';
import { startDaemon } from '../lib/daemon.js';
import { temporaryDirectory } from '../lib/directory.js';
import { programs } from '../lib/programs.js';
import { randomFrom, seedOfRun } from '../lib/random.js';
import { run } from '../lib/run.js';
import { Service } from '../lib/service.js';

const ROUNDS = Number(process.env['ROUNDS'] ?? 4);
/** What a whole transfer takes here, about: interruptions come within that (milliseconds). */
const WHOLE_MS = 900;
const MiB = 1024 * 1024;
const MOST_TWICE = 8 * MiB;
/** What travels beside the data: logins, names, attributes, answers. */
const BESIDE = MiB;

t.setTimeout(ROUNDS * 60_000);

const daemon = await startDaemon(t, { users: { alice: { quota: '2G' } } });
const proxy = await startProxy(t, daemon.port, 20);
const login = ['-q', '-p', String(proxy.port), ...daemon.login('alice').slice(2)];
const local = temporaryDirectory(t);
const tree = join(local, 'tree');
/** Below it. */
const LARGE = 'a/large';
/** What is there before. */
const OLD = 'the old file';
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
  fs.writeFileSync(join(tree, LARGE), randomBytes(20 * MiB + random(MiB)));
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

interface Transfer {
  readonly sender: keyof Carried;
  readonly args: readonly string[];
  readonly source: string;
  /** What `source` becomes. */
  readonly target: string;
  /** Where partial files may be left. */
  readonly places: readonly string[];
}

/** The paths of files below a directory; they come and go. */
function filesBelow(directory: string): string[] {
  if (fs.statSync(directory, { throwIfNoEntry: false })?.isDirectory() !== true) return [];
  const names = fs.readdirSync(directory, { recursive: true, encoding: 'utf8' });
  return names.map((name) => join(directory, name));
}

function bytesOf(path: string): number {
  const status = fs.statSync(path, { throwIfNoEntry: false });
  return status?.isFile() === true ? status.size : 0;
}

function sizeOf(paths: readonly string[]): number {
  return paths.reduce((sum, path) => sum + bytesOf(path), 0);
}

/** What a transfer may leave while it is not complete. */
function partials({ places }: Transfer): string[] {
  return places.flatMap((place) =>
    filesBelow(place).filter((path) => /ftpmount-part|\.ftpmount\/[0-9a-f]{32}-/.test(path)),
  );
}

/** Bytes that have arrived (those of an old file are too few to matter). */
function arrived(transfer: Transfer): number {
  const { target } = transfer;
  const paths = new Set([target, ...filesBelow(target), ...partials(transfer)]);
  return sizeOf([...paths].filter((path) => !path.endsWith('.state')));
}

/** Starts a command, does something to it at a random moment, or when it `has` come so far, and waits for its end. */
async function interrupted(args: readonly string[], has: () => boolean): Promise<string> {
  const names = Object.keys(FAULTS) as (keyof typeof FAULTS)[];
  const fault = names[random(names.length)] ?? 'a cut line';
  const service = new Service(t, process.execPath, [programs.ftpctl, ...args], { env: daemon.env });
  const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
  if (random(4) === 0) await pause(random(WHOLE_MS));
  else while (!service.ended && !has()) await pause(1);
  if (!service.ended) await FAULTS[fault](service);
  await service.exited;
  return fault;
}

/** The transfers of a round: there and back, a tree or a file, which replaces one. */
async function transfersOf(t: Test, round: number): Promise<Transfer[]> {
  const home = daemon.home('alice');
  const got = temporaryDirectory(t);
  makeTree();
  t.match(await daemon.ftpctl(['rm', '-rf', ...login.slice(1), daemon.at('alice', 'to')]), { code: 0 });
  if (round % 2 === 0) {
    const put = ['put', '-r', ...login, tree, daemon.at('alice', 'to')];
    const get = ['get', '-r', ...login, daemon.at('alice', 'to/tree'), got];
    return [
      { sender: 'fromClients', args: put, source: tree, target: join(home, 'to/tree'), places: [home] },
      { sender: 'fromTarget', args: get, source: tree, target: join(got, 'tree'), places: [got, home] },
    ];
  }
  const source = join(tree, LARGE);
  const old = ['put', ...login, '-', daemon.at('alice', 'to')];
  t.match(await daemon.ftpctl(old, { input: OLD }), { code: 0 });
  fs.writeFileSync(join(got, 'file'), OLD);
  const put = ['put', ...login, source, daemon.at('alice', 'to')];
  const get = ['get', ...login, daemon.at('alice', 'to'), join(got, 'file')];
  return [
    { sender: 'fromClients', args: put, source, target: join(home, 'to'), places: [home] },
    { sender: 'fromTarget', args: get, source, target: join(got, 'file'), places: [got, home] },
  ];
}

t.test(`transfers that are interrupted, seed ${seed}`, async (t) => {
  for (let round = 0; round < ROUNDS; round++) {
    for (const transfer of await transfersOf(t, round)) {
      const { source, target } = transfer;
      const size = sizeOf([source, ...filesBelow(source)]);
      const enough = random(size);
      const args = [...transfer.args, ...(random(2) === 0 ? ['--retry', '0'] : [])];
      const carried = async (): Promise<number> => (await proxy.carried())[transfer.sender];
      const before = await carried();
      const fault = await interrupted(args, () => arrived(transfer) >= enough);
      const about = `round ${round}, ${args.join(' ')}, ${fault}`;
      if (bytesOf(target) !== size && source !== tree) t.equal(fs.readFileSync(target, 'utf8'), OLD, about);
      const again = await daemon.ftpctl(transfer.args);
      t.match(again, { code: 0, stderr: '' }, about);
      const twice = (await carried()) - before - size - BESIDE;
      t.ok(twice <= MOST_TWICE, `${about}: ${twice} bytes were sent twice`);
      t.equal((await run('diff', ['-r', source, target])).stdout, '', about);
      t.same(partials(transfer), [], `${about}: nothing partial is left`);
    }
  }
  t.match(await daemon.ftpctl(['quota', 'check', 'alice']), { code: 0, stdout: /: right$/m });
});
