/* Interrupted transfers: killed at either side, they go on; nothing wrong is ever published. */
import { createHash, randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startProxy } from '../../bench/proxy.js';
import { startDaemon, type Daemon } from '../lib/daemon.js';
import { temporaryDirectory } from '../lib/directory.js';
import { programs } from '../lib/programs.js';
import { Service } from '../lib/service.js';

t.setTimeout(120_000);

const MiB = 1024 * 1024;

const daemon = await startDaemon(t, { users: { alice: { quota: '2G' } } });
/** The line to be interrupted: 8 MiB a round trip make it slow enough for that. */
const SLOW_RTT_MS = 200;
const proxy = await startProxy(t, daemon.port);
const login = ['-p', String(proxy.port), ...daemon.login('alice').slice(2)];
const local = temporaryDirectory(t);
const source = join(local, 'source');
const content = Buffer.concat([randomBytes(24 * MiB), randomBytes(5)]);
fs.writeFileSync(source, content);
const digest = createHash('md5').update(content).digest('hex');

type Scope = Parameters<typeof temporaryDirectory>[0];

/** Starts a transfer over a slow line and resolves when `reached` says that it came far enough. */
async function startTransfer(
  scope: Scope,
  args: readonly string[],
  reached: () => boolean,
): Promise<Service> {
  await proxy.delay(SLOW_RTT_MS);
  const service = new Service(scope, process.execPath, [programs.ftpctl, ...args], { env: daemon.env });
  while (!reached()) {
    if (service.ended) throw new Error(`it ended before it could be interrupted:\n${service.output}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await proxy.delay(0);
  return service;
}

/** Bytes of the partial file of an upload. */
function partialBytes(server: Daemon): number {
  const directory = join(server.home('alice'), '.ftpmount');
  try {
    const entries = fs.readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isFile());
    return Math.max(0, ...entries.map(({ name }) => fs.statSync(join(directory, name)).size));
  } catch {
    return 0;
  }
}

/** Lines of a local file that is there. */
function linesOf(path: string): number {
  return fs.readFileSync(path, 'latin1').split('\n').length - 1;
}

/** Bytes of a local file, 0 where there is none. */
function bytesOf(path: string): number {
  return fs.statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

const RESUMING = /resuming at [1-9][0-9]?%/;

t.test('a put that is killed goes on', async (t) => {
  const args = ['put', ...login, source, daemon.at('alice', 'target')];
  const killed = await startTransfer(t, args, () => partialBytes(daemon) > 9 * MiB);
  await killed.kill();
  t.notOk(fs.existsSync(join(daemon.home('alice'), 'target')), 'a part is never seen under the name');
  const uploads = await daemon.ftpctl(['uploads', '--json', ...login, daemon.at('alice')]);
  const { received } = JSON.parse(uploads.stdout) as { received: number };
  const again = await daemon.ftpctl([...args, '--json']);
  t.equal(again.code, 0, again.stderr);
  const { resumedAt, md5 } = JSON.parse(again.stdout) as { resumedAt: number; md5: string };
  t.equal(md5, digest);
  t.ok(resumedAt >= received, `what arrived is not sent again: ${resumedAt} of ${received}`);
  t.ok(fs.readFileSync(join(daemon.home('alice'), 'target')).equals(content));
});

t.test('a put into the file that is there goes on, too', async (t) => {
  const target = join(daemon.home('alice'), 'inplace');
  t.match(await daemon.ftpctl(['put', ...login, '-', daemon.at('alice', 'inplace')], { input: 'old' }), {
    code: 0,
  });
  const { ino } = fs.statSync(target);
  const journals = join(daemon.clientState, 'ftpmount', 'uploads');
  fs.mkdirSync(journals, { recursive: true, mode: 0o700 });
  // Lines: a journal has a head before its first checkpoint.
  const journaled = (): number =>
    fs.readdirSync(journals).reduce((lines, name) => lines + linesOf(join(journals, name)), 0);
  const before = journaled();
  const args = ['put', '--inplace', ...login, source, daemon.at('alice', 'inplace')];
  const killed = await startTransfer(t, args, () => journaled() > before + 1);
  await killed.kill();
  const again = await daemon.ftpctl(args);
  t.match(again, { code: 0, stderr: RESUMING });
  t.ok(fs.readFileSync(target).equals(content));
  t.equal(fs.statSync(target).ino, ino);
  t.equal(journaled(), before);
});

t.test('what a put left is listed, counted, and thrown away', async (t) => {
  const uploads = (...args: string[]) => daemon.ftpctl(['uploads', ...args]);
  const place = daemon.at('alice', 'left');
  const args = ['put', ...login, source, place];
  const killed = await startTransfer(t, args, () => partialBytes(daemon) > 9 * MiB);
  await killed.kill();
  t.match(JSON.parse((await uploads('--json', ...login, place)).stdout), {
    ...{ path: 'left', size: content.length, underWay: false },
  });
  t.match(
    (await daemon.ftpctl(['quota', 'check', 'alice'])).stdout,
    / \(partial uploads: \d+ bytes, 1 files\): right$/m,
  );
  const input = ['-uploads nowhere', 'uploads -h', 'df', 'uploads rm left', 'uploads', 'df'].join('\n');
  const { stdout, stderr } = await daemon.ftpctl(['shell', ...login, daemon.at('alice')], { input });
  t.match(stderr, /^ftpctl: nowhere: there is no partial upload of it/);
  t.match(
    stdout,
    /^Received +Size +Age +Expires +Path\n +\d+M +24M +\d+s +\d{4}-\d\d-\d\d \d\d:\d\d +left\nHome .*\n.*\nof that \d+M in 1 partial upload, .*\nHome .*\n.*\n$/,
  );
  t.equal(partialBytes(daemon), 0);
  t.match(await uploads('rm', ...login, place), {
    code: 1,
    stderr: /^ftpctl: left: there is no partial upload/,
  });
});

t.test('a put whose server is killed goes on', async (t) => {
  const args = ['put', '--retry', '0', ...login, source, daemon.at('alice', 'target2')];
  const transfer = await startTransfer(t, args, () => partialBytes(daemon) > 9 * MiB);
  await daemon.kill();
  t.equal((await transfer.exited).code, 3);
  t.match(
    transfer.output,
    new RegExp(String.raw`^ftpctl: .*: to resume: ftpctl ${args[0]} --retry 0 .*${args.at(-1)}$`, 'm'),
  );
  await daemon.start();
  const again = await daemon.ftpctl(args);
  t.equal(again.code, 0, again.stderr);
  t.match(again.stderr, RESUMING);
  t.ok(fs.readFileSync(join(daemon.home('alice'), 'target2')).equals(content));
  t.match(await daemon.ftpctl(['quota', 'check', 'alice']), { code: 0 });
});

t.test('a put goes on by itself when the line breaks, and when the server comes back', async (t) => {
  const args = ['put', ...login, source, daemon.at('alice', 'target6')];
  const transfer = await startTransfer(t, args, () => partialBytes(daemon) > 9 * MiB);
  await proxy.cut();
  await transfer.says(/connecting again[^]*resuming at/);
  await daemon.stop();
  await transfer.says(/connecting again[^]*connecting again/);
  await daemon.start();
  t.equal((await transfer.exited).code, 0, transfer.output);
  t.match(transfer.output, digest);
  t.ok(fs.readFileSync(join(daemon.home('alice'), 'target6')).equals(content));
});

t.test(
  'a get goes on by itself, and Ctrl-C ends the wait for a server that does not come back',
  async (t) => {
    const directory = temporaryDirectory(t);
    const part = join(directory, '.copy.ftpmount-part');
    const args = ['get', ...login, daemon.at('alice', 'target'), join(directory, 'copy')];
    const get = () => startTransfer(t, args, () => bytesOf(part) > 9 * MiB && bytesOf(`${part}.state`) > 0);
    const broken = await get();
    await daemon.kill();
    await broken.says(/connecting again/);
    broken.signal('SIGINT');
    t.equal((await broken.exited).code, 130, broken.output);
    await daemon.start();
    const transfer = await get();
    await proxy.cut();
    t.equal((await transfer.exited).code, 0, transfer.output);
    t.match(transfer.output, digest);
    t.strictSame(fs.readdirSync(directory), ['copy']);
  },
);

t.test('Ctrl-C ends a put in order', async (t) => {
  const args = ['put', ...login, source, daemon.at('alice', 'target3')];
  const transfer = await startTransfer(t, args, () => partialBytes(daemon) > 9 * MiB);
  transfer.signal('SIGINT');
  t.equal((await transfer.exited).code, 130);
  t.match(transfer.output, `ftpctl: interrupted: to resume: ftpctl ${args.join(' ')}\n`);
  const anew = await daemon.ftpctl(['put', '--no-resume', ...args.slice(1)]);
  t.equal(anew.code, 0, anew.stderr);
  t.notMatch(anew.stderr, RESUMING, '--no-resume throws the part away');
  t.match(anew.stdout, digest);
});

t.test('a source that changed starts anew and says so', async (t) => {
  const changing = join(local, 'changing');
  fs.writeFileSync(changing, content);
  const args = ['put', ...login, changing, daemon.at('alice', 'target4')];
  const transfer = await startTransfer(t, args, () => partialBytes(daemon) > 9 * MiB);
  await transfer.kill();
  fs.appendFileSync(changing, 'more');
  const again = await daemon.ftpctl(args);
  t.equal(again.code, 0, again.stderr);
  t.match(again.stderr, /the source has changed since the interruption: starting anew/);
  t.notMatch(again.stderr, RESUMING);
  t.ok(fs.readFileSync(join(daemon.home('alice'), 'target4')).equals(fs.readFileSync(changing)));
});

t.test('a source that changes while it is sent fails, and the old target stays', async (t) => {
  const changing = join(local, 'changing');
  const target = join(daemon.home('alice'), 'target4');
  const before = fs.statSync(target).ino;
  fs.writeFileSync(changing, content);
  const args = ['put', ...login, changing, daemon.at('alice', 'target4')];
  const transfer = await startTransfer(t, args, () => partialBytes(daemon) > 9 * MiB);
  fs.appendFileSync(changing, 'more');
  t.equal((await transfer.exited).code, 1);
  t.match(transfer.output, /^ftpctl: .*changing changed while it was sent: put it again$/m);
  t.equal(fs.statSync(target).ino, before);
  fs.rmSync(changing);
});

t.test('a resume does without the journal, too', async (t) => {
  const args = ['put', ...login, source, daemon.at('alice', 'target5')];
  const transfer = await startTransfer(t, args, () => partialBytes(daemon) > 9 * MiB);
  await transfer.kill();
  fs.rmSync(join(daemon.directory, 'client-state'), { recursive: true });
  const again = await daemon.ftpctl(args);
  t.equal(again.code, 0, again.stderr);
  t.match(again.stderr, RESUMING);
  t.match(again.stderr, /reading again what was sent before/);
  t.match(again.stdout, digest);
});

t.test('a get whose server is killed goes on', async (t) => {
  const directory = temporaryDirectory(t);
  const part = join(directory, '.copy.ftpmount-part');
  const args = ['get', '--retry', '0', ...login, daemon.at('alice', 'target'), join(directory, 'copy')];
  const transfer = await startTransfer(
    t,
    args,
    () => bytesOf(part) > 9 * MiB && bytesOf(`${part}.state`) > 0,
  );
  await daemon.kill();
  t.equal((await transfer.exited).code, 3);
  t.match(
    transfer.output,
    new RegExp(String.raw`^ftpctl: .*: to resume: ftpctl ${args[0]} --retry 0 .*${args.at(-1)}$`, 'm'),
  );
  await daemon.start();
  const again = await daemon.ftpctl(args);
  t.equal(again.code, 0, again.stderr);
  t.match(again.stderr, RESUMING);
  t.match(again.stdout, digest);
  t.strictSame(fs.readdirSync(directory), ['copy']);
});

t.test('a get that is killed goes on with what arrived, and anew if the file changed', async (t) => {
  const directory = temporaryDirectory(t);
  const target = join(directory, 'copy');
  const part = join(directory, '.copy.ftpmount-part');
  const args = ['get', ...login, daemon.at('alice', 'target'), target];
  fs.writeFileSync(target, 'the old file');
  const killed = await startTransfer(t, args, () => bytesOf(part) > 4 * MiB);
  await killed.kill();
  t.equal(fs.readFileSync(target, 'utf8'), 'the old file');
  const arrived = bytesOf(part);
  const again = await daemon.ftpctl([...args, '--json']);
  t.equal(again.code, 0, again.stderr);
  t.match(JSON.parse(again.stdout), { resumedAt: arrived, md5: digest });
  t.ok(fs.readFileSync(target).equals(content));
  t.strictSame(fs.readdirSync(directory), ['copy'], 'part and journal are gone');

  fs.writeFileSync(target, 'the old file');
  const second = await startTransfer(t, args, () => bytesOf(part) > 4 * MiB);
  await second.kill();
  const other = randomBytes(100_000);
  fs.writeFileSync(join(daemon.home('alice'), 'target'), other);
  const anew = await daemon.ftpctl(args);
  t.equal(anew.code, 0, anew.stderr);
  t.match(anew.stderr, /the file on the server has changed since the interruption: starting anew/);
  t.ok(fs.readFileSync(target).equals(other));
});
