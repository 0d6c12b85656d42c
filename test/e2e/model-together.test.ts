/*
 * Several mounts of one home work at the same moment in the same directories and files. Whatever was answered, and what is there
 * afterwards, has to be what one order of all the calls leaves in a plain directory; what was answered before another call
 * began comes before it. So leases are recalled between any two operations of a log, while one is sent, while another recall
 * is under way, and while an fsync waits.
 *
 * Calls name directories and files that were opened before, as what leads to them is looked up step by step on a local disk, too.
 *
 * The seed is printed: SEED=... repeats a run (not its timing), ROUNDS=... makes it longer.
 */
import * as fs from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { startProxy } from '../../bench/proxy.js';
import { fd } from '../../posix/fd.js';
import { O_NOFOLLOW, O_PATH, RENAME_EXCHANGE, RENAME_NOREPLACE, S_IFMT } from '../../posix/flags.js';
import { linkOpen } from '../../posix/names.js';
import { startDaemon, type Daemon } from '../lib/daemon.js';
import { temporaryDirectory } from '../lib/directory.js';
import { picture, renameIn, resultOf } from '../lib/model.js';
import { mountHome } from '../lib/mounted.js';
import { pick, randomFrom, seedOfRun, type Random } from '../lib/random.js';
import { succeed } from '../lib/run.js';

const seed = seedOfRun();
const rounds = Number(process.env['ROUNDS'] ?? 15);

const NAMES = ['a', 'b', 'dir'] as const;
const MAX_SIZE = 20_000;
/** What one mount does in a round; the others do less. */
const MOST_CALLS = 6;
const OTHERS_CALLS = 2;
/** Between two calls (milliseconds). */
const MOST_PAUSE_MS = 6;

/** What was opened of one root before a round. */
interface Opened {
  readonly directories: readonly fs.FileHandle[];
  readonly files: readonly fs.FileHandle[];
  /** What calls of two moments found at the first of them. */
  readonly found: Map<object, fs.FileHandle>;
}

/** Paths of what is opened. */
interface Names {
  readonly directories: readonly string[];
  readonly files: readonly string[];
}

interface Call {
  readonly text: string;
  readonly pauseMs: number;
  run(opened: Opened): Promise<unknown>;
  /** What it may be instead: two steps, between which others may do theirs. */
  readonly steps?: readonly [Step, Step];
}

type Step = (opened: Opened) => Promise<unknown>;

/** One that was made: when it began and ended, in the order of all such moments. */
interface Made {
  readonly call: Call;
  readonly mount: number;
  readonly began: number;
  readonly ended: number;
  readonly result: unknown;
}

