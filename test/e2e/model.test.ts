/*
 * Several mounts of one home, and ftpctl, against one model: a plain directory. Random operations of all kinds are made, each by
 * one of them and in the model; their results must be the same, after each of them every mount must show what the model shows, at
 * once, and what is charged at the end is what is there (ftpctl quota check).
 *
 * The seed is printed: SEED=... repeats a run, ROUNDS=... makes it longer.
 */
import * as fs from 'node:fs/promises';
import path from 'node:path';
import t, { type Test } from 'tap';
import { startProxy } from '../../bench/proxy.js';
import { RENAME_EXCHANGE, RENAME_NOREPLACE, S_IFCHR, S_IFSOCK } from '../../posix/flags.js';
import { mknodat } from '../../posix/names.js';
import { setXattr } from '../../posix/xattrs.js';
import { startDaemon, type Daemon } from '../lib/daemon.js';
import { temporaryDirectory } from '../lib/directory.js';
import { inDirectory, picture, renameWith, resultOf, XATTR } from '../lib/model.js';
import { mountHome } from '../lib/mounted.js';
import { Prompt } from '../lib/prompt.js';
import { pick, randomFrom, seedOfRun, type Random } from '../lib/random.js';
import { succeed } from '../lib/run.js';

const seed = seedOfRun();
const rounds = Number(process.env['ROUNDS'] ?? 30);

const NAMES = ['a', 'b', 'c', 'dir', 'sub'] as const;
const MAX_SIZE = 20_000;
const MAX_LINKS = 8;
const IDS = [0, 1, 1000, 2 ** 32 - 2];
const OWNED_MODES = [0o644, 0o4755, 0o2755, 0o2775, 0o2645, 0o1777, 0o6777, 0];
const DEV_NULL = 0x103;

/** One operation, as it is made below a root. */
interface Step {
  readonly text: string;
  run(root: string): Promise<unknown>;
}

/** Where an account's homes begin in a mount. */
const OWN_HOME: readonly string[] = [''];
const SHARE = 'Shared/team/';

function randomPath(random: Random, homes = OWN_HOME): string {
  const parts: string[] = [];
  for (let depth = random(3); depth >= 0; depth--) parts.push(pick(random, NAMES));
  return pick(random, homes) + parts.join('/');
}

/** Removes a name of a file, which is changed as long as it is open. What it is then. */
async function changeRemoved(file: string, size: number, data: Buffer, offset: number): Promise<unknown[]> {
  const open = await fs.open(file, 'r+');
  try {
    await fs.unlink(file);
    await open.truncate(size);
    await open.write(data, 0, data.length, offset);
    await open.chmod(0o640);
    const status = await open.stat();
    return [status.size, status.mode, status.nlink];
  } finally {
    await open.close();
  }
}

/** `owners`: also what changes owners, set-id bits, and makes devices. */
function randomStep(random: Random, owners: boolean, homes: readonly string[]): Step {
  const at = randomPath(random, homes);
  const to = randomPath(random, homes);
  const link = randomPath(random);
  const size = random(MAX_SIZE);
  const offset = random(MAX_SIZE);
  const byte = random(256);
  const mode = pick(random, owners ? OWNED_MODES : [0o644, 0o600, 0o755, 0o400]);
  const [uid, gid] = [pick(random, IDS), pick(random, IDS)];
  const step = (text: string, run: (root: string) => Promise<unknown>): Step => ({ text, run });
  const makers: (() => Step)[] = [
    () => step(`mkdir ${at}`, (root) => fs.mkdir(path.join(root, at))),
    () => step(`write ${at} ${size}`, (root) => fs.writeFile(path.join(root, at), Buffer.alloc(size, byte))),
    () => step(`create ${at}`, async (root) => (await fs.open(path.join(root, at), 'wx')).close()),
    () =>
      step(`append ${at} ${size}`, (root) => fs.appendFile(path.join(root, at), Buffer.alloc(size, byte))),
    () =>
      step(`overwrite ${at} ${offset}+${size}`, async (root) => {
        const file = await fs.open(path.join(root, at), 'r+');
        try {
          await file.write(Buffer.alloc(size, byte), 0, size, offset);
        } finally {
          await file.close();
        }
      }),
    () => step(`truncate ${at} ${size}`, (root) => fs.truncate(path.join(root, at), size)),
    () => step(`unlink ${at}`, (root) => fs.unlink(path.join(root, at))),
    () => step(`rmdir ${at}`, (root) => fs.rmdir(path.join(root, at))),
    () => step(`rename ${at} ${to}`, (root) => fs.rename(path.join(root, at), path.join(root, to))),
    () => step(`link ${at} ${to}`, (root) => fs.link(path.join(root, at), path.join(root, to))),
    () => step(`symlink ${at}`, (root) => fs.symlink(link, path.join(root, at))),
    () => step(`chmod ${at} ${mode.toString(8)}`, (root) => fs.chmod(path.join(root, at), mode)),
    () => step(`utimes ${at}`, (root) => fs.lutimes(path.join(root, at), offset, size)),
    () => step(`exchange ${at} ${to}`, (root) => renameWith(root, at, to, RENAME_EXCHANGE)),
    () => step(`rename ${at} ${to}, new`, (root) => renameWith(root, at, to, RENAME_NOREPLACE)),
    () =>
      step(`socket ${at}`, (root) =>
        inDirectory(root, at, (...name) => mknodat(...name, S_IFSOCK | 0o600, 0)),
      ),
    () =>
      step(`unlink ${at} and change it`, (root) =>
        changeRemoved(path.join(root, at), size, Buffer.alloc(100, byte), offset),
      ),
    () =>
      step(`setfattr ${at}`, async (root) =>
        setXattr({ path: Buffer.from(path.join(root, at)) }, XATTR, Buffer.alloc(size % 100, byte), 0),
      ),
    () => step(`list ${at}`, async (root) => (await fs.readdir(path.join(root, at))).toSorted()),
  ];
  const ofOwners: (() => Step)[] = [
    () => step(`lchown ${at} ${uid}:${gid}`, (root) => fs.lchown(path.join(root, at), uid, gid)),
    () => step(`chown ${at} ${uid}:${gid}`, (root) => fs.chown(path.join(root, at), uid, gid)),
    () =>
      step(`mknod ${at}`, (root) =>
        inDirectory(root, at, (...name) => mknodat(...name, S_IFCHR | 0o640, DEV_NULL)),
      ),
    () => step(`chmod ${at} ${mode.toString(8)}`, (root) => fs.chmod(path.join(root, at), mode)),
  ];
  return pick(random, owners ? [...makers, ...ofOwners] : makers)();
}

