import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t from 'tap';
import { LEASE_READ, WHOLE_HOME } from '../../../protocol/methods.js';
import { ROOT_NODE, type NodeId } from '../../../protocol/ids.js';
import { attributesOf } from '../tree/planted.js';
import { failureOf } from '../remote/failure-of.js';
import { CALLER, letGo, ScriptedHome } from './scripted-home.js';

const O_RDONLY = 0;
const O_WRONLY = 1;
const O_RDWR = 2;
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

t.test('the kernel is spared the FLUSH of who only reads', async (t) => {
  const home = await ScriptedHome.open(t);
  await home.own({ file: FILE });
  const node = await home.node('file');
  for (const [flags, flushes] of [
    [O_RDONLY, false],
    [O_WRONLY, true],
    [O_RDWR, true],
  ] as const) {
    t.match(await home.filesystem.open(node, flags, CALLER), { flushes });
  }
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
