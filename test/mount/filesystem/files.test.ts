import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { LEASE_NONE, LEASE_READ, WHOLE_HOME } from '../../../protocol/methods.js';
import t, { type Test } from 'tap';
import { Failure } from '../../../protocol/failure.js';
import { ROOT_NODE, type NodeId } from '../../../protocol/ids.js';
import { RELEASE } from '../../../protocol/operations.js';
import type { Eventually, OpenAnswer } from '../../../mount/operations.js';
import { attributesOf } from '../tree/planted.js';
import { failureOf } from '../remote/failure-of.js';
import { until } from '../remote/processes.js';
import { CALLER, letGo, ScriptedHome } from './scripted-home.js';

const O_RDONLY = 0;
const O_WRONLY = 1;
const O_RDWR = 2;
const O_TRUNC = 0o1000;
const WHOLE = Buffer.from('whole text');
const FILE = attributesOf(40, 0o100644, { size: WHOLE.length });

/** What a program gets that reads the file from its start. */
async function read({ filesystem }: ScriptedHome, node: NodeId): Promise<string> {
  const { handle } = await filesystem.open(node, O_RDWR, CALLER);
  const got: string[] = [];
  // The pieces are good until the call returns.
  const reply = (pieces: readonly Buffer[]): unknown => got.push(Buffer.concat(pieces).toString());
  await filesystem.read(node, handle, 0, WHOLE.length, reply, CALLER);
  await filesystem.release(node, handle);
  return got.join(' and ');
}

t.test('a short answer while the kernel was told of the file is asked for again', async (t) => {
  const home = await ScriptedHome.open(t);
  await home.own({ file: FILE });
  const node = await home.node('file');
  let asked = 0;
  home.answers.read = () => {
    asked += 1;
    if (asked > 2) return WHOLE;
    void home.filesystem.getattr(node, undefined, CALLER);
    return WHOLE.subarray(0, asked);
  };
  t.equal(await read(home, node), WHOLE.toString());
  t.equal(asked, 3);
});

t.test('a short answer is the end of the file where the kernel was told nothing', async (t) => {
  const home = await ScriptedHome.open(t);
  await home.own({ file: FILE });
  const node = await home.node('file');
  home.answers.read = () => WHOLE.subarray(0, 5);
  t.equal(await read(home, node), 'whole');
});

t.test('the kernel keeps pages of what only this mount may change', async (t) => {
  const home = await ScriptedHome.open(t);
  await home.own({ file: FILE });
  const leased = await home.node('file');
  t.match(await home.filesystem.open(leased, O_RDWR, CALLER), { keepCache: true, direct: false });
  const shared = await ScriptedHome.open(t);
  await shared.own({ file: FILE });
  shared.server.connection.notifications.lease?.([[WHOLE_HOME, LEASE_READ]]);
  const seen = await shared.filesystem.open(await shared.node('file'), O_RDWR, CALLER);
  t.match(seen, { direct: true }, 'what others may change');
  const other = await ScriptedHome.open(t);
  other.answers.lookup = () => [FILE, null];
  other.answers.hold = () => FILE;
  const node = await other.node('file');
  t.match(await other.filesystem.open(node, O_RDWR, CALLER), { keepCache: false, direct: true });
  other.answers.read = () => WHOLE;
  const { length } = other.dropped;
  t.equal(await read(other, node), WHOLE.toString());
  t.equal(other.dropped.length, length + 1, 'also pages that are mapped');
});

t.test('-o sync: who is let go while a file is made has nothing open, and is told of no inode', async (t) => {
  const home = await ScriptedHome.open(t, {}, { sync: true });
  await home.own();
  const made = await letGo(t, home, 'apply', (caller) =>
    home.filesystem.create(ROOT_NODE, Buffer.from('new'), O_RDWR, 0o600, caller),
  );
  t.equal(made, 'EINTR');
  const node = await home.node('new');
  home.filesystem.forget(node, 1n);
  const look = failureOf(async () => home.filesystem.getattr(node, undefined, CALLER));
  t.equal(await look, 'ESTALE', 'it was known once');
});

