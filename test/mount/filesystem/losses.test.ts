import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Failure } from '../../../protocol/failure.js';
import { ROOT_NODE, type NodeId } from '../../../protocol/ids.js';
import { WRITE } from '../../../protocol/operations.js';
import { KernelView } from '../../../mount/filesystem/kernel-view.js';
import { Losses, tellLoss } from '../../../mount/filesystem/losses.js';
import { LostData } from '../../../mount/filesystem/lost-data.js';
import { WriteEntry } from '../../../mount/log/write-entry.js';
import { temporaryDirectory } from '../../lib/directory.js';
import type { Scope } from '../../lib/scope.js';
import { NOTHING } from '../log/operations.js';
import { failureOf } from '../remote/failure-of.js';
import { until } from '../remote/processes.js';
import { attributesOf, makeFile, newId, NOW, outcomeOf, plant, REGULAR } from '../tree/planted.js';
import { CALLER, ScriptedHome } from './scripted-home.js';

const O_RDONLY = 0;
const O_RDWR = 2;
const DISK_FULL = new Failure('ENOSPC', 'the disk is full');

t.test('a loss is told by the file that the log still calls by a former id', async (t) => {
  const { tree, root } = plant({ whole: true });
  const quiet = (): void => undefined;
  const kernel = new KernelView({
    tree,
    caches: {
      invalidateNode: quiet,
      invalidateEntry: quiet,
      prune: quiet,
      settled: () => Promise.resolve(),
      acted: 0,
      mapsDirect: true,
    },
    ownership: { uid: 0, gid: 0 },
  });
  const kept: string[] = [];
  const file = makeFile(tree, root, 'f');
  const former = file.id;
  const losses = new Losses({
    ...{ tree, kernel, lostData: new LostData(join(temporaryDirectory(t), 'lost')) },
    log: { error: (details) => kept.push((details as { kept: string }).kept) },
    currentId: (id) => (id.ino === former.ino ? file.id : id),
  });
  const entry = new WriteEntry(former, 0, Buffer.from('words'), NOW, NOTHING, 0);
  tree.identified(file, newId());

  losses.failed(entry, DISK_FULL);
  t.equal(
    outcomeOf(() => tellLoss({ inode: file, told: undefined })),
    'ENOSPC',
  );
  t.equal(readFileSync(kept[0] ?? '', 'latin1'), 'words');
  t.match(kept[0], /f$/, 'under its name');
});

/** What an open file tells; 'no failure' is what a program hopes for. */
interface Open {
  /** `fromCache`: the kernel writes a page back, with whatever handle it finds. */
  write(fromCache?: boolean): Promise<string>;
  fsync(): Promise<string>;
  /** close(2) of one of its descriptors. */
  flush(): Promise<string>;
  /** The last one is closed. */
  release(): void;
}

/** A home whose server can carry nothing out, and one file in it. */
class BrokenServer {
  readonly home: ScriptedHome;

  private constructor(home: ScriptedHome) {
    this.home = home;
  }

  static async start(scope: Scope): Promise<BrokenServer> {
    const home = await ScriptedHome.open(scope, {
      apply: ([first, operations]) => {
        const numbers = (operations as unknown[]).map((_, at) => Number(first) + at);
        const applied = numbers.at(-1);
        return [applied, applied, 1e9, 1e6, numbers.map((number) => [number, ['EIO', 'broken'], []])];
      },
      sync: ([number]) => number,
    });
    return new BrokenServer(home);
  }

  async open(flags = O_RDWR): Promise<Open> {
    const { filesystem } = this.home;
    const node = await this.believed();
    const { handle } = await filesystem.open(node, flags, CALLER);
    const data = Buffer.from('words');
    return {
      write: (fromCache = false) =>
        failureOf(async () => filesystem.write(node, handle, 0, data, fromCache, CALLER)),
      fsync: () => failureOf(async () => filesystem.fsync(node, handle, false, CALLER)),
      flush: () => failureOf(async () => filesystem.flush(node, handle, undefined, CALLER)),
      release: () => void filesystem.release(node, handle),
    };
  }

  /** What is written there is lost, and that is known here. */
  async lose(file: Open): Promise<void> {
    const { count } = this.home.state.losses;
    await this.believed();
    await file.write();
    await until(() => this.home.state.losses.count > count);
  }

  /** The file, which is believed. */
  async believed(): Promise<NodeId> {
    await this.home.own({ file: attributesOf(40, REGULAR) });
    return this.home.node('file');
  }
}

t.test('each close tells a loss, until a write or fsync did', async (t) => {
  const server = await BrokenServer.start(t);
  const file = await server.open();
  for (const next of ['write', 'fsync'] as const) {
    await server.lose(file);
    t.equal(await file.flush(), 'EIO', 'of a program that was started with it, and is told in vain');
    t.equal(await file.flush(), 'EIO', 'again');
    t.equal(await file[next](), 'EIO', next);
    t.equal(await file.fsync(), 'no failure', 'it was told');
    t.equal(await file.flush(), 'no failure');
  }
});

