/* What a transfer comes to, as it is told beforehand: that is what is copied then. */
import { linkSync, lstatSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { Expected } from '../../../ctl/output/display.js';
import { remoteArguments } from '../../../ctl/remote/place.js';
import { expectedOf, expectedThere } from '../../../ctl/transfer/expected.js';
import { parseRule } from '../../../ctl/transfer/filter.js';
import { Failure } from '../../../protocol/failure.js';
import type { Client } from '../../../protocol/session/client.js';
import { logIn } from '../../lib/accounts.js';
import { passwordOf, startDaemon } from '../../lib/daemon.js';
import { temporaryDirectory } from '../../lib/directory.js';
import { attributesOf, EvilServer, FILE, listing, ROOT } from '../../lib/evil-server.js';

t.setTimeout(90_000);

const tree = join(temporaryDirectory(t), 'tree');
mkdirSync(join(tree, 'sub'), { recursive: true });
writeFileSync(join(tree, 'a'), 'x'.repeat(1000));
writeFileSync(join(tree, 'sub/b'), 'x'.repeat(200));
linkSync(join(tree, 'a'), join(tree, 'sub/same'));

async function expected(flags: Parameters<typeof expectedOf>[1], ...names: string[]): Promise<Expected> {
  const { files, bytes } = await expectedOf(
    names.map((name) => Buffer.from(name)),
    { recursive: true, ...flags },
    new AbortController().signal,
  );
  return { files, bytes };
}

t.test('files and bytes of trees', async (t) => {
  t.strictSame(await expected({}, tree), { files: 3, bytes: 2200 });
  t.strictSame(await expected({ hardLinks: true }, tree), { files: 2, bytes: 1200 });
  t.strictSame(await expected({ filter: [parseRule('sub', true)] }, `${tree}/`), { files: 1, bytes: 1000 });
  t.strictSame(await expected({ recursive: false }, tree, join(tree, 'a')), { files: 1, bytes: 1000 });
});

t.test('what is gone is passed over', async (t) => {
  const gone = join(tree, 'gone');
  writeFileSync(gone, 'x');
  rmSync(gone);
  t.strictSame(await expected({}, gone, tree, join(tree, 'sub/b')), { files: 4, bytes: 2400 });
});

t.test('it ends when that is not wanted any more', async (t) => {
  const { files } = await expectedOf([Buffer.from(tree)], { recursive: true }, AbortSignal.abort());
  t.equal(files, 0);
});

/** Two trees alike, here and in a home, with links to what is in them. */
function makeTree(directory: string): void {
  mkdirSync(join(directory, 'tree/sub'), { recursive: true });
  writeFileSync(join(directory, 'tree/keep'), 'x'.repeat(1000));
  writeFileSync(join(directory, 'tree/skip'), 'x'.repeat(200));
  writeFileSync(join(directory, 'tree/sub/skip'), 'x'.repeat(30));
  symlinkSync('tree', join(directory, 'link'));
  symlinkSync('tree/keep', join(directory, 'file link'));
}

/** The files in a directory, at any depth, and their bytes. */
function filesIn(directory: string): Expected {
  const files = readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .map((name) => lstatSync(join(directory, name)))
    .filter((status) => status.isFile());
  return { files: files.length, bytes: files.reduce((bytes, { size }) => bytes + size, 0) };
}

interface Selected {
  readonly sources: readonly string[];
  readonly exclude?: string;
  readonly recursive?: false;
}

const SELECTED: readonly Selected[] = [
  { sources: ['tree/'], exclude: '/skip' },
  { sources: ['tree'], exclude: '/tree/skip' },
  { sources: ['tree/'], exclude: 'tree' },
  { sources: ['tree/'], exclude: 'sub/' },
  { sources: ['tree/keep', 'link'] },
  { sources: ['link/'], exclude: '/skip' },
  { sources: ['link/', 'file link'] },
  { sources: ['link', 'file link', 'tree/skip'], recursive: false },
];

t.test('what is told is what is copied', async (t) => {
  const daemon = await startDaemon(t, { users: { alice: { quota: '64M' } }, byPassword: true });
  const client = await logIn(t, { port: daemon.port, user: 'alice', password: passwordOf('alice') });
  const here = temporaryDirectory(t);
  const home = daemon.home('alice');
  makeTree(here);
  makeTree(home);
  for (const [index, { sources, exclude, recursive = true }] of SELECTED.entries()) {
    const flags = { recursive, filter: exclude === undefined ? [] : [parseRule(exclude, true)] };
    const rules = exclude === undefined ? [] : [`--exclude=${exclude}`];
    const options = [...(recursive ? ['-r'] : []), ...rules, ...daemon.login('alice')];
    const { signal } = new AbortController();
    const text = [...sources, ...rules].join(', ');

    const there = sources.map((source) => daemon.at('alice', source));
    const got = temporaryDirectory(t);
    await daemon.ftpctl(['get', ...options, ...there, got]);
    const { files, bytes } = await expectedThere(client, remoteArguments(there).places, flags, signal);
    t.not(bytes, 0, text);
    t.strictSame({ files, bytes }, filesIn(got), `get ${text}`);

    const put = `put ${index}`;
    mkdirSync(join(home, put));
    const local = sources.map((source) => join(here, source));
    await daemon.ftpctl(['put', ...options, ...local, daemon.at('alice', put)]);
    const told = await expectedOf(
      local.map((path) => Buffer.from(path)),
      flags,
      signal,
    );
    t.strictSame({ files: told.files, bytes: told.bytes }, filesIn(join(home, put)), `put ${text}`);
  }
});

/** A home whose listing has more pages than anybody asks for. */
async function endlessHome(t: Test, onPage: (count: number) => void) {
  let pages = 0;
  const file = (name: string): unknown => [Buffer.from(name), attributesOf(FILE), null];
  const closed: unknown[] = [];
  const server = await EvilServer.start(t, {
    list: () => listing(ROOT, [file('first')], 1),
    listNext: () => {
      pages += 1;
      onPage(pages);
      return [[file(`page ${pages}`)], pages < 100 ? 1 : null];
    },
    close: ({ params }) => {
      closed.push(params[0]);
      return null;
    },
  });
  const client: Client = await logIn(t, { port: server.port, user: 'alice', password: 'secret' });
  return { client, places: remoteArguments([server.at()]).places, pages: () => pages, closed };
}

t.test('a listing is left where the transfer ends', async (t) => {
  const ending = new AbortController();
  const { client, places, pages, closed } = await endlessHome(t, (count) => {
    if (count === 2) ending.abort();
  });
  const { files } = await expectedThere(client, places, { recursive: true }, ending.signal);
  t.equal(pages(), 2);
  t.strictSame(closed, [1]);
  t.equal(files, 2);
});

t.test('of a connection that is lost nothing is told', async (t) => {
  const { signal } = new AbortController();
  const { client, places } = await endlessHome(t, (count) => {
    if (count === 2) client.destroy(new Failure('ECONNRESET', 'the line breaks'));
  });
  await t.rejects(expectedThere(client, places, { recursive: true }, signal), {
    name: 'Failure',
    kind: 'ECONNRESET',
  });
});
