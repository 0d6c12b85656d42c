/*
 * A mount is away for longer than its leases last, and others change the home meanwhile. When it is back, what was done in
 * it is there: in place where nobody else changed the same, as NAME.conflict-DATE-HOST beside where somebody did. Nothing
 * is put over what others did, and nothing is silent.
 */
import { readdirSync, readFileSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { startProxy, type Proxy } from '../../bench/proxy.js';
import type { MountStatus } from '../../mount/control.js';
import { ERRNO } from '../../protocol/errno.js';
import { startDaemon, type Daemon } from '../lib/daemon.js';
import { mountHome, type Mounted } from '../lib/mounted.js';
import { runProgram } from '../lib/programs.js';
import { PATIENCE_MS } from '../lib/service.js';

/**
 * Seconds. What is done while the mount is away has to be done before its leases end (and within two seconds, from which on
 * writers wait for the server); those who wait for the leases wait so long.
 */
const TERM = 8;
// They wait for that side by side.
t.jobs = 3;
const COPY = /^(.+)\.conflict-\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\dZ-[\w.-]+$/;

interface Scene {
  readonly daemon: Daemon;
  readonly proxy: Proxy;
  /** Is away for a while. */
  readonly far: Mounted;
  readonly near: Mounted;
}

/** A home with the files of `prepare`, which one mount holds the leases of and knows, and another one beside. */
async function twoMounts(
  t: Test,
  quota: string,
  prepare: (root: string) => Promise<unknown>,
): Promise<Scene> {
  const daemon = await startDaemon(t, {
    users: { alice: { quota } },
    args: ['--lease-term', String(TERM)],
  });
  const proxy = await startProxy(t, daemon.port);
  const far = await mountHome(t, daemon, 'alice', { port: proxy.port });
  const near = await mountHome(t, daemon, 'alice');
  await fs.mkdir(far.path('w'));
  await prepare(far.path('w'));
  await far.synced();
  await far.succeed('ls', ['-lR', 'w']);
  return { daemon, proxy, far, near };
}

/** `here` is done in a mount that is away, then `elsewhere` in the other one, which waits for the leases; then it is back. */
async function away(
  { proxy, far, near }: Scene,
  here: (root: string) => Promise<unknown>,
  elsewhere: (root: string) => Promise<unknown>,
): Promise<void> {
  await proxy.refuse();
  await here(far.path('w'));
  await elsewhere(near.path('w'));
  await proxy.resume();
}

async function statusOf({ daemon, far }: Scene): Promise<MountStatus> {
  const { stdout } = await runProgram('ftpmount', ['status', far.mountpoint, '--json'], { env: daemon.env });
  return JSON.parse(stdout) as MountStatus;
}

/** What is in a directory: names and, of files, what they hold. The ends of copies' names are left out. */
function contents(directory: string): Record<string, unknown> {
  return Object.fromEntries(
    readdirSync(directory, { withFileTypes: true }).map((entry) => {
      const at = path.join(directory, entry.name);
      const name = entry.name.replace(COPY, '$1.conflict');
      return [name, entry.isDirectory() ? contents(at) : readFileSync(at, 'latin1')];
    }),
  );
}

async function filled(directory: string, files: Readonly<Record<string, string>>): Promise<void> {
  await fs.mkdir(directory);
  for (const [name, data] of Object.entries(files)) await fs.writeFile(path.join(directory, name), data);
}

async function saved(file: string, data: string): Promise<void> {
  await fs.writeFile(`${file}.tmp`, data);
  await fs.rename(`${file}.tmp`, file);
}

t.test(
  'what others changed meanwhile stays, and what was done here is beside',
  { buffered: true },
  async (t) => {
    const scene = await twoMounts(t, '1G', async (root) => {
      await filled(`${root}/clean`, { own: 'before', moved: 'moved', gone: 'gone', mode: 'mode' });
      await filled(`${root}/written`, { whole: 'before', log: 'line\n', cut: 'before' });
      await filled(`${root}/taken`, {});
      await filled(`${root}/directory`, {});
      await filled(`${root}/removed`, { file: 'before' });
      await filled(`${root}/renamed`, { a: 'a', x: 'x' });
      await filled(`${root}/unlinked`, { changed: 'before', gone: 'gone', replaced: 'before' });
      await filled(`${root}/saved`, { doc: 'before', emptied: 'before' });
    });
    const { daemon, far } = scene;
    const open = await fs.open(far.path('w/written/whole'), 'r+');
    t.teardown(() => open.close().catch(() => undefined));
    await away(
      scene,
      async (root) => {
        await open.truncate(0);
        await open.write('written here');
        await fs.writeFile(`${root}/clean/own`, 'changed here');
        await fs.rename(`${root}/clean/moved`, `${root}/clean/there`);
        await fs.appendFile(`${root}/clean/there`, ' and changed');
        await fs.unlink(`${root}/clean/gone`);
        await fs.chmod(`${root}/clean/mode`, 0o600);
        await filled(`${root}/clean/made`, { file: 'made here' });
        await fs.symlink('made/file', `${root}/clean/link`);
        await fs.appendFile(`${root}/written/log`, 'here\n');
        await fs.truncate(`${root}/written/cut`, 3);
        await fs.writeFile(`${root}/taken/name`, 'here');
        await filled(`${root}/taken/both`, { file: 'here' });
        await fs.writeFile(`${root}/directory/file`, 'here');
        await fs.writeFile(`${root}/removed/file`, 'here');
        await fs.rename(`${root}/renamed/a`, `${root}/renamed/b`);
        await fs.rename(`${root}/renamed/x`, `${root}/renamed/y`);
        for (const name of ['changed', 'gone', 'replaced']) await fs.unlink(`${root}/unlinked/${name}`);
        await saved(`${root}/saved/doc`, 'here');
        await saved(`${root}/saved/emptied`, 'here');
      },
      async (root) => {
        await fs.writeFile(`${root}/written/whole`, 'written elsewhere');
        await fs.appendFile(`${root}/written/log`, 'elsewhere\n');
        await fs.writeFile(`${root}/written/cut`, 'elsewhere');
        await fs.writeFile(`${root}/taken/name`, 'elsewhere');
        await filled(`${root}/taken/both`, { other: 'elsewhere' });
        await fs.rmdir(`${root}/directory`);
        await fs.unlink(`${root}/removed/file`);
        await fs.rename(`${root}/renamed/a`, `${root}/renamed/c`);
        await fs.writeFile(`${root}/renamed/y`, 'elsewhere');
        await fs.writeFile(`${root}/unlinked/changed`, 'elsewhere');
        await fs.unlink(`${root}/unlinked/gone`);
        await saved(`${root}/unlinked/replaced`, 'elsewhere');
        await saved(`${root}/saved/doc`, 'elsewhere');
        await fs.writeFile(`${root}/saved/emptied`, 'elsewhere');
      },
    );
    const told: unknown = await open.sync().catch((error: unknown) => error);
    // Node has no name for it.
    t.match(told, { errno: -ERRNO.ESTALE }, 'who has written into a file is told that it is another one');
    await far.synced();
    const expected = {
      clean: {
        own: 'changed here',
        there: 'moved and changed',
        mode: 'mode',
        made: { file: 'made here' },
        link: 'made here',
      },
      written: {
        whole: 'written elsewhere',
        'whole.conflict': 'written here',
        log: 'line\nelsewhere\n',
        'log.conflict': 'line\nhere\n',
        cut: 'elsewhere',
        'cut.conflict': 'els',
      },
      taken: {
        name: 'elsewhere',
        'name.conflict': 'here',
        both: { other: 'elsewhere' },
        'both.conflict': { file: 'here' },
      },
      'file.conflict': 'here',
      removed: { 'file.conflict': 'here' },
      renamed: { c: 'a', y: 'elsewhere', 'y.conflict': 'x' },
      unlinked: { changed: 'elsewhere', replaced: 'elsewhere' },
      saved: { doc: 'elsewhere', 'doc.conflict': 'here', emptied: 'elsewhere', 'emptied.conflict': 'here' },
    };
    t.same(contents(path.join(daemon.home('alice'), 'w')), expected, 'on the server');
    for (const mounted of [scene.far, scene.near])
      t.same(contents(mounted.path('w')), expected, 'in a mount');
    t.equal((await fs.stat(scene.near.path('w/clean/mode'))).mode & 0o777, 0o600);
    t.match(await statusOf(scene), { conflicts: 13, losses: 0, unsent: { operations: 0 } });
    t.match(far.service.output, /changed elsewhere while this mount was away/);
    t.match(far.service.output, /whole\.conflict-/, 'the log says where it is');
    await fs.writeFile(far.path('w/clean/own'), 'and it goes on');
    t.equal(readFileSync(scene.near.path('w/clean/own'), 'utf8'), 'and it goes on');
  },
);

t.test(
  'where there is no room for a copy, the data are kept on this machine',
  { buffered: true },
  async (t) => {
    const scene = await twoMounts(t, '1M', (root) => fs.writeFile(`${root}/file`, 'before'));
    const { daemon, far } = scene;
    const data = 'x'.repeat(50_000);
    await away(
      scene,
      (root) => fs.writeFile(`${root}/file`, data),
      async (root) => {
        await fs.writeFile(`${root}/file`, 'elsewhere');
        await daemon.ftpctl(['usermod', 'alice', '--quota', '1K']);
      },
    );
    const open = await fs.open(far.path('w/file'), 'r+');
    t.teardown(() => open.close().catch(() => undefined));
    await far.succeed('ls', ['w']);
    t.equal(readFileSync(path.join(daemon.home('alice'), 'w/file'), 'utf8'), 'elsewhere');
    t.match(await statusOf(scene), { losses: 1 });
    const lost = path.join(daemon.clientState, 'ftpmount', 'lost');
    t.same(
      readdirSync(lost, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map(({ parentPath, name }) => readFileSync(path.join(parentPath, name), 'utf8')),
      [data],
    );
  },
);

t.test(
  'the connection is cut again while it catches up: each thing is there once',
  { buffered: true },
  async (t) => {
    const many = Array.from({ length: 60 }, (_, i) => String(i));
    const scene = await twoMounts(t, '1G', async (root) => {
      await fs.writeFile(`${root}/both`, 'before');
      await filled(`${root}/many`, Object.fromEntries(many.map((name) => [name, name])));
    });
    const { daemon, proxy, far } = scene;
    await away(
      scene,
      async (root) => {
        await fs.writeFile(`${root}/both`, 'here');
        await fs.writeFile(`${root}/name`, 'here');
        await Promise.all(many.map((name) => fs.rename(`${root}/many/${name}`, `${root}/many/new${name}`)));
      },
      async (root) => {
        await fs.writeFile(`${root}/both`, 'elsewhere');
        await fs.writeFile(`${root}/name`, 'elsewhere');
      },
    );
    const directory = path.join(daemon.home('alice'), 'w/many');
    for (const reached of [3, 20, 40]) {
      const moved = (): number => readdirSync(directory).filter((name) => name.startsWith('new')).length;
      for (const end = Date.now() + PATIENCE_MS; moved() < reached; await delay(2)) {
        if (Date.now() > end) throw new Error(`${reached} files were never moved`);
      }
      await proxy.cut();
    }
    await far.synced();
    t.same(contents(path.join(daemon.home('alice'), 'w')), {
      both: 'elsewhere',
      'both.conflict': 'here',
      name: 'elsewhere',
      'name.conflict': 'here',
      many: Object.fromEntries(many.map((name) => [`new${name}`, name])),
    });
    t.match(await statusOf(scene), { conflicts: 2, losses: 0 });
  },
);