t.test('each that has a file open is told of a loss once, as the kernel does', async (t) => {
  const server = await BrokenServer.start(t);
  const [writer, other, reader] = [await server.open(), await server.open(), await server.open(O_RDONLY)];
  await server.lose(writer);
  for (const file of [writer, other, reader]) {
    t.equal(await file.fsync(), 'EIO');
    t.equal(await file.fsync(), 'no failure');
  }
  const later = await server.open();
  t.equal(await later.fsync(), 'no failure', 'one that is opened when somebody was told is not');
  await server.lose(later);
  t.equal(await writer.fsync(), 'EIO', 'another loss');
  t.equal(await later.flush(), 'EIO');
});

t.test('what close has told, the next one that opens the file is not told', async (t) => {
  const server = await BrokenServer.start(t);
  const file = await server.open();
  await server.lose(file);
  t.equal(await file.flush(), 'EIO');
  const meanwhile = await server.open();
  file.release();
  t.equal(await (await server.open()).fsync(), 'no failure');
  t.equal(await meanwhile.fsync(), 'EIO', 'one that was open before is');
});

t.test('what nobody was told is told the next one that opens the file', async (t) => {
  const server = await BrokenServer.start(t);
  const file = await server.open();
  await server.believed();
  t.equal(await file.write(), 'no failure');
  t.equal(await file.flush(), 'no failure', 'it is not known yet');
  file.release();
  await until(() => server.home.state.losses.count > 0);
  t.equal(await (await server.open()).fsync(), 'EIO');
});

t.test(
  'a page that the kernel writes back is not refused for an earlier loss, and tells nobody',
  async (t) => {
    const server = await BrokenServer.start(t);
    const file = await server.open();
    await server.lose(file);
    await server.believed();
    t.equal(await file.write(true), 'no failure');
    t.equal(await file.fsync(), 'EIO');
  },
);

t.test('each that has a directory open is told, too', async (t) => {
  const { home } = await BrokenServer.start(t);
  const { filesystem } = home;
  await home.own();
  const handles = [await filesystem.opendir(ROOT_NODE, CALLER), await filesystem.opendir(ROOT_NODE, CALLER)];
  await filesystem.mkdir(ROOT_NODE, Buffer.from('new'), 0o700, CALLER);
  await until(() => home.state.losses.count > 0);
  for (const { handle } of handles) {
    const fsync = () => failureOf(async () => filesystem.fsyncdir(ROOT_NODE, handle, CALLER));
    t.same([await fsync(), await fsync()], ['EIO', 'no failure']);
  }
});

t.test('what is kept of a mount that ends without its server are the bytes written last', async (t) => {
  const home = await ScriptedHome.open(t);
  await home.own({ f: attributesOf(40, REGULAR), g: attributesOf(41, REGULAR) });
  const write = async (name: string, text: string): Promise<void> => {
    const node = await home.node(name);
    const { handle } = await home.filesystem.open(node, O_RDWR, CALLER);
    await home.filesystem.write(node, handle, 0, Buffer.from(text), false, CALLER);
  };
  home.server.connection.held = true;
  await write('f', 'old old old');
  await write('g', 'beside');
  await write('f', 'NEW');
  const { log, losses } = home.state;
  losses.abandoned(log.unappliedEntries());
  t.same(
    readdirSync(home.lost).map((name) => readFileSync(join(home.lost, name), 'latin1')),
    ['NEW old old', 'beside'],
  );
});

t.test(
  'a listing behind a loss does not tell for good how large a file is that is being written',
  async (t) => {
    const BLOCK = 1 << 20;
    const BLOCKS = 40;
    let size = 0;
    let lost = false;
    const f = attributesOf(40, REGULAR);
    const g = () => attributesOf(41, REGULAR, { size });
    const home = await ScriptedHome.open(t, {
      getattr: g,
      apply: ([first, operations]) => {
        const all = operations as [number, [number], unknown, number][];
        for (const [kind, [ino], , offset] of all) {
          if (kind === WRITE && Number(ino) === 41) size = Math.max(size, offset + BLOCK);
        }
        const outcomes = lost ? [] : [[Number(first), ['EIO', 'broken'], []]];
        lost = true;
        return [Number(first) + all.length - 1, 0, 1e9, 1e6, outcomes];
      },
    });
    await home.own({ f, g: g() });
    home.answers.list = () => [
      [home.root, [Buffer.from('f'), Buffer.from('g')].map((name, at) => [name, [f, g()][at], null]), null],
    ];
    const { filesystem, state } = home;
    const [one, other] = [await home.node('f'), await home.node('g')];
    const [first, second] = [
      await filesystem.open(one, O_RDWR, CALLER),
      await filesystem.open(other, O_RDWR, CALLER),
    ];
    await filesystem.write(one, first.handle, 0, Buffer.from('lost'), false, CALLER);
    const block = Buffer.alloc(BLOCK, 1);
    for (let at = 0; at < BLOCKS; at++) {
      await filesystem.write(other, second.handle, at * BLOCK, block, false, CALLER);
    }
    await until(() => state.losses.count > 0);
    await home.list();
    await until(() => state.log.unapplied.operations === 0);
    t.equal(size, BLOCKS * BLOCK);
    t.equal((await filesystem.getattr(other, undefined, CALLER)).attributes.size, size);
  },
);
