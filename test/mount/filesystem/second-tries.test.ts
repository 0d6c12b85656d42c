/* A file that is replaced by rename while it is being opened: open(2) tries again and never fails, as on a disk. */
import t from 'tap';
import { ROOT_NODE, type NodeId } from '../../../protocol/ids.js';
import type { Caller } from '../../../mount/filesystem/operations.js';
import { CALLER, failureOf, MountedHome } from './mounted-home.js';

const O_RDONLY = 0;
const name = (text: string): Buffer => Buffer.from(text);
const OTHER: Caller = { ...CALLER, pid: CALLER.pid + 1 };

/** Replaces the file behind the daemon's back: nobody is told, as where the notice is still under way. */
function replace(m: MountedHome, path: string, content: string): void {
  m.home.root.children.delete(path);
  m.home.plant({ [path]: content });
}

async function lookup(m: MountedHome, path: string, caller: Caller = CALLER): Promise<NodeId> {
  const { nodeId } = await m.fs.lookup(ROOT_NODE, name(path), caller);
  if (nodeId === undefined) throw new Error(`${path} is not there`);
  return nodeId;
}

/** What open(2) does: looks up, opens, and where that says ESTALE once more. `between` runs between the two steps. */
async function open(m: MountedHome, path: string, between: () => void): Promise<string> {
  for (let triesLeft = 2; ;) {
    const nodeId = await lookup(m, path);
    between();
    try {
      const { handle } = await m.fs.open(nodeId, O_RDONLY, CALLER);
      const data = await m.read(nodeId, handle);
      await m.fs.release(nodeId, handle);
      return data.toString();
    } catch (failure) {
      if (--triesLeft === 0) throw failure;
      m.fs.forget(nodeId, 1n);
    }
  }
}

t.test('a file that is replaced between every lookup and open is opened nevertheless', async (t) => {
  const m = await MountedHome.mount(t);
  m.home.plant({ file: 'version 0' });
  let version = 0;
  const content = await open(m, 'file', () => replace(m, 'file', `version ${++version}`));
  t.equal(content, 'version 1', 'the one that the second lookup found');
  t.equal(version, 2);
});

t.test('its attributes are there too, and are those of the file that will be read', async (t) => {
  const m = await MountedHome.mount(t);
  m.home.plant({ file: 'one' });
  const first = await lookup(m, 'file');
  replace(m, 'file', 'three');
  t.equal(await failureOf(() => m.fs.open(first, O_RDONLY, CALLER)), 'ESTALE');
  const second = await lookup(m, 'file');
  replace(m, 'file', 'four');
  m.age(10_000);
  t.equal((await m.stat(second)).size, 5);
  const { handle } = await m.fs.open(second, O_RDONLY, CALLER);
  t.equal((await m.read(second, handle)).toString(), 'three');
});

t.test(
  'an open that is answered before the rename reads the old file, one after it the new one',
  async (t) => {
    const m = await MountedHome.mount(t);
    m.home.plant({ file: 'old', new: 'new' });
    await m.content('file');
    const nodeId = await lookup(m, 'file');
    m.session.held = true;
    const early = await m.fs.open(nodeId, O_RDONLY, CALLER);
    const renaming = m.fs.rename(ROOT_NODE, name('new'), ROOT_NODE, name('file'), 0, CALLER);
    const late = failureOf(() => m.fs.open(nodeId, O_RDONLY, CALLER));
    m.session.deliver();
    await renaming;
    t.equal((await m.read(nodeId, early.handle)).toString(), 'old');
    t.equal(await late, 'ESTALE', 'not in read(2)');
    t.equal(await m.content('file'), 'new');
  },
);

t.test('an open file that another session removed still has attributes', async (t) => {
  const m = await MountedHome.mount(t);
  m.home.plant({ file: 'content' });
  await m.content('file');
  const nodeId = await lookup(m, 'file');
  await m.fs.open(nodeId, O_RDONLY, CALLER);
  m.home.root.children.delete('file');
  m.age(10_000);
  const { size, nlink } = await m.stat(nodeId);
  t.same([size, nlink], [7, 0]);
});

t.test('only who failed opens along, and nothing stays open', async (t) => {
  const m = await MountedHome.mount(t);
  m.home.plant({ file: 'one', 'd/': '' });
  const first = await lookup(m, 'file');
  replace(m, 'file', 'two');
  t.equal(await failureOf(() => m.fs.open(first, O_RDONLY, CALLER)), 'ESTALE');
  t.notOk((await m.requestsOf(() => lookup(m, 'file', OTHER))).includes('open'));
  await lookup(m, 'd');
  m.age(10_000);
  t.same(await m.requestsOf(() => lookup(m, 'file')), ['open'], 'after the directories on the way');
  const again = await lookup(m, 'file');
  m.fs.forget(again, 100n);
  t.equal(m.session.openHandles, 0);
});

t.test('a second try that finds no file', async (t) => {
  const m = await MountedHome.mount(t);
  m.home.plant({ file: 'one' });
  const first = await lookup(m, 'file');
  replace(m, 'file', 'two');
  t.equal(await failureOf(() => m.fs.open(first, O_RDONLY, CALLER)), 'ESTALE');
  m.home.root.children.delete('file');
  t.notOk(await m.exists('file'));
  m.home.plant({ 'file/': '' });
  m.age(10_000);
  t.ok(await m.exists('file'));
});
