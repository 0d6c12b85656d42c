import t from 'tap';
import { HomeNumbers, homeOf, isOwn, MAX_HOMES } from '../../../mount/shares/home-numbers.js';
import { numberedCaches, NumberedHome } from '../../../mount/shares/numbered-home.js';
import { handleId, nodeId, ROOT_NODE } from '../../../protocol/ids.js';
import { recordingFilesystem } from '../fuse/recording-filesystem.js';
import { CALLER, found, MemoryHome } from './memory-home.js';

const TAG = 5n << 40n;
const NAME = Buffer.from('name');

t.test('numbers tell their home, and those of the own one are as they are', async (t) => {
  const [own, last] = [new HomeNumbers(0), new HomeNumbers(MAX_HOMES - 1)];
  t.equal(own.outerNode(nodeId(7)), 7);
  t.ok(isOwn(own.root));
  t.notOk(isOwn(last.root));
  t.equal(homeOf(last.root), MAX_HOMES - 1);
  t.equal(last.innerNode(last.outerNode(nodeId(12345))), 12345);
  t.equal(last.innerHandle(last.outerHandle(handleId(12345))), 12345);
  t.ok(
    Number.isSafeInteger(last.outerNode(nodeId(2 ** 41 - 1))),
    'the last number of the last home is exact',
  );
});

t.test('every operation has the numbers of the home inside, and answers with those outside', async (t) => {
  const inner = new MemoryHome();
  const numbers = new HomeNumbers(3);
  const home = new NumberedHome(inner, numbers, TAG);
  const made = await home.mkdir(home.root, NAME, 0o755, CALLER);
  t.equal(homeOf(made.nodeId), 3);
  const innerNode = numbers.innerNode(made.nodeId);
  t.equal(made.attributes.ino, BigInt(innerNode) ^ TAG);
  t.equal((await found(home.lookup(home.root, NAME, CALLER))).nodeId, made.nodeId);
  t.equal((await home.getattr(made.nodeId, undefined, CALLER)).attributes.ino, made.attributes.ino);
  const { entry, opened } = await home.create(made.nodeId, NAME, 0, 0o644, CALLER);
  t.equal(homeOf(opened.handle), 3);
  t.equal(await home.write(entry.nodeId, opened.handle, 0, Buffer.from('text'), false, CALLER), 4);
  let text = '';
  const reply = (pieces: readonly Buffer[]): void => void (text = Buffer.concat(pieces).toString());
  await home.read(entry.nodeId, opened.handle, 0, 10, reply, CALLER);
  t.equal(text, 'text');
  await home.rename(made.nodeId, NAME, home.root, Buffer.from('other'), 0, CALLER);
  const { handle } = await home.opendir(home.root, CALLER);
  const listed: [string, bigint, number | undefined][] = [];
  await home.readdir(
    home.root,
    handle,
    0n,
    true,
    ({ name, ino }, resolved) => {
      listed.push([name.toString(), ino, resolved?.nodeId]);
      return true;
    },
    CALLER,
  );
  t.strictSame(listed.slice(2), [
    ['name', made.attributes.ino, made.nodeId],
    ['other', entry.attributes.ino, entry.nodeId],
  ]);
  await home.releasedir(home.root, handle);
  await home.release(entry.nodeId, opened.handle);
  t.equal(inner.handles.size, 0);
  await home.destroy();
  t.ok(inner.destroyed);
});

t.test('what is called with nodes and handles alone gets them as the home has them', async (t) => {
  const { filesystem, calls } = recordingFilesystem({});
  const numbers = new HomeNumbers(2);
  const home = new NumberedHome(filesystem, numbers, TAG);
  const [node, other] = [numbers.outerNode(nodeId(11)), numbers.outerNode(nodeId(12))];
  const [handle, second] = [numbers.outerHandle(handleId(21)), numbers.outerHandle(handleId(22))];
  const lock = { owner: 1n, kind: 'posix', lock: {} } as never;
  void home.forget(node, 3n);
  void home.unlink(node, NAME, CALLER);
  void home.rmdir(node, NAME, CALLER);
  void home.rename(node, NAME, other, NAME, 0, CALLER);
  void home.clearSetId(node, CALLER);
  void home.readlink(node, CALLER);
  void home.access(node, 4, CALLER);
  void home.getxattr(node, NAME, CALLER);
  void home.listxattr(node, CALLER);
  void home.setxattr(node, NAME, NAME, 0, CALLER);
  void home.removexattr(node, NAME, CALLER);
  void home.allocate(node, handle, 0, 1, 2, CALLER);
  void home.copy(handle, 1, second, 2, 3, CALLER);
  void home.seek(node, handle, 0, 'data', CALLER);
  void home.flush(node, handle, 1n, CALLER);
  void home.fsync(node, handle, false, CALLER);
  void home.getlk(node, handle, lock, CALLER);
  void home.setlk(node, handle, lock, true, CALLER);
  void home.fsyncdir(node, handle, CALLER);
  void home.statfs(node, CALLER);
  for (const { operation, parameters } of calls) {
    const numbersIn = parameters.filter((value) => typeof value === 'number');
    t.ok(numbersIn.length > 0 && numbersIn.every((value) => value <= 22), operation);
  }
  t.strictSame(
    calls.find(({ operation }) => operation === 'copy')?.parameters.slice(0, 5),
    [21, 1, 22, 2, 3],
  );
  t.equal(calls.length, 20);
});

t.test('what a home has the kernel drop is called by the kernel’s numbers', async (t) => {
  const told: unknown[] = [];
  const settled = Promise.resolve();
  const caches = numberedCaches(
    {
      invalidateNode: (...what) => told.push(what),
      invalidateEntry: (...what) => told.push(what),
      prune: (nodes) => told.push(nodes),
      settled: () => settled,
      acted: 9,
      mapsDirect: true,
    },
    new HomeNumbers(1),
  );
  caches.invalidateNode(ROOT_NODE, 1, 2);
  caches.invalidateEntry(nodeId(5), NAME, true);
  caches.prune([nodeId(6), nodeId(7)]);
  const first = 2 ** 41;
  t.strictSame(told, [
    [first + 1, 1, 2],
    [first + 5, NAME, true],
    [first + 6, first + 7],
  ]);
  t.equal(caches.settled(), settled);
  t.equal(caches.acted, 9);
  t.equal(caches.mapsDirect, true);
});
