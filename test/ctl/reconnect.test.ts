/*
 * The line breaks while a tree or several files are moved: nothing of what was to be done is forgotten. A server that lies is
 * the way to break it in the moment that matters.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { operation, SETATTR } from '../../protocol/operations.js';
import { Failure } from '../../protocol/failure.js';
import {
  attributesOf,
  CONTENT,
  DIRECTORY,
  EvilServer,
  FILE,
  listing,
  pathOf,
  ROOT,
  SILENCE,
  type Lie,
} from '../lib/evil-server.js';
import { programs } from '../lib/programs.js';
import { Terminal } from '../lib/terminal.js';

t.setTimeout(90_000);

/** Breaks the line at the first call, and answers the others. */
function breaking(honest: Lie): { lie: Lie; calls: () => number } {
  let calls = 0;
  const lie: Lie = (question, channel) => {
    calls += 1;
    if (calls > 1) return honest(question, channel);
    channel.destroy(new Failure('ECONNRESET', 'the line breaks'));
    return SILENCE;
  };
  return { lie, calls: () => calls };
}

const MTIME = 1_600_000_000;

/** A file that looks as the server's does. */
function likeTheServers(server: EvilServer): void {
  writeFileSync(join(server.directory, 'plain'), CONTENT);
  utimesSync(join(server.directory, 'plain'), MTIME, MTIME);
}

/** A file whose mtime is MTIME and no nanoseconds. */
const PLAIN = attributesOf(FILE, 10).with(9, MTIME).with(10, 0);

void t.test('what is to be sent anew is, though it looks as what is there', async (t) => {
  const { lie, calls } = breaking(() => [null]);
  const server = await EvilServer.start(t, { getattr: () => PLAIN, uploadFiles: lie });
  likeTheServers(server);
  const put = await server.ftpctl(['put', '--json', '--no-resume'], ['plain', server.at('plain')]);
  t.equal(put.code, 0, put.stderr);
  t.equal(calls(), 2);
  t.match(JSON.parse(put.stdout), { path: 'plain', resumedAt: 0 });
});

void t.test('a file whose answer was lost is told', async (t) => {
  const { lie, calls } = breaking(() => [null]);
  const getattr: Lie = () => (calls() === 0 ? new Failure('ENOENT', 'no such file or directory') : PLAIN);
  const server = await EvilServer.start(t, { getattr, uploadFiles: lie });
  likeTheServers(server);
  const put = await server.ftpctl(['put', '--json'], ['plain', server.at('plain')]);
  t.equal(put.code, 0, put.stderr);
  t.match(JSON.parse(put.stdout), { path: 'plain', skipped: true });
});

void t.test('what is there already is told once', async (t) => {
  const { lie } = breaking(() => [null]);
  const getattr: Lie = ({ params }) => (String(params[0]) === 'plain' ? PLAIN : ROOT);
  const server = await EvilServer.start(t, { getattr, uploadFiles: lie });
  likeTheServers(server);
  writeFileSync(join(server.directory, 'other'), 'other');
  const put = await server.ftpctl(['put', '--json'], ['plain', 'other', server.at()]);
  t.equal(put.code, 0, put.stderr);
  t.strictSame(
    put.stdout
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { path: string }).path),
    ['plain', 'other'],
  );
});

void t.test('what was moved before is neither moved nor told again', async (t) => {
  const server = await startTwoFiles(t);
  const put = await server.ftpctl(['put', '--json', '--no-resume'], ['first', 'plain', server.at()]);
  t.equal(put.code, 0, put.stderr);
  t.strictSame(
    put.stdout
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { path: string }).path),
    ['first', 'plain'],
  );
});