function randomCall(random: Random, directories: number, files: number): Call {
  const [from, to, file] = [random(directories), random(directories), random(Math.max(files, 1))];
  const name = pick(random, NAMES);
  // What is renamed to its own name is looked up twice by the kernel, and may be two things.
  const newName = pick(random, from === to ? NAMES.filter((other) => other !== name) : NAMES);
  const [size, offset] = [random(MAX_SIZE), random(MAX_SIZE)];
  const data = Buffer.alloc(size, 65 + random(26));
  const mode = pick(random, [0o644, 0o600, 0o755]);
  const at = ({ directories }: Opened): string => `/proc/self/fd/${directories[from]?.fd ?? -1}/${name}`;
  const newAt = ({ directories }: Opened): string => `/proc/self/fd/${directories[to]?.fd ?? -1}/${newName}`;
  const renamed = async ({ directories }: Opened, flags: number): Promise<void> =>
    renameIn(
      fd(directories[from]?.fd ?? -1),
      Buffer.from(name),
      fd(directories[to]?.fd ?? -1),
      Buffer.from(newName),
      flags,
    );
  const [here, there] = [`${from}/${name}`, `${to}/${newName}`];
  const made = (text: string, run: Step): Call => ({ text, run, pauseMs: random(MOST_PAUSE_MS) });
  // The kernel looks at one name after the other. On a disk, too, the file of a link(2) may be elsewhere before the link is made.
  const inSteps = (call: Call, then: (found: fs.FileHandle, opened: Opened) => unknown): Call => {
    const key = {};
    const look = async (opened: Opened): Promise<void> => {
      opened.found.set(key, await fs.open(at(opened), O_PATH | O_NOFOLLOW));
    };
    return { ...call, steps: [look, async (opened) => then(opened.found.get(key) as fs.FileHandle, opened)] };
  };
  // Where both led to one file nothing is to be done for a rename(2): the mount is not asked, and cannot know that one was old by then.
  const nothingToDo = async (found: fs.FileHandle, opened: Opened): Promise<void> => {
    const [one, other] = [await found.stat(), await fs.lstat(newAt(opened))];
    if (one.ino !== other.ino) throw new Error('there is something to do');
  };
  const linked = ({ fd: found }: fs.FileHandle, { directories }: Opened): void =>
    linkOpen(fd(found), fd(directories[to]?.fd ?? -1), Buffer.from(newName));
  const ofNames: (() => Call)[] = [
    () => made(`mkdir ${here}`, (opened) => fs.mkdir(at(opened))),
    () => made(`create ${here}`, async (opened) => (await fs.open(at(opened), 'wx')).close()),
    () => made(`unlink ${here}`, (opened) => fs.unlink(at(opened))),
    () => made(`rmdir ${here}`, (opened) => fs.rmdir(at(opened))),
    () =>
      inSteps(
        made(`rename ${here} ${there}`, (opened) => fs.rename(at(opened), newAt(opened))),
        nothingToDo,
      ),
    () =>
      inSteps(
        made(`exchange ${here} ${there}`, (opened) => renamed(opened, RENAME_EXCHANGE)),
        nothingToDo,
      ),
    () => made(`rename ${here} ${there}, new`, (opened) => renamed(opened, RENAME_NOREPLACE)),
    () =>
      inSteps(
        made(`link ${here} ${there}`, (opened) => fs.link(at(opened), newAt(opened))),
        linked,
      ),
    () => made(`symlink ${here}`, (opened) => fs.symlink(newName, at(opened))),
    // Found first, and then asked: all but the type may be of another moment.
    () => made(`lstat ${here}`, async (opened) => [(await fs.lstat(at(opened))).mode & S_IFMT]),
    () =>
      made(`list ${from}`, async ({ directories }) =>
        (await fs.readdir(`/proc/self/fd/${directories[from]?.fd ?? -1}`)).toSorted(),
      ),
    () => made(`fsync ${from}`, async ({ directories }) => directories[from]?.sync()),
  ];
  const ofFiles: (() => Call)[] = [
    () =>
      made(`write #${file} ${offset}+${size}`, async ({ files }) =>
        files[file]?.write(data, 0, size, offset),
      ),
    () => made(`truncate #${file} ${size}`, async ({ files }) => files[file]?.truncate(size)),
    () => made(`chmod #${file} ${mode.toString(8)}`, async ({ files }) => files[file]?.chmod(mode)),
    () => made(`stat #${file}`, async ({ files }) => facts(await files[file]?.stat())),
    () => made(`fsync #${file}`, async ({ files }) => files[file]?.sync()),
  ];
  return pick(random, files > 0 && random(3) === 0 ? ofFiles : ofNames)();
}

/** What stat(2) tells that is the same in all homes. */
function facts(status: Awaited<ReturnType<typeof fs.stat>> | undefined): unknown[] {
  if (status === undefined) return [];
  return [status.mode, status.nlink, status.isFile() ? status.size : 0];
}

/** Opens the same of any root; it is closed by close(). */
async function openOf(root: string, { directories, files }: Names): Promise<Opened> {
  const open = (at: string, flags: string): Promise<fs.FileHandle> => fs.open(path.join(root, at), flags);
  return {
    directories: await Promise.all(directories.map((at) => open(at, 'r'))),
    files: await Promise.all(files.map((at) => open(at, 'r+'))),
    found: new Map(),
  };
}

async function close({ directories, files, found }: Opened): Promise<void> {
  for (const handle of [...directories, ...files, ...found.values()]) await handle.close();
}

