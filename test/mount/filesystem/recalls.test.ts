import t from 'tap';
import { failing } from '../../lib/failing.js';
import { ROOT_NODE, type HandleId, type NodeId } from '../../../protocol/ids.js';
import { MAX_LEASE_ITEMS, MAX_LEASED_UNITS } from '../../../protocol/limits.js';
import { LEASE_NONE, LEASE_READ, LEASE_WRITE, type LeaseItem } from '../../../protocol/methods.js';
import { attributesOf, DIRECTORY, ROOT_INO } from '../tree/planted.js';
import { failureOf } from '../remote/failure-of.js';
import { until } from '../remote/processes.js';
import { CALLER, ScriptedHome } from './scripted-home.js';

const O_RDWR = 2;
const MiB = 1024 * 1024;

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** How many recalls were answered. */
function returns({ requests }: { requests: readonly string[] }): number {
  return requests.filter((each) => each.startsWith('returned')).length;
}

/** Writes more than may be under way: the rest waits for answers. */
async function fillLog(home: ScriptedHome): Promise<{ node: NodeId; handle: HandleId }> {
  const node = await home.node('file');
  const { handle } = await home.filesystem.open(node, O_RDWR, CALLER);
  for (let at = 0; at < 16; at++) {
    await home.filesystem.write(node, handle, at * MiB, Buffer.alloc(MiB, at), false, CALLER);
  }
  return { node, handle };
}

t.test('a recall that waits for the log ends with the session', async (t) => {
  const home = await ScriptedHome.open(t);
  await home.own({ file: attributesOf(10) });
  const { connection } = home.server;
  connection.held = true;
  const { node, handle } = await fillLog(home);
  t.ok(home.state.log.unsent.operations > 0);
  connection.notifications.recall?.([[ROOT_INO, LEASE_NONE]]);
  connection.notifications.shutdown?.('the account was removed', false);
  t.equal(await failureOf(Promise.resolve(home.filesystem.fsync(node, handle, false, CALLER))), 'EACCES');
});

t.test('a recall is answered behind the log, by one who believes nothing any more', async (t) => {
  const home = await ScriptedHome.open(t);
  await home.own({ file: attributesOf(10) });
  const { connection } = home.server;
  home.answers.returned = () => null;
  await home.node('file');
  await home.filesystem.mkdir(ROOT_NODE, Buffer.from('new'), 0o700, CALLER);
  connection.notifications.recall?.([[ROOT_INO, LEASE_NONE]]);
  await until(() => connection.requests.some((each) => each.startsWith('returned')));
  const sent = connection.requests.map((each) => each.split(' ')[0]);
  t.ok(sent.indexOf('apply') !== -1 && sent.indexOf('apply') < sent.indexOf('returned'));
  t.same([...new Set(home.dropped)].toSorted(), ['1 -1', '1 0', '1/file', '1/new', '2 -1']);
  t.equal(home.state.leases.mode(ROOT_INO), LEASE_NONE);
});

t.test('a recall is answered when the server has not stopped within the log', async (t) => {
  const home = await ScriptedHome.open(t);
  await home.own({ file: attributesOf(10) });
  const { connection } = home.server;
  const node = await home.node('file');
  home.answers.returned = () => null;
  const all = home.answers.apply;
  // It has forgotten where the file is.
  home.answers.apply = ([first]) => {
    if (all !== undefined) home.answers.apply = all;
    return [Number(first) - 1, 0, 1e9, 1e6, [[first, ['ESTALE', 'not known'], []]]];
  };
  connection.held = true;
  await home.filesystem.setattr(node, undefined, { mode: 0o600 }, CALLER);
  connection.notifications.recall?.([[ROOT_INO, LEASE_NONE]]);
  await turn();
  await turn();
  t.equal(returns(connection), 0);
  connection.answer();
  await until(() => returns(connection) === 1);
  const applied = connection.requests.filter((each) => /^(apply|returned)/.test(each));
  t.same(
    applied.map((each) => each.split(' ')[0]),
    ['apply', 'apply', 'returned'],
  );
  t.equal(home.state.losses.count, 0);
});