/** `first` is taken, then the line breaks at `plain`, which is taken the next time. */
async function startTwoFiles(t: Test): Promise<EvilServer> {
  let looked = 0;
  const { lie } = breaking(() => ROOT);
  const server = await EvilServer.start(t, {
    getattr: (question, channel) => {
      if (String(question.params[0]) !== 'plain') return ROOT.with(2, DIRECTORY);
      looked += 1;
      return looked === 1 ? lie(question, channel) : new Failure('ENOENT', 'no such file or directory');
    },
    uploadFiles: ({ params }) => (params[0] as unknown[]).map(() => null),
  });
  likeTheServers(server);
  writeFileSync(join(server.directory, 'first'), 'first');
  return server;
}

void t.test('a directory that put made before gets its mode and time', async (t) => {
  const { lie, calls } = breaking(() => [null]);
  const set: unknown[] = [];
  const server = await EvilServer.start(t, {
    uploadFiles: lie,
    getattr: () => attributesOf(DIRECTORY, 20),
    list: () => listing(ROOT, []),
    change: ({ params }) => {
      const done = operation(params[1]);
      if (done.kind === SETATTR) set.push([done.mode, done.mtime]);
      else if (calls() > 0) return new Failure('EEXIST', 'there already');
      return [attributesOf(DIRECTORY, 20), ROOT];
    },
  });
  const made = join(server.directory, 'tree/made');
  mkdirSync(made, { recursive: true, mode: 0o750 });
  writeFileSync(join(made, 'file'), 'x');
  utimesSync(made, MTIME, MTIME);
  const put = await server.ftpctl(['put', '-r'], ['tree/', server.at()]);
  t.equal(put.code, 0, put.stderr);
  t.strictSame(set, [[0o750, { sec: MTIME, nsec: 0 }]]);
});

void t.test('a directory that get made before gets its mode and time', async (t) => {
  const { lie } = breaking(() => [[attributesOf(FILE, 11), CONTENT]]);
  const made = attributesOf(0o40705, 20).with(9, MTIME);
  const server = await EvilServer.start(t, {
    fetch: lie,
    getattr: () => ROOT.with(2, DIRECTORY),
    list: ({ params }) =>
      pathOf(params[0]) === 'made'
        ? listing(made, [[Buffer.from('file'), attributesOf(FILE, 11), null]])
        : listing(ROOT, [[Buffer.from('made'), made, null]]),
  });
  const get = await server.ftpctl(['get', '-r'], [`${server.at()}.`, 'copy']);
  t.equal(get.code, 0, get.stderr);
  const { mode, mtimeMs } = statSync(join(server.directory, 'copy/made'));
  t.strictSame([mode & 0o777, Math.floor(mtimeMs / 1000)], [0o705, MTIME]);
});

void t.test('what a get comes to is found out anew over the next connection', async (t) => {
  const content = Buffer.alloc(4 * 1024 * 1024);
  const file = attributesOf(FILE, 11, content.length).with(5, content.length / 512);
  const { lie } = breaking(() => listing(attributesOf(DIRECTORY, 20), [[Buffer.from('two'), file, null]]));
  const server = await EvilServer.start(t, {
    getattr: () => ROOT.with(2, DIRECTORY),
    list: (question, channel) => {
      if (pathOf(question.params[0]) === 'sub') return lie(question, channel);
      const sub = [Buffer.from('sub'), attributesOf(DIRECTORY, 20), null];
      return listing(ROOT, [[Buffer.from('one'), file, null], sub]);
    },
    download: () => [1, file],
    downloadRead: ({ params: [, offset, length] }) =>
      content.subarray(Number(offset), Number(offset) + Number(length)),
    digest: () => createHash('md5').update(content).digest(),
  });
  const get = ['get', '-r', '--limit=2M', ...server.login, `${server.at()}.`, join(server.directory, 'copy')];
  const terminal = new Terminal(t, [process.execPath, programs.ftpctl, ...get], server.env);
  await terminal.says(/[0-3]\.\dM of 8\.0M {2}.*ETA 0:\d\d/);
  t.equal((await terminal.exited).code, 0);
});
