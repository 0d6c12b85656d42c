/*
 * A mount is away for longer than the term of its leases, or its process stands still for so long, and others go on in the same
 * files and directories, all by random calls. A model says what may be seen:
 *
 * - the mount that is away answers from what it was leased, as a plain directory where only it works would;
 * - the others see what a plain directory shows where they alone went on, from what was done before the mount was away or, of
 *   one that stands still, from a prefix of what it had done;
 * - in the end all show the same. Names that only one side touched are as that side left them, without a copy beside. Each piece
 *   of data that either side had last is somewhere: in its place, or in NAME.conflict-DATE-HOST.
 *
 * The seed is printed: SEED=... repeats a run, ROUNDS=... makes it longer.
 */
import * as fs from 'node:fs/promises';
import { constants } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { startProxy } from '../../bench/proxy.js';
import type { MountStatus } from '../../mount/control.js';
import { RENAME_EXCHANGE, RENAME_NOREPLACE } from '../../posix/flags.js';
import { startDaemon, type Daemon } from '../lib/daemon.js';
import { temporaryDirectory } from '../lib/directory.js';
import { picture, renameWith, resultOf } from '../lib/model.js';
import { mountHome, type Mounted } from '../lib/mounted.js';
import { runProgram } from '../lib/programs.js';
import { pick, randomFrom, seedOfRun, type Random } from '../lib/random.js';
import { succeed } from '../lib/run.js';

const seed = seedOfRun();
const rounds = Number(process.env['ROUNDS'] ?? 2);

/** Seconds. */
const TERM = 3;
/** What is done while the mount is away is done in this time (milliseconds), or waits until it is back. */
const AWAY_MS = 1_000;
const MOST_STEPS = 12;
/** They wait for the term side by side. */
t.jobs = 4;

const TOP_NAMES = ['a', 'b', 'c', 'd', 'e', 'f'] as const;
const NAMES = ['a', 'b', 'x'] as const;
/** Of data: who wrote it, and what number it has. All have one length, so that one takes the place of another. */
const TAG = /[fn]\d{5};/g;

/** One system call that changes something, and the names in the top directory that it is of. */
interface Step {
  readonly text: string;
  readonly tops: readonly string[];
  run(root: string): Promise<unknown>;
}

interface Done {
  readonly step: Step;
  readonly result: unknown;
}

class Steps {
  readonly #random: Random;
  #tags = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Some steps by `who`. */
  of(who: 'f' | 'n', most: number): Step[] {
    const count = 1 + this.#random(most);
    return Array.from({ length: count }, () => this.#next(who)).flat();
  }

  /** Those that make directories with files. */
  tree(): Step[] {
    return TOP_NAMES.slice(1).flatMap((top) => [
      { text: `mkdir ${top}`, tops: [], run: (root: string) => fs.mkdir(path.join(root, top)) },
      ...NAMES.map((name) => `${top}/${name}`).map((file) => {
        const tag = this.#tag('f');
        return {
          text: `write ${file} ${tag}`,
          tops: [],
          run: (root: string) => fs.writeFile(path.join(root, file), tag),
        };
      }),
    ]);
  }

  #tag(who: string): string {
    return `${who}${String(this.#tags++).padStart(5, '0')};`;
  }

  #path(top: string): string {
    return this.#random(3) === 0 ? top : `${top}/${pick(this.#random, NAMES)}`;
  }

  #next(who: string): Step[] {
    const random = this.#random;
    const [top, newTop] = [pick(random, TOP_NAMES), pick(random, TOP_NAMES)];
    const [at, to, sibling] = [this.#path(top), this.#path(newTop), this.#path(top)];
    const tag = this.#tag(who);
    const mode = pick(random, [0o644, 0o600, 0o755]);
    const step = (text: string, tops: readonly string[], run: Step['run']): Step => ({ text, tops, run });
    const write = (file: string, flags: number): Step =>
      step(`${flags === 0 ? 'write' : 'append'} ${file} ${tag}`, [top], async (root) => {
        const open = await fs.open(path.join(root, file), constants.O_WRONLY | flags);
        await open.write(tag).finally(() => open.close());
      });
    const create = (file: string): Step =>
      step(`create ${file}`, [top], async (root) => (await fs.open(path.join(root, file), 'wx')).close());
    const rename = (from: string, into: string, tops: readonly string[]): Step =>
      step(`rename ${from} ${into}`, tops, (root) => fs.rename(path.join(root, from), path.join(root, into)));
    const makers: (() => Step[])[] = [
      () => [write(at, 0)],
      () => [write(at, constants.O_APPEND)],
      () => [create(at), write(at, 0)],
      () => [create(`${at}.tmp`), write(`${at}.tmp`, 0), rename(`${at}.tmp`, at, [top])],
      () => [step(`mkdir ${at}`, [top], (root) => fs.mkdir(path.join(root, at)))],
      () => [step(`unlink ${at}`, [top], (root) => fs.unlink(path.join(root, at)))],
      () => [step(`rmdir ${at}`, [top], (root) => fs.rmdir(path.join(root, at)))],
      () => [step(`symlink ${at}`, [top], (root) => fs.symlink(tag, path.join(root, at)))],
      () => [step(`truncate ${at}`, [top], (root) => fs.truncate(path.join(root, at), 3))],
      () => [step(`chmod ${at} ${mode.toString(8)}`, [top], (root) => fs.chmod(path.join(root, at), mode))],
      () => [
        step(`link ${at} ${sibling}`, [top], (root) =>
          fs.link(path.join(root, at), path.join(root, sibling)),
        ),
      ],
      () => [rename(at, to, [top, newTop])],
      () => [
        step(`rename ${at} ${to}, new`, [top, newTop], (root) => renameWith(root, at, to, RENAME_NOREPLACE)),
      ],
      () => [
        step(`exchange ${at} ${to}`, [top, newTop], (root) => renameWith(root, at, to, RENAME_EXCHANGE)),
      ],
    ];
    return pick(random, makers)();
  }
}