/** One that ftpctl makes by one command, and what that does to a plain directory. `source`: a file that it puts. */
function randomCommand(random: Random, source: string, homes: readonly string[]): Step & { command: string } {
  const at = randomPath(random, homes);
  const to = randomPath(random, homes);
  const link = randomPath(random);
  const own = randomPath(random);
  const data = Buffer.alloc(random(MAX_SIZE), random(256));
  const mode = pick(random, [0o644, 0o600, 0o755]);
  const step = (command: string, run: Step['run']) => ({ text: `ftpctl ${command}`, command, run });
  return pick(random, [
    () => step(`mkdir ${at}`, (root) => fs.mkdir(path.join(root, at))),
    () => step(`rmdir ${at}`, (root) => fs.rmdir(path.join(root, at))),
    () =>
      step(`rm ${at}`, async (root) => {
        const file = path.join(root, at);
        return (await fs.lstat(file)).isDirectory() ? fs.rmdir(file) : fs.unlink(file);
      }),
    () => step(`mv ${at} ${to}`, async (root) => fs.rename(path.join(root, at), await inside(root, to, at))),
    // Its target is taken for a path of the own home, too.
    () => step(`ln -s ${link} ${own}`, (root) => fs.symlink(link, path.join(root, own))),
    () => step(`chmod ${mode.toString(8)} ${at}`, (root) => fs.chmod(path.join(root, at), mode)),
    () =>
      step(`put ${source} ${at}`, async (root) => {
        await fs.writeFile(source, data);
        await fs.chmod(source, mode);
        const named = path.join(root, at);
        const place = await inside(root, at, source);
        // A link that is named is followed, one in a directory that is named is replaced.
        const target = place === named ? await led(named) : place;
        const before = await fs.lstat(target).catch(() => undefined);
        const partial = path.join(path.dirname(target), '.partial');
        await fs.writeFile(partial, data);
        await fs.chmod(partial, (before?.isFile() === true ? before.mode : mode) & 0o777);
        await fs.rename(partial, target).catch(async (error: unknown) => {
          await fs.unlink(partial);
          throw error;
        });
      }),
  ])();
}

/** What `to` stands for where something is moved or put there: a place in it, where it is a directory. */
async function inside(root: string, to: string, from: string): Promise<string> {
  const target = path.join(root, to);
  const isDirectory = await fs.stat(target).then(
    (status) => status.isDirectory(),
    () => false,
  );
  return isDirectory ? path.join(target, path.basename(from)) : target;
}

/** Where links lead in the end, to something or nothing. */
async function led(file: string, links = 0): Promise<string> {
  const link = await fs.readlink(file).catch(() => undefined);
  if (link === undefined) return file;
  if (links > MAX_LINKS) throw new Error('they lead in a circle');
  // Links may be on the way to it, too.
  const directory = await fs.realpath(path.dirname(file));
  return led(path.resolve(directory, link), links + 1);
}