t.test('a change that is asked for is made when the server has not stopped within the log', async (t) => {
  const home = await ScriptedHome.open(t);
  await home.own({ file: attributesOf(10) });
  const { connection } = home.server;
  const node = await home.node('file');
  home.answers.returned = () => null;
  home.answers.change = () => [attributesOf(10, undefined, { size: 0 })];
  const all = home.answers.apply;
  home.answers.apply = ([first]) => {
    if (all !== undefined) home.answers.apply = all;
    return [Number(first) - 1, 0, 1e9, 1e6, [[first, ['ESTALE', 'not known'], []]]];
  };
  connection.held = true;
  await home.filesystem.setattr(node, undefined, { size: 5 }, CALLER);
  connection.notifications.recall?.([[ROOT_INO, LEASE_NONE]]);
  const truncated = home.filesystem.setattr(node, undefined, { size: 0 }, CALLER);
  await turn();
  connection.answer();
  await truncated;
  const made = connection.requests.filter((each) => /^(apply|change)/.test(each));
  t.same(
    made.map((each) => each.split(' ')[0]),
    ['apply', 'apply', 'change'],
  );
});

t.test('what the server says is not held any more is dropped by the kernel, too', async (t) => {
  const home = await ScriptedHome.open(t);
  await home.own({ file: attributesOf(10) });
  await home.node('file');
  home.server.connection.notifications.lease?.([[ROOT_INO, LEASE_NONE]]);
  t.ok(home.dropped.includes(`${ROOT_NODE}/file`));
});

t.test('a file that has a second name again is not given back for the first time that it had', async (t) => {
  const FILE = 10n;
  const home = await ScriptedHome.open(t);
  const twice = attributesOf(FILE, undefined, { nlink: 2 });
  await home.own({ file: twice, second: twice });
  const { connection } = home.server;
  const node = await home.node('file');
  const given: unknown[] = [];
  home.answers.returned = ([items]) => {
    given.push(items);
    return null;
  };
  home.answers.getattr = () => attributesOf(FILE);
  let kernelActs: () => void = () => undefined;
  home.settled = new Promise((resolve) => (kernelActs = resolve));
  await home.filesystem.unlink(ROOT_NODE, Buffer.from('second'), CALLER);
  connection.notifications.recall?.([[FILE, LEASE_NONE]]);
  await turn();
  // It belongs to its directory now, which is held.
  await home.filesystem.getattr(node, undefined, CALLER);
  await home.filesystem.link(node, ROOT_NODE, Buffer.from('again'), CALLER);
  await home.filesystem.setattr(node, undefined, { mode: 0o600 }, CALLER);
  t.notOk(connection.requests.some((each) => each.startsWith('change')));
  kernelActs();
  await until(() => given.length === 1);
  t.same(given, [[]]);
  t.equal(home.state.leases.mode(FILE), LEASE_WRITE);
});

t.test(
  'a recall does not wait for the kernel, which waits for a write that waits for the server',
  async (t) => {
    const home = await ScriptedHome.open(t);
    await home.own({ file: attributesOf(10) });
    home.answers.returned = () => null;
    const node = await home.node('file');
    const { handle } = await home.filesystem.open(node, O_RDWR, CALLER);
    const { connection } = home.server;
    const returned = (): number => returns(connection);
    connection.notifications.recall?.([[ROOT_INO, LEASE_NONE]]);
    await until(() => returned() === 1);
    // From here on it is not certain in which directory the file is.
    connection.held = true;
    home.answers.change = () => [attributesOf(10, undefined, { size: 4 })];
    const written = home.filesystem.write(node, handle, 0, Buffer.from('data'), false, CALLER);
    await until(() => connection.requests.at(-1)?.startsWith('change') === true);
    home.settled = new Promise(() => undefined);
    connection.notifications.lease?.([[ROOT_INO, LEASE_READ]]);
    connection.notifications.recall?.([[ROOT_INO, LEASE_NONE]]);
    await turn();
    t.equal(returned(), 2, 'at once');
    connection.answer();
    t.equal(await written, 4);
  },
);