/** The directories and the regular files of a tree. */
async function namesIn(root: string): Promise<Names> {
  const entries = await fs.readdir(root, { recursive: true, withFileTypes: true });
  const named = (entry: (typeof entries)[number]): string =>
    path.relative(root, path.join(entry.parentPath, entry.name));
  return {
    directories: entries
      .filter((entry) => entry.isDirectory())
      .map(named)
      .toSorted(),
    files: entries
      .filter((entry) => entry.isFile())
      .map(named)
      .toSorted(),
  };
}

/** Orders of what was made, of each mount and of what was over before something began as it was; the likely ones first. */
function* ordersOf(
  made: readonly Made[],
  isHopeless: (prefix: readonly Made[]) => boolean,
): Generator<Made[]> {
  function* from(prefix: Made[], left: readonly Made[]): Generator<Made[]> {
    if (isHopeless(prefix)) return;
    if (left.length === 0) yield prefix;
    for (const next of left) {
      const isLater = left.some(
        (other) =>
          other !== next &&
          (other.ended < next.began || (other.mount === next.mount && other.began < next.began)),
      );
      if (!isLater)
        yield* from(
          [...prefix, next],
          left.filter((other) => other !== next),
        );
    }
  }
  yield* from(
    [],
    made.toSorted((a, b) => a.ended - b.ended),
  );
}

/** What was made, as it was, and then with some calls in steps. */
function* readingsOf(made: readonly Made[]): Generator<readonly Made[]> {
  const dividable = made.filter(
    ({ call, mount, began, ended, result }) =>
      call.steps !== undefined &&
      (result === 'done' || result === 'EEXIST') &&
      made.some((other) => other.mount !== mount && other.began < ended && began < other.ended),
  );
  for (let chosen = 0; chosen < 2 ** dividable.length; chosen++) {
    yield made.flatMap((each) => {
      const { call, began } = each;
      const at = dividable.indexOf(each);
      if (call.steps === undefined || at === -1 || (chosen & (1 << at)) === 0) return [each];
      const [first, second] = call.steps.map((run) => ({ ...call, run }));
      return [
        { ...each, call: first ?? call, result: 'done' },
        { ...each, call: second ?? call, began: began + 0.5 },
      ];
    });
  }
}

class Model {
  root: string;
  readonly #directory: string;
  #copies = 0;