/** A home in which nothing is leased, with a file, and what became of it in `held`: held and released, in order. */
async function holding(t: Test): Promise<{ home: ScriptedHome; node: NodeId; held: string[] }> {
  const held: string[] = [];
  const home = await ScriptedHome.open(t, {
    lookup: () => [FILE, null],
    hold: () => {
      held.push('held');
      return FILE;
    },
    apply: ([first, operations]) => {
      for (const [kind] of operations as [number][]) held.push(kind === RELEASE ? 'released' : String(kind));
      return [Number(first) + (operations as unknown[]).length - 1, 0, 1e9, 1e6, []];
    },
  });
  return { home, node: await home.node('file'), held };
}

t.test('a file that nobody has open in the end is not held', async (t) => {
  await t.test('where who opens it is let go', async (t) => {
    const { home, node, held } = await holding(t);
    t.equal(await letGo(t, home, 'hold', (caller) => home.filesystem.open(node, O_RDWR, caller)), 'EINTR');
    await until(() => held.length > 1);
    t.same(held, ['held', 'released']);
  });
  await t.test('where it cannot be truncated', async (t) => {
    const { home, node, held } = await holding(t);
    home.answers.change = () => {
      throw new Failure('EDQUOT');
    };
    const opened = failureOf(async () => home.filesystem.open(node, O_RDWR | O_TRUNC, CALLER));
    t.equal(await opened, 'EDQUOT');
    await until(() => held.length > 1);
    t.same(held, ['held', 'released']);
  });
  await t.test('but it is as long as another opening is under way', async (t) => {
    const { home, node, held } = await holding(t);
    let other: Eventually<OpenAnswer> | undefined;
    await letGo(t, home, 'hold', (caller) => {
      other = home.filesystem.open(node, O_RDWR, CALLER);
      return home.filesystem.open(node, O_RDWR, caller);
    });
    const opened = await other;
    if (opened === undefined) throw new Error('nothing was opened');
    t.same(held, ['held', 'held']);
    await home.filesystem.release(node, opened.handle);
    await until(() => held.length > 2);
    t.same(held, ['held', 'held', 'released']);
  });
});

t.test('a file without a name is released in the end, also where who asked for it is let go', async (t) => {
  const nameless = attributesOf(41, 0o100600, { nlink: 0 });
  for (const isLetGo of [false, true]) {
    const { home, held } = await holding(t);
    home.answers.change = () => [nameless];
    const { filesystem } = home;
    if (isLetGo) {
      const made = letGo(t, home, 'change', (caller) => filesystem.tmpfile(ROOT_NODE, O_RDWR, 0o600, caller));
      t.equal(await made, 'EINTR');
    } else {
      const { entry, opened } = await filesystem.tmpfile(ROOT_NODE, O_RDWR, 0o600, CALLER);
      t.match(entry, { attributes: { nlink: 0, ino: 41n }, entryValidMs: 0 });
      t.same(held, []);
      await filesystem.release(entry.nodeId, opened.handle);
    }
    await until(() => held.length > 0);
    t.same(held, ['released']);
  }
});

t.test(
  'a file that lost its last name is held by who opens it once more, however well it is known',
  async (t) => {
    const held: string[] = [];
    const nameless = { ...FILE, nlink: 0 };
    const home = await ScriptedHome.open(t, {
      getattr: () => nameless,
      hold: () => {
        held.push('held');
        return nameless;
      },
    });
    await home.own({ file: nameless });
    const node = await home.node('file');
    await home.filesystem.open(node, O_RDONLY, CALLER);
    t.same(held, ['held']);
  },
);

t.test('of a write that the server has not room for all of it is told how much was written', async (t) => {
  const home = await ScriptedHome.open(t, {
    lookup: () => [FILE, null],
    hold: () => FILE,
    change: () => [{ ...FILE, size: 12 }],
  });
  const node = await home.node('file');
  const { handle } = await home.filesystem.open(node, O_RDWR, CALLER);
  const write = (offset: number, length: number) =>
    home.filesystem.write(node, handle, offset, Buffer.alloc(length), false, CALLER);
  t.equal(await write(10, 5), 2);
  t.equal(await write(3, 5), 5);
});

t.test('a page that is written back in part is told at the next fsync', async (t) => {
  const home = await ScriptedHome.open(t, {
    lookup: () => [FILE, null],
    hold: () => FILE,
    change: () => [{ ...FILE, size: 12 }],
    sync: ([number]) => number,
  });
  const node = await home.node('file');
  const { handle } = await home.filesystem.open(node, O_RDWR, CALLER);
  t.equal(await home.filesystem.write(node, handle, 10, Buffer.alloc(5), true, CALLER), 2);
  t.equal(await failureOf(() => home.filesystem.fsync(node, handle, false, CALLER)), 'EDQUOT');
});