t.test(
  'the answer of a SETATTR, which the kernel takes in behind a recall, is not believed beside others',
  async (t) => {
    for (const [whole, validMs] of [
      [true, Infinity],
      [false, 0],
    ] as const) {
      const home = await ScriptedHome.open(t);
      await home.own({ file: attributesOf(10) }, whole);
      const node = await home.node('file');
      t.match(await home.filesystem.setattr(node, undefined, { mode: 0o600 }, CALLER), { validMs });
      t.match(await home.filesystem.getattr(node, undefined, CALLER), { validMs: Infinity });
    }
  },
);

t.test('nor are the attributes in the answers of what makes names', async (t) => {
  for (const [whole, validMs] of [
    [true, Infinity],
    [false, 0],
  ] as const) {
    const home = await ScriptedHome.open(t);
    await home.own({ file: attributesOf(10) }, whole);
    const { filesystem } = home;
    const linked = filesystem.link(await home.node('file'), ROOT_NODE, Buffer.from('second'), CALLER);
    const made = filesystem.mkdir(ROOT_NODE, Buffer.from('new'), 0o700, CALLER);
    const { entry } = await filesystem.create(ROOT_NODE, Buffer.from('created'), O_RDWR, 0o600, CALLER);
    const opened = await filesystem.create(ROOT_NODE, Buffer.from('created'), O_RDWR, 0o600, CALLER);
    for (const each of [await linked, await made, entry, opened.entry]) {
      t.match(each, { validMs, entryValidMs: Infinity });
      t.match(await filesystem.getattr(each.nodeId, undefined, CALLER), { validMs: Infinity });
    }
  }
});

t.test('but for the attributes, which it drops whatever is under way', async (t) => {
  const home = await ScriptedHome.open(t);
  await home.own({ file: attributesOf(10) });
  home.answers.returned = () => null;
  const node = await home.node('file');
  await home.filesystem.open(node, O_RDWR, CALLER);
  const { connection } = home.server;
  connection.notifications.lease?.([[ROOT_INO, LEASE_READ]]);
  connection.held = true;
  home.answers.change = () => [attributesOf(20, DIRECTORY), home.root];
  const made = home.filesystem.mkdir(ROOT_NODE, Buffer.from('new'), 0o700, CALLER);
  let attributesDropped: () => void = () => undefined;
  home.settled = new Promise(() => undefined);
  home.attributesSettled = new Promise((resolve) => (attributesDropped = resolve));
  home.dropped.length = 0;
  connection.notifications.recall?.([[ROOT_INO, LEASE_NONE]]);
  await turn();
  t.ok(home.dropped.includes(`${node} -1`), 'of an open file, too');
  t.equal(returns(connection), 0);
  attributesDropped();
  await until(() => returns(connection) === 1);
  connection.answer();
  await made;
});

t.test(
  'a recall waits for a kernel that gets on, however slowly, and not for one that does not',
  async (t) => {
    const home = await ScriptedHome.open(t);
    await home.own();
    home.answers.returned = () => null;
    const { connection } = home.server;
    let kernelActs: () => void = () => undefined;
    home.settled = new Promise((resolve) => (kernelActs = resolve));
    let looked = 0;
    const inTime = new Promise<void>((resolve) => {
      // Each time it is looked at, the kernel has acted on something.
      home.whenLooked = () => {
        looked += 1;
        if (looked === 4) resolve();
        return looked;
      };
    });
    connection.notifications.recall?.([[77n, LEASE_NONE]]);
    await inTime;
    t.equal(returns(connection), 0);
    kernelActs();
    await until(() => returns(connection) === 1);

    home.settled = new Promise(() => undefined);
    home.whenLooked = () => 0;
    connection.notifications.recall?.([[78n, LEASE_NONE]]);
    await until(() => returns(connection) === 2);
  },
);

t.test(
  'nor does one of another unit, which the kernel drops only after what it was told before',
  async (t) => {
    const home = await ScriptedHome.open(t);
    await home.own();
    home.answers.returned = () => null;
    const { connection } = home.server;
    const other = 77n;
    home.settled = new Promise(() => undefined);
    connection.notifications.recall?.([[other, LEASE_NONE]]);
    await turn();
    t.equal(returns(connection), 0, 'it waits for the kernel while nothing stands in its way');
    connection.held = true;
    home.answers.change = () => [attributesOf(20, DIRECTORY), home.root];
    connection.notifications.recall?.([[ROOT_INO, LEASE_NONE]]);
    const made = home.filesystem.mkdir(ROOT_NODE, Buffer.from('new'), 0o700, CALLER);
    await turn();
    t.equal(returns(connection), 1, 'at once');
    connection.notifications.recall?.([[other + 1n, LEASE_NONE]]);
    await turn();
    t.equal(returns(connection), 2);
    connection.answer();
    await made;
  },
);