  constructor(t: Test) {
    this.#directory = temporaryDirectory(t);
    this.root = path.join(this.#directory, 'model');
  }

  /** Becomes what an order of what was made leaves that explains all that was seen; false: none does. */
  async explain(made: readonly Made[], names: Names, seen: readonly string[]): Promise<boolean> {
    for (const reading of readingsOf(made)) if (await this.#explainAs(reading, names, seen)) return true;
    return false;
  }

  async #explainAs(made: readonly Made[], names: Names, seen: readonly string[]): Promise<boolean> {
    const hopeless = new Set<string>();
    const keyOf = (prefix: readonly Made[]): string => prefix.map((each) => made.indexOf(each)).join();
    for (const order of ordersOf(made, (prefix) => hopeless.has(keyOf(prefix)))) {
      const copy = path.join(this.#directory, String(this.#copies++));
      await succeed('cp', ['-a', this.root, copy]);
      const opened = await openOf(copy, names);
      let wrong: number | undefined;
      for (const [index, { call, result }] of order.entries()) {
        if (isSame(result, await resultOf(call.run(opened)))) continue;
        wrong = index;
        break;
      }
      await close(opened);
      if (wrong === undefined && isSame(seen, await picture(copy, false))) {
        await fs.rm(this.root, { recursive: true });
        this.root = copy;
        return true;
      }
      await fs.rm(copy, { recursive: true });
      hopeless.add(keyOf(order.slice(0, (wrong ?? order.length) + 1)));
    }
    return false;
  }
}

function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** `disturb` is called in each round, while the mounts work. */
async function compare(
  t: Test,
  daemon: Daemon,
  mountpoints: readonly string[],
  disturb?: (round: number) => Promise<unknown>,
): Promise<void> {
  t.comment(`SEED=${seed}`);
  const random = randomFrom(seed);
  const model = new Model(t);
  await fs.mkdir(model.root);
  const before: string[] = [];
  for (let round = 0; round < rounds; round++) {
    const there = await namesIn(model.root);
    const some = (names: readonly string[], most: number): string[] =>
      names.length === 0 ? [] : Array.from({ length: random(most + 1) }, () => pick(random, names));
    const names = { directories: ['', ...some(there.directories, 2)], files: some(there.files, 2) };
    const most = random(mountpoints.length);
    const calls = mountpoints.map((_, index) =>
      Array.from({ length: index === most ? 1 + random(MOST_CALLS) : random(OTHERS_CALLS + 1) }, () =>
        randomCall(random, names.directories.length, names.files.length),
      ),
    );
    let clock = 0;
    // What leads to them is asked for before anybody changes it.
    const opened: Opened[] = [];
    for (const mountpoint of mountpoints) opened.push(await openOf(mountpoint, names));
    const work = opened.map(async (each, mount) => {
      const made: Made[] = [];
      for (const call of calls[mount] ?? []) {
        if (call.pauseMs > 0) await delay(call.pauseMs);
        const began = clock++;
        const result = await resultOf(call.run(each));
        made.push({ call, mount, began, ended: clock++, result });
      }
      return made;
    });
    const [all] = await Promise.all([Promise.all(work), disturb?.(round)]);
    for (const each of opened) await close(each);
    const made = all.flat();
    const seen: string[][] = [];
    for (const mountpoint of mountpoints) seen.push(await picture(mountpoint, false));
    const history = made
      .toSorted((a, b) => a.ended - b.ended)
      .map(
        ({ call, mount, began, ended, result }) =>
          `${mount}: ${began}-${ended} ${call.text}: ${JSON.stringify(result)}`,
      );
    const told = { seed, round, names, before: before.slice(-3), made: history };
    for (const [index, each] of seen.entries()) {
      if (isSame(each, seen[0])) continue;
      t.same(each, seen[0], `mount ${index} shows what mount 0 shows`, told);
      return;
    }
    if (!(await model.explain(made, names, seen[0] ?? []))) {
      t.fail('no order of the calls explains it', {
        ...told,
        seen: seen[0],
        model: await picture(model.root, false),
      });
      return;
    }
    before.push(history.join('; '));
  }
  t.pass(`${rounds} rounds`);
  const check = await daemon.ftpctl(['quota', 'check', 'alice']);
  t.match(check.stdout, /right/, 'what is charged is what is there');
}

for (const [what, ...args] of [
  ['two mounts'],
  ['three mounts'],
  ['three mounts, one of which has no leases', '-o', 'nolease'],
] as const) {
  t.test(what, async (t) => {
    const daemon = await startDaemon(t, { users: { alice: { quota: '1G' } } });
    const mounts = [
      await mountHome(t, daemon, 'alice'),
      await mountHome(t, daemon, 'alice', { args }),
      ...(what === 'two mounts' ? [] : [await mountHome(t, daemon, 'alice')]),
    ];
    await compare(
      t,
      daemon,
      mounts.map(({ mountpoint }) => mountpoint),
    );
  });
}

t.test('three mounts at a distance, whose connections are cut', async (t) => {
  const daemon = await startDaemon(t, { users: { alice: { quota: '1G' } } });
  const proxies = [await startProxy(t, daemon.port, 4), await startProxy(t, daemon.port, 10)];
  const mounts = [await mountHome(t, daemon, 'alice')];
  for (const { port } of proxies) mounts.push(await mountHome(t, daemon, 'alice', { port }));
  const random = randomFrom(seed + 1);
  await compare(
    t,
    daemon,
    mounts.map(({ mountpoint }) => mountpoint),
    async (round) => {
      if (round % 8 !== 7) return;
      await delay(random(MOST_PAUSE_MS * MOST_CALLS));
      await pick(random, proxies).cut();
    },
  );
});

t.test('two mounts, and the daemon is killed', async (t) => {
  const daemon = await startDaemon(t, { users: { alice: { quota: '1G' } } });
  const mounts = [await mountHome(t, daemon, 'alice'), await mountHome(t, daemon, 'alice')];
  const random = randomFrom(seed + 1);
  await compare(
    t,
    daemon,
    mounts.map(({ mountpoint }) => mountpoint),
    async (round) => {
      if (round % 20 !== 19) return;
      await delay(random(MOST_PAUSE_MS * MOST_CALLS));
      await daemon.kill();
      await daemon.start();
    },
  );
});