/** Removes a file by a mount, and has ftpctl restore it from the trash. What it complained of, if the removal was one. */
async function removeAndRestore(mountpoint: string, at: string, prompt: Prompt): Promise<unknown> {
  // What never reached the server is not kept there.
  const top = await fs.open(mountpoint, 'r');
  await top.sync().finally(() => top.close());
  const removed = await resultOf(fs.unlink(path.join(mountpoint, at)));
  return removed === 'done' ? ((await prompt.run(`trash restore ${at}`)) ?? removed) : removed;
}

/** The same in the model, where nothing is done to a file of one name. One that has others is not in the trash. */
async function isRestored(file: string): Promise<boolean> {
  const status = await fs.lstat(file).catch(() => undefined);
  return status?.isDirectory() === false && status.nlink === 1;
}

interface Settings {
  /** Is called in each round, while something is done. */
  readonly disturb?: (round: number) => Promise<unknown>;
  readonly owners?: boolean;
  /** Some of what is done is done by it. */
  readonly prompt?: Prompt;
  /** The account has a trash; there is a prompt. */
  readonly trash?: boolean;
  /** What of the home is a share. */
  readonly share?: boolean;
}

/** `mountpoints`: of the home; `members`: of another user, who shows the share. */
async function compare(
  t: Test,
  daemon: Daemon,
  mountpoints: readonly string[],
  { disturb, owners = false, prompt, trash = false, share = false }: Settings = {},
  members: readonly string[] = [],
): Promise<void> {
  const random = randomFrom(seed);
  const model = temporaryDirectory(t);
  const source = path.join(temporaryDirectory(t), 'c');
  const homes = share ? [...OWN_HOME, SHARE] : OWN_HOME;
  if (share) await mountInModel(t, path.join(model, SHARE));
  const done: string[] = [];
  const shownIn = async (root: string, isMember: boolean): Promise<string[]> => {
    const lines = await picture(isMember ? path.join(root, SHARE) : root, owners);
    // Of where the share is, the model has other modes.
    return lines.filter((line) => !/^Shared(\/team)? /.test(line));
  };
  t.comment(`SEED=${seed}`);
  for (let round = 0; round < rounds; round++) {
    const disturbed = disturb?.(round);
    let expected: unknown;
    let found: unknown;
    const mountpoint = pick(random, [...mountpoints, ...members]);
    const isMember = members.includes(mountpoint);
    if (trash && prompt !== undefined && !isMember && random(8) === 0) {
      const at = randomPath(random);
      done.push(`${mountpoints.indexOf(mountpoint)}: unlink and restore ${at}`);
      const file = path.join(model, at);
      expected = (await isRestored(file)) ? 'done' : await resultOf(fs.unlink(file));
      found = await removeAndRestore(mountpoint, at, prompt);
      // What had another name was not kept: nothing says so but the restoring.
      if (expected === 'done' && typeof found === 'string' && found !== 'done' && !(await isRestored(file)))
        found = 'done';
    } else if (prompt !== undefined && random(3) === 0) {
      const { text, command, run } = randomCommand(random, source, homes);
      done.push(text);
      const result = await resultOf(run(model));
      const complaint = await prompt.run(command);
      // Texts and errnos differ: whether it is done is the same.
      expected = result === 'done' ? undefined : (complaint ?? result);
      found = complaint;
    } else {
      const step = randomStep(random, owners, isMember ? [SHARE] : homes);
      done.push(`${[...mountpoints, ...members].indexOf(mountpoint)}: ${step.text}`);
      [expected, found] = [await resultOf(step.run(model)), await resultOf(step.run(mountpoint))];
      // The kernel compares the file systems first.
      if (expected === 'EXDEV' && found !== 'done') expected = found;
    }
    await disturbed;
    const history = { done: done.slice(-12), seed, round };
    if (JSON.stringify(found) !== JSON.stringify(expected)) {
      t.same(found, expected, `${done.at(-1) ?? ''}: its result`, history);
      return;
    }
    for (const each of [...mountpoints, ...members]) {
      const wanted = await shownIn(model, members.includes(each));
      const seen = await shownIn(each, members.includes(each));
      if (JSON.stringify(seen) !== JSON.stringify(wanted)) {
        t.same(seen, wanted, `after ${done.at(-1) ?? ''}: ${each}`, history);
        return;
      }
    }
  }
  t.pass(`${rounds} rounds`);
  for (const home of share ? ['alice', '+team'] : ['alice']) {
    const check = await daemon.ftpctl(['quota', 'check', home]);
    t.match(check.stdout, /right/, 'what is charged is what is there');
  }
}