t.test(
  'tens of thousands of units that are recalled at once are given back, a message at a time',
  async (t) => {
    const home = await ScriptedHome.open(t);
    await home.own({ file: attributesOf(10) });
    const given: number[] = [];
    home.answers.returned = ([items]) => {
      given.push((items as unknown[]).length);
      return null;
    };
    const { connection } = home.server;
    let kernelActs: () => void = () => undefined;
    home.settled = new Promise((resolve) => (kernelActs = resolve));
    const messages = 32;
    for (let message = 0; message < messages; message++) {
      const first = 1_000 + message * MAX_LEASE_ITEMS;
      connection.notifications.recall?.(
        Array.from({ length: MAX_LEASE_ITEMS }, (_, at) => [BigInt(first + at), LEASE_NONE]),
      );
    }
    kernelActs();
    await until(() => given.length === messages);
    t.ok(given.every((items) => items === MAX_LEASE_ITEMS));
    t.equal(home.state.leases.mode(1_000n), LEASE_NONE);
  },
);

for (const stuck of ['the kernel', 'the log'] as const) {
  t.test(`a server that recalls without end while ${stuck} is stuck breaks the protocol`, async (t) => {
    const home = await ScriptedHome.open(t);
    await home.own({ file: attributesOf(10) });
    home.answers.returned = () => null;
    const { connection } = home.server;
    home.settled = new Promise(() => undefined);
    if (stuck === 'the log') {
      connection.held = true;
      await fillLog(home);
      t.ok(home.state.log.unsent.operations > 0);
    }
    const items: LeaseItem[] = Array.from({ length: MAX_LEASE_ITEMS }, (_, at) => [
      BigInt(1_000 + at),
      LEASE_NONE,
    ]);
    let units = 0;
    t.throws(() => {
      for (; units < 4 * MAX_LEASED_UNITS; units += items.length)
        connection.notifications.recall?.([...items]);
    }, failing('PROTOCOL'));
    t.ok(units >= MAX_LEASED_UNITS, 'as many as protocol.md says');
  });
}

t.test(
  'a recall does not wait for what was done under lost leases, which may wait for others itself',
  async (t) => {
    const home = await ScriptedHome.open(t);
    await home.own();
    const { server } = home;
    server.connection.held = true;
    await home.filesystem.mkdir(ROOT_NODE, Buffer.from('new'), 0o700, CALLER);
    server.resumes = false;
    server.holding = true;
    const former = server.connection;
    former.break();
    await until(() => server.connection !== former);
    const { connection } = server;
    await until(() => connection.requests.some((each) => each.startsWith('change')));
    connection.notifications.lease?.([[77n, LEASE_READ]]);
    connection.notifications.recall?.([[77n, LEASE_NONE]]);
    await until(() => returns(connection) === 1);
    t.equal(home.state.leases.mode(77n), LEASE_NONE);
  },
);

t.test(
  'nothing is given back of before to a server that was restarted, and is told the log again',
  async (t) => {
    const home = await ScriptedHome.open(t);
    await home.own();
    home.answers.returned = () => null;
    const { server } = home;
    let kernelActs: () => void = () => undefined;
    home.settled = new Promise((resolve) => (kernelActs = resolve));
    server.connection.notifications.recall?.([[77n, LEASE_NONE]]);
    server.connection.held = true;
    await home.filesystem.mkdir(ROOT_NODE, Buffer.from('new'), 0o700, CALLER);
    server.covers = true;
    server.holding = true;
    const former = server.connection;
    server.restart();
    await until(() => server.connection !== former);
    const { connection } = server;
    await until(() => connection.requests.some((each) => each.startsWith('apply')));
    kernelActs();
    await turn();
    await turn();
    t.equal(returns(connection), 0);
    connection.answer();
    await until(() => returns(connection) > 0);
  },
);