t.test('a file that others replace between lookup and truncate is changed, and nobody sees it', async (t) => {
  const home = await ScriptedHome.open(t, {
    lookup: () => [FILE, null],
    hold: () => FILE,
    change: () => {
      throw new Failure('ESTALE');
    },
    getattr: () => FILE,
  });
  const node = await home.node('file');
  const truncate = (): Promise<string> =>
    failureOf(async () => home.filesystem.setattr(node, undefined, { size: 0 }, CALLER));
  t.equal(await truncate(), 'no failure');
  await home.filesystem.open(node, O_RDWR, CALLER);
  t.equal(await truncate(), 'ESTALE', 'who has it open would see that');
});

/** Bytes that are in use when the garbage is collected. */
function heapUsed(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed;
}

t.test('files that are made, closed and removed leave nothing in memory', async (t) => {
  const home = await ScriptedHome.open(t);
  await home.own();
  const { filesystem } = home;
  const makeAndRemove = async (name: Buffer): Promise<void> => {
    const { entry, opened } = await filesystem.create(ROOT_NODE, name, O_RDWR, 0o600, CALLER);
    await filesystem.release(entry.nodeId, opened.handle);
    await filesystem.unlink(ROOT_NODE, name, CALLER);
    filesystem.forget(entry.nodeId, 1n);
  };
  await makeAndRemove(Buffer.from('first'));
  const before = heapUsed();
  for (let i = 0; i < 10_000; i++) await makeAndRemove(Buffer.from(`name ${i}`));
  const grown = (heapUsed() - before) / 1024 / 1024;
  t.ok(grown < 4, `${grown} MiB`);
});

t.test('what was written here is not known any more when the server has changed it', async (t) => {
  for (const change of ['write', 'truncate'] as const) {
    const home = await ScriptedHome.open(t);
    await home.own({ file: FILE });
    const { filesystem, server } = home;
    const node = await home.node('file');
    const { handle } = await filesystem.open(node, O_RDWR, CALLER);
    await filesystem.write(node, handle, 0, Buffer.from('mine here!'), false, CALLER);
    // Another mount has read it: it is leased to both for reading.
    server.connection.notifications.recall?.([[WHOLE_HOME, LEASE_READ]]);
    home.answers.change = () => [FILE];
    home.answers.read = () => WHOLE;
    if (change === 'write') await filesystem.write(node, handle, 0, Buffer.from('more'), false, CALLER);
    else await filesystem.setattr(node, handle, { size: WHOLE.length }, CALLER);
    const got: string[] = [];
    const reply = (pieces: readonly Buffer[]): unknown => got.push(Buffer.concat(pieces).toString());
    await filesystem.read(node, handle, 0, WHOLE.length, reply, CALLER);
    t.same(got, [WHOLE.toString()], change);
  }
});

t.test('what is not believed any more when it was cut off is held before it is open', async (t) => {
  const home = await ScriptedHome.open(t);
  await home.own({ file: FILE });
  home.answers.returned = () => null;
  home.answers.hold = () => FILE;
  home.answers.change = () => [FILE];
  const node = await home.node('file');
  const { connection } = home.server;
  connection.notifications.lease?.([[WHOLE_HOME, LEASE_READ]]);
  connection.held = true;
  const opening = home.filesystem.open(node, O_WRONLY | O_TRUNC, CALLER);
  const asked = (): string[] => connection.requests.map((each) => each.split(' ')[0] ?? '');
  t.notOk(asked().includes('hold'));
  connection.notifications.recall?.([[WHOLE_HOME, LEASE_NONE]]);
  await until(() => asked().includes('returned'));
  connection.answer();
  await opening;
  t.ok(asked().includes('hold'));
});

t.test('a file that is opened again while its removal is awaited is held', async (t) => {
  const home = await ScriptedHome.open(t);
  await home.own({ file: FILE });
  const node = await home.node('file');
  const { handle } = await home.filesystem.open(node, O_RDWR, CALLER);
  home.state.leases.clear();
  home.answers.change = () => [{ ...FILE, nlink: 0 }, home.root];
  home.answers.hold = () => ({ ...FILE, nlink: 0 });
  const { connection } = home.server;
  connection.held = true;
  const removed = home.filesystem.unlink(ROOT_NODE, Buffer.from('file'), CALLER);
  await home.filesystem.release(node, handle);
  const opening = home.filesystem.open(node, O_RDWR, CALLER);
  connection.answer();
  await Promise.all([removed, opening]);
  const { log } = home.state;
  t.equal(log.undurable.operations, 0, 'it is not let go');
});