/** Another file system in the model. As root. */
async function mountInModel(t: Test, directory: string): Promise<void> {
  await fs.mkdir(directory, { recursive: true });
  await succeed('mount', ['--bind', temporaryDirectory(t), directory]);
  t.teardown(() => succeed('umount', ['-l', directory]));
}

const SETTINGS: readonly (readonly [string, number, readonly string[]])[] = [
  ['one mount', 1, []],
  ['two mounts', 2, []],
  ['three mounts', 3, []],
  ['two mounts without leases', 2, ['-o', 'nolease']],
  ['one mount that waits for the server', 1, ['-o', 'sync']],
];

for (const [what, count, args] of SETTINGS) {
  t.test(what, async (t) => {
    const daemon = await startDaemon(t, { users: { alice: { quota: '1G' } } });
    const mountpoints: string[] = [];
    for (let i = 0; i < count; i++)
      mountpoints.push((await mountHome(t, daemon, 'alice', { args })).mountpoint);
    await compare(t, daemon, mountpoints);
  });
}

/** By root: whom files belong to, all bits of modes, and devices are the same, too. */
const OWNED: readonly (readonly [string, number, string])[] = [
  ['one mount with owners', 1, ''],
  ['two mounts with owners', 2, ''],
  ['two mounts with owners and without leases', 2, ',nolease'],
];

for (const [what, count, option] of process.geteuid?.() === 0 ? OWNED : []) {
  t.test(what, async (t) => {
    const daemon = await startDaemon(t, { users: { alice: { quota: '1G', posixOwners: true } } });
    const args = ['-o', `allow_other,suid,dev${option}`];
    const mountpoints: string[] = [];
    for (let i = 0; i < count; i++)
      mountpoints.push((await mountHome(t, daemon, 'alice', { args })).mountpoint);
    const disturb = async (round: number): Promise<void> => {
      if (round % 50 !== 49) return;
      await daemon.kill();
      await daemon.start();
    };
    await compare(t, daemon, mountpoints, { disturb, owners: true });
  });
}

t.test('two mounts and ftpctl', async (t) => {
  const daemon = await startDaemon(t, { users: { alice: { quota: '1G' } } });
  const mounts = [await mountHome(t, daemon, 'alice'), await mountHome(t, daemon, 'alice')];
  const prompt = new Prompt(t, daemon, 'alice');
  const mountpoints = mounts.map(({ mountpoint }) => mountpoint);
  await compare(t, daemon, mountpoints, { prompt });
});

t.test('two mounts and ftpctl, and what is removed is kept in the trash', async (t) => {
  const daemon = await startDaemon(t, { users: { alice: { quota: '1G', trash: '30d' } } });
  const mounts = [await mountHome(t, daemon, 'alice'), await mountHome(t, daemon, 'alice')];
  const prompt = new Prompt(t, daemon, 'alice');
  const mountpoints = mounts.map(({ mountpoint }) => mountpoint);
  await compare(t, daemon, mountpoints, { prompt, trash: true });
});

if (process.geteuid?.() === 0) {
  t.test('two mounts of a home with a share, one of another member, and ftpctl', async (t) => {
    const daemon = await startDaemon(t, {
      users: { alice: { quota: '1G', trash: '30d' }, bob: { quota: '1G' } },
    });
    for (const args of [
      ['groupadd', 'staff', 'alice', 'bob'],
      ['shareadd', 'team', '--group', 'staff', '--rw', '--quota', '1G'],
    ])
      t.match(await daemon.ftpctl(args), { code: 0 });
    const mountpoints: string[] = [];
    for (const user of ['alice', 'alice', 'bob'])
      mountpoints.push((await mountHome(t, daemon, user)).mountpoint);
    const prompt = new Prompt(t, daemon, 'alice');
    const settings = { prompt, trash: true, share: true };
    await compare(t, daemon, mountpoints.slice(0, 2), settings, mountpoints.slice(2));
  });
}

t.test('two mounts, one of which loses its connection again and again', async (t) => {
  const daemon = await startDaemon(t, { users: { alice: { quota: '1G' } } });
  const proxy = await startProxy(t, daemon.port);
  const near = await mountHome(t, daemon, 'alice');
  const far = await mountHome(t, daemon, 'alice', { port: proxy.port });
  await compare(t, daemon, [near.mountpoint, far.mountpoint], {
    disturb: async (round) => {
      if (round % 25 === 24) await proxy.cut();
    },
  });
});

t.test('one mount, and the daemon is killed again and again', async (t) => {
  const daemon = await startDaemon(t, { users: { alice: { quota: '1G' } } });
  const mounted = await mountHome(t, daemon, 'alice');
  await compare(t, daemon, [mounted.mountpoint], {
    disturb: async (round) => {
      if (round % 50 !== 49) return;
      await daemon.kill();
      await daemon.start();
    },
  });
});