/** A plain directory as it is after some steps. */
class Model {
  readonly #directory: string;
  #copies = 0;

  constructor(t: Test) {
    this.#directory = temporaryDirectory(t);
  }

  async after(root: string, steps: readonly Step[]): Promise<{ root: string; results: unknown[] }> {
    const copy = path.join(this.#directory, String(this.#copies++));
    await succeed('cp', ['-a', root, copy]);
    const results: unknown[] = [];
    for (const step of steps) results.push(await resultOf(step.run(copy)));
    return { root: copy, results };
  }
}

/** Tags of all data in a tree. */
async function tagsIn(root: string): Promise<Set<string>> {
  const entries = await fs.readdir(root, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const texts = await Promise.all(
    files.map(({ parentPath, name }) => fs.readFile(path.join(parentPath, name), 'latin1')),
  );
  return new Set(texts.flatMap((text) => text.match(TAG) ?? []));
}

/** Names in the top directory that steps tie to each other: what became of one may depend on what was done to another. */
function groupsOf(steps: readonly Step[]): string[][] {
  let groups: string[][] = TOP_NAMES.map((name) => [name]);
  for (const { tops } of steps) {
    const tied = groups.filter((group) => tops.some((top) => group.includes(top)));
    groups = [...groups.filter((group) => !tied.includes(group)), tied.flat()];
  }
  return groups;
}

function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

async function statusOf(daemon: Daemon, { mountpoint }: Mounted): Promise<MountStatus> {
  const { stdout } = await runProgram('ftpmount', ['status', mountpoint, '--json'], { env: daemon.env });
  return JSON.parse(stdout) as MountStatus;
}

/** How a mount is away: what is done at the beginning and at the end, and whether what it did last may have reached the server. */
interface Absence {
  readonly what: string;
  readonly beginsFirst: boolean;
  readonly begin: (scene: Scene) => Promise<unknown> | void;
  readonly end: (scene: Scene) => Promise<unknown> | void;
}

interface Scene {
  readonly daemon: Daemon;
  readonly proxy: Awaited<ReturnType<typeof startProxy>>;
  readonly far: Mounted;
  readonly others: readonly Mounted[];
}

/** One absence, in a directory that only the mount knows until then. Returns false when something was wrong. */
async function oneAbsence(
  t: Test,
  scene: Scene,
  absence: Absence,
  steps: Steps,
  round: number,
): Promise<boolean> {
  const { daemon, far, others } = scene;
  const name = `w${round}`;
  const model = new Model(t);
  const first = temporaryDirectory(t);
  await fs.mkdir(far.path(name));
  await fs.chmod(far.path(name), 0o700);
  const prepared = [...steps.tree(), ...steps.of('f', MOST_STEPS)];
  const start = await model.after(first, prepared);
  for (const [index, step] of prepared.entries()) {
    const result = await resultOf(step.run(far.path(name)));
    if (isSame(result, start.results[index])) continue;
    t.same(result, start.results[index], step.text, { seed, round });
    return false;
  }
  await far.synced();
  await picture(far.path(name), false);

  if (absence.beginsFirst) await absence.begin(scene);
  const before = await statusOf(daemon, far);
  const logged = far.service.output.length;
  const [here, there] = [steps.of('f', MOST_STEPS), steps.of('n', MOST_STEPS)];
  const [made, seen]: [Done[], Done[]] = [[], []];
  const work = (async () => {
    for (const step of here) made.push({ step, result: await resultOf(step.run(far.path(name))) });
  })();
  await Promise.race([work, delay(AWAY_MS)]);
  if (!absence.beginsFirst) await absence.begin(scene);
  const answered = [...made];
  for (const [index, step] of there.entries()) {
    const other = others[index % others.length] as Mounted;
    seen.push({ step, result: await resultOf(step.run(other.path(name))) });
  }
  const shown = await picture((others[0] as Mounted).path(name), false);
  await absence.end(scene);
  await work;
  await far.synced();

  const told = {
    seed,
    round,
    prepared: prepared.map(({ text }) => text),
    here: made.map(({ step, result }) => `${step.text}: ${JSON.stringify(result)}`),
    there: seen.map(({ step, result }) => `${step.text}: ${JSON.stringify(result)}`),
  };
  const after = await statusOf(daemon, far);
  const [alone, ...prefixes] = await Promise.all(
    [here.length, ...(absence.beginsFirst ? [0] : here.map((_, index) => here.length - index)), 0].map(
      (length) => model.after(start.root, here.slice(0, length)),
    ),
  );
  if (alone === undefined) throw new Error('no model');
  const results = answered.map(({ result }) => result);
  if (!isSame(results, alone.results.slice(0, results.length))) {
    t.same(results, alone.results.slice(0, results.length), 'what the mount that is away answers', told);
    return false;
  }
  let base: string | undefined;
  let known: string | undefined;
  let wanted: unknown;
  for (const prefix of prefixes) {
    const went = await model.after(prefix.root, there);
    wanted = [went.results, await picture(went.root, false)];
    if (!isSame([seen.map(({ result }) => result), shown], wanted)) continue;
    base = went.root;
    known = prefix.root;
    break;
  }
  if (base === undefined || known === undefined) {
    t.same([seen.map(({ result }) => result), shown], wanted, 'what the others see meanwhile', told);
    return false;
  }
  const final = await picture(far.path(name), false);
  const served = path.join(daemon.home('alice'), name);
  for (const root of [...others.map((other) => other.path(name)), served]) {
    const each = await picture(root, false);
    if (isSame(each, final)) continue;
    t.same(each, final, `all show the same: ${root}`, told);
    return false;
  }
  const tags = await tagsIn(served);
  const missing = [...(await tagsIn(base)), ...(await tagsIn(alone.root))].filter((tag) => !tags.has(tag));
  // What the others found they may have removed.
  const found = await tagsIn(known);
  const lost = missing.filter((tag) => !found.has(tag));
  if (lost.length > 0) {
    t.same(lost, [], 'all data are somewhere', { ...told, final, base: await picture(base, false) });
    return false;
  }
  const log = far.service.output.slice(logged).split('\n');
  // What was written into a file that was removed afterwards is kept on this machine, where others changed the file.
  const needless = log.filter((line) => line.includes('the file was removed here, and changed elsewhere'));
  if (after.losses - before.losses !== needless.length) {
    t.fail('nothing is told to be lost', { ...told, log });
    return false;
  }
  if (answered.length < here.length) t.comment('not all was answered at once');
  else {
    const wasBase = await picture(base, false);
    const wasAlone = await picture(alone.root, false);
    for (const group of groupsOf([...here, ...there])) {
      const isOf = (steps: readonly Step[]): boolean =>
        steps.some(({ tops }) => tops.some((top) => group.includes(top)));
      if (isOf(here) && isOf(there)) continue;
      const inGroup = (line: string): boolean => group.some((top) => new RegExp(`^${top}[. /]`).test(line));
      const expected = (isOf(here) ? wasAlone : wasBase).filter(inGroup);
      if (isSame(final.filter(inGroup), expected)) continue;
      t.same(final.filter(inGroup), expected, `what only one side touched: ${group.join(' ')}`, told);
      return false;
    }
  }
  t.pass(`round ${round}: ${after.conflicts - before.conflicts} conflicts`);
  return true;
}

const ABSENCES: readonly Absence[] = [
  {
    what: 'its connection is gone',
    beginsFirst: true,
    begin: ({ proxy }) => proxy.refuse(),
    end: ({ proxy }) => proxy.resume(),
  },
  {
    what: 'nothing comes through',
    beginsFirst: true,
    begin: ({ proxy }) => proxy.stall(),
    end: ({ proxy }) => proxy.resume(),
  },
  {
    what: 'its process stands still',
    beginsFirst: false,
    begin: ({ far }) => far.service.signal('SIGSTOP'),
    end: ({ far }) => far.service.signal('SIGCONT'),
  },
  {
    what: 'its connection breaks while it sends',
    beginsFirst: false,
    begin: ({ proxy }) => proxy.refuse(),
    end: ({ proxy }) => proxy.resume(),
  },
];

for (const [index, absence] of ABSENCES.entries()) {
  t.test(`a mount is away: ${absence.what}`, { buffered: true }, async (t) => {
    t.comment(`SEED=${seed}`);
    const args = ['--lease-term', String(TERM)];
    const daemon = await startDaemon(t, { users: { alice: { quota: '1G' } }, args });
    const proxy = await startProxy(t, daemon.port);
    const far = await mountHome(t, daemon, 'alice', { port: proxy.port });
    t.teardown(() => far.service.signal('SIGCONT'));
    const others = [await mountHome(t, daemon, 'alice'), await mountHome(t, daemon, 'alice')];
    const steps = new Steps(randomFrom(seed + index));
    for (let round = 0; round < rounds; round++)
      if (!(await oneAbsence(t, { daemon, proxy, far, others }, absence, steps, round))) return;
    const check = await daemon.ftpctl(['quota', 'check', 'alice']);
    t.match(check.stdout, /right/, 'what is charged is what is there');
  });
}