t.test('creat(2) of a name that others make and remove makes it, or opens it', async (t) => {
  const home = await ScriptedHome.open(t);
  home.answers.hold = () => FILE;
  let tries = 0;
  home.answers.change = () => {
    tries += 1;
    if (tries < 3) throw new Failure('EEXIST');
    return [FILE, home.root];
  };
  home.answers.lookup = () => {
    throw new Failure('ENOENT');
  };
  const name = Buffer.from('file');
  const { entry } = await home.filesystem.create(ROOT_NODE, name, O_RDWR, 0o600, CALLER);
  t.equal(entry.attributes.ino, FILE.ino);
  tries = -100;
  t.equal(
    await failureOf(async () => home.filesystem.create(ROOT_NODE, name, O_RDWR, 0o600, CALLER)),
    'ESTALE',
    'it ends',
  );
});

t.test('no more files are open than the server can hold when they are removed', async (t) => {
  const home = await ScriptedHome.open(t, {}, {}, { maxOpenFiles: 2 });
  const names = ['a', 'b', 'c'];
  await home.own(Object.fromEntries(names.map((name, at) => [name, attributesOf(60 + at, 0o100644)])));
  const { filesystem } = home;
  const nodes = await Promise.all(names.map((name) => home.node(name)));
  const open = async (at: number): Promise<OpenAnswer> =>
    filesystem.open(nodes[at] as NodeId, O_RDWR, CALLER);
  const first = await open(0);
  await open(1);
  await open(1);
  t.equal(await failureOf(() => open(2)), 'ENFILE');
  const make = async (): Promise<unknown> =>
    filesystem.create(ROOT_NODE, Buffer.from('new'), O_RDWR, 0o600, CALLER);
  t.equal(await failureOf(make), 'ENFILE');
  t.equal(
    await failureOf(async () => filesystem.lookup(ROOT_NODE, Buffer.from('new'), CALLER)),
    'no failure',
    'and nothing was made',
  );
  await filesystem.release(nodes[0] as NodeId, first.handle);
  t.ok(await open(2));
});

/** A home whose server has no room before the log is carried out, and 10 bytes then. */
async function nearlyFull(t: Test) {
  const home = await ScriptedHome.open(t);
  let room = 0;
  home.answers.grant = () => [0, 0, [], []];
  home.answers.apply = ([first, operations]) => {
    room = 10;
    return [Number(first) + (operations as unknown[]).length - 1, 0, room, 5, []];
  };
  home.answers.change = () => {
    if (room === 0) throw new Failure('EDQUOT');
    return [
      { ...FILE, size: 20 },
      { ...FILE, size: 20 },
    ];
  };
  await home.own({ file: FILE, gone: attributesOf(41, 0o100644, { size: 4 }) });
  const node = await home.node('file');
  const { handle } = await home.filesystem.open(node, O_RDWR, CALLER);
  return { home, node, handle };
}

t.test('what the server frees with the log is there for the write behind it', async (t) => {
  const { home, node, handle } = await nearlyFull(t);
  // Of what it had besides its data nothing is known here.
  await home.filesystem.unlink(ROOT_NODE, Buffer.from('gone'), CALLER);
  const write = async (length: number): Promise<number> =>
    home.filesystem.write(node, handle, WHOLE.length, Buffer.alloc(length), false, CALLER);
  t.equal(await write(10), 10);
});

t.test('what the server frees with the log is there for what is asked of it behind', async (t) => {
  const { home, node, handle } = await nearlyFull(t);
  await home.filesystem.unlink(ROOT_NODE, Buffer.from('gone'), CALLER);
  const allocate = async (): Promise<void> =>
    home.filesystem.allocate(node, handle, 0, WHOLE.length, 10, CALLER);
  t.equal(await failureOf(allocate), 'no failure');
  home.answers.change = () => {
    throw new Failure('EDQUOT');
  };
  t.equal(await failureOf(allocate), 'EDQUOT');
});
