import t from 'tap';
import { LEASE_NONE, LEASE_READ, WHOLE_HOME } from '../../../protocol/methods.js';
import { attributesOf, REGULAR, ROOT_INO } from '../tree/planted.js';
import { until } from '../remote/processes.js';
import { CALLER, ScriptedHome } from './scripted-home.js';

const OLD = 4096;
const NEW = 5000;

/** The answer of `fetch`: files as they were. */
function asOfOld([refs]: readonly unknown[]): unknown {
  return (refs as bigint[][]).map(([ino]) => [
    attributesOf(ino ?? 0n, REGULAR, { size: OLD }),
    Buffer.alloc(OLD),
  ]);
}

/** Opens a file by its name, and reads it. */
function readerOf(home: ScriptedHome): (name: string) => Promise<void> {
  return async (name) => {
    const node = await home.node(name);
    const { handle } = await home.filesystem.open(node, 0, CALLER);
    await home.filesystem.read(node, handle, 0, OLD, () => undefined, CALLER);
  };
}

t.test('what was fetched ahead before a recall tells nothing after it', async (t) => {
  const names = ['a', 'b', 'c', 'd'];
  const files = names.map((name, at) => [name, attributesOf(10 + at, REGULAR, { size: OLD })] as const);
  const home = await ScriptedHome.open(t);
  await home.own(Object.fromEntries(files));
  const { connection } = home.server;
  home.answers.read = () => Buffer.alloc(OLD);
  home.answers.hold = () => attributesOf(10, REGULAR, { size: OLD });
  home.answers.returned = () => null;
  home.answers.getattr = ([file]) => attributesOf((file as bigint[])[0] ?? 0n, REGULAR, { size: NEW });
  home.answers.fetch = asOfOld;
  const read = readerOf(home);
  const last = await home.node('d');
  await read('a');
  connection.held = true;
  const reading = read('b');
  await until(() => connection.requests.some((each) => each.startsWith('fetch')));
  connection.notifications.recall?.([[ROOT_INO, LEASE_NONE]]);
  await until(() => connection.requests.some((each) => each.startsWith('returned')));
  connection.notifications.lease?.([[ROOT_INO, LEASE_READ]]);
  // Only what is asked from now on is answered: the server is still reading.
  await new Promise((resolve) => setImmediate(resolve));
  connection.held = false;
  home.answers.lookup = () => [attributesOf(13, REGULAR, { size: NEW }), null];
  t.equal(await home.node('d'), last);
  connection.answer();
  await reading;
  const { attributes } = await home.filesystem.getattr(last, undefined, CALLER);
  t.equal(attributes.size, NEW);
});

for (const how of ['in the log', 'by a change that is awaited'] as const) {
  t.test(`what is fetched ahead does not undo what was done to the file meanwhile, ${how}`, async (t) => {
    const names = ['a', 'b', 'c', 'd'];
    const files = names.map((name, at) => [name, attributesOf(10 + at, REGULAR, { size: OLD })] as const);
    const home = await ScriptedHome.open(t);
    await home.own(Object.fromEntries(files));
    const { connection } = home.server;
    if (how !== 'in the log') connection.notifications.lease?.([[WHOLE_HOME, LEASE_READ]]);
    home.answers.read = () => Buffer.alloc(OLD);
    const changed = {
      ...attributesOf(13, REGULAR, { size: OLD }),
      mode: 0o100600,
      ctime: { sec: 9, nsec: 0 },
    };
    home.answers.change = () => [changed];
    home.answers.fetch = asOfOld;
    const read = readerOf(home);
    const last = await home.node('d');
    await read('a');
    connection.held = true;
    const reading = read('b');
    await until(() => connection.requests.some((each) => each.startsWith('fetch')));
    // Only what is asked from now on is answered: the server is still reading.
    await new Promise((resolve) => setImmediate(resolve));
    connection.held = false;
    await home.filesystem.setattr(last, undefined, { mode: 0o600 }, CALLER);
    await until(() => home.state.log.unapplied.operations === 0);
    t.equal(
      connection.requests.some((each) => each.startsWith('change')),
      how !== 'in the log',
    );
    connection.answer();
    await reading;
    const { attributes, validMs } = await home.filesystem.getattr(last, undefined, CALLER);
    t.equal(attributes.mode, 0o100600);
    t.equal(validMs, Infinity, 'it is known without asking');
  });
}

t.test(
  'what is read ahead of a program is cancelled when it closes the file, or the file changes',
  async (t) => {
    const size = 8 * 1024 * 1024;
    const block = 128 * 1024;
    for (const end of ['close', 'truncate', 'seek'] as const) {
      const home = await ScriptedHome.open(t);
      await home.own({ a: attributesOf(10, REGULAR, { size }) });
      home.answers.read = ([, , length]) => Buffer.alloc(Number(length));
      const { filesystem, server } = home;
      const node = await home.node('a');
      const { handle } = await filesystem.open(node, 0, CALLER);
      const read = async (offset: number): Promise<void> =>
        filesystem.read(node, handle, offset, block, () => undefined, CALLER);
      const { connection } = server;
      connection.held = true;
      const reading = [read(0)];
      const reads = connection.requests.filter((each) => each.startsWith('read'));
      t.ok(reads.length > 1, 'more than that');
      t.same(connection.cancelled, []);
      if (end === 'close') await filesystem.release(node, handle);
      if (end === 'truncate') await filesystem.setattr(node, handle, { size: size / 2 }, CALLER);
      if (end === 'seek') reading.push(read(size - block));
      t.ok(connection.cancelled.length > 0, end);
      connection.answer();
      await Promise.all(reading);
    }
  },
);
