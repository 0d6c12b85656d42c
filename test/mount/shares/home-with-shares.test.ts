import t from 'tap';
import { O_RDONLY, O_RDWR, O_TRUNC } from '../../../posix/flags.js';
import { ROOT_NODE, type NodeId } from '../../../protocol/ids.js';
import { homeOf, isOwn } from '../../../mount/shares/home-numbers.js';
import type { Filesystem } from '../../../mount/operations.js';
import { failureOf } from '../remote/failure-of.js';
import { CALLER, found } from './memory-home.js';
import { SeveralHomes, shareOf } from './several-homes.js';

const TEAM = Buffer.from('team');
const SHARED = Buffer.from('Shared');
const NAME = Buffer.from('name');

/** The kernel's number of a share's root. */
async function enter(homes: SeveralHomes): Promise<NodeId> {
  return (await found(homes.filesystem.lookup(homes.shared, TEAM, CALLER))).nodeId;
}

async function namesIn(filesystem: Filesystem, node: NodeId): Promise<[string, boolean][]> {
  const { handle } = await filesystem.opendir(node, CALLER);
  const names: [string, boolean][] = [];
  await filesystem.readdir(
    node,
    handle,
    2n,
    true,
    ({ name }, resolved) => {
      names.push([name.toString(), resolved !== undefined]);
      return true;
    },
    CALLER,
  );
  return names;
}

t.test('a name in Shared leads to the share, and its .. back', async (t) => {
  const homes = await SeveralHomes.make(shareOf('team'));
  const { filesystem, own, shared } = homes;
  const root = await enter(homes);
  t.notOk(isOwn(root));
  t.equal(own.lookups, 0, 'what is hidden is not held');
  t.equal(homes.entered.length, 1);
  t.equal(await enter(homes), root);
  t.equal((await found(filesystem.lookup(root, Buffer.from('..'), CALLER))).nodeId, shared);
  await filesystem.mkdir(root, NAME, 0o755, CALLER);
  t.ok(await found(homes.first.filesystem.lookup(ROOT_NODE, NAME)));
  t.equal((await filesystem.lookup(shared, NAME, CALLER)).nodeId, undefined);
  t.equal((await filesystem.lookup(ROOT_NODE, TEAM, CALLER)).nodeId, undefined, 'only there');
});

t.test('a share is not shown over a file, and is where its directory is missing', async (t) => {
  const homes = await SeveralHomes.make(shareOf('team'));
  const { own, shared, filesystem } = homes;
  own.rmdir(shared, TEAM);
  t.notOk(isOwn(await enter(homes)));
  const file = await own.plant(shared, 'team', 'file');
  t.equal((await found(filesystem.lookup(shared, TEAM, CALLER))).nodeId, file);
});

t.test('a listing tells of the places of shares, and not what is hidden there', async (t) => {
  const homes = await SeveralHomes.make(shareOf('team'));
  t.strictSame(await namesIn(homes.filesystem, homes.shared), [['team', false]]);
  t.strictSame(await namesIn(homes.filesystem, ROOT_NODE), [['Shared', true]]);
  t.equal(homes.entered.length, 0, 'nothing is entered for it');
});

t.test('between homes nothing is moved, linked or copied', async (t) => {
  const homes = await SeveralHomes.make(shareOf('team'));
  const { filesystem } = homes;
  const root = await enter(homes);
  const inOwn = await filesystem.create(ROOT_NODE, NAME, O_RDWR, 0o644, CALLER);
  const inShare = await filesystem.create(root, NAME, O_RDWR, 0o644, CALLER);
  t.not(homeOf(inOwn.opened.handle), homeOf(inShare.opened.handle));
  const other = Buffer.from('other');
  t.equal(await failureOf(() => filesystem.rename(ROOT_NODE, NAME, root, other, 0, CALLER)), 'EXDEV');
  t.equal(await failureOf(() => filesystem.rename(root, NAME, ROOT_NODE, other, 0, CALLER)), 'EXDEV');
  t.equal(await failureOf(() => filesystem.link(inOwn.entry.nodeId, root, other, CALLER)), 'EXDEV');
  const [from, to] = [inOwn.opened.handle, inShare.opened.handle];
  t.equal(await failureOf(() => filesystem.copy(from, 0, to, 0, 1, CALLER)), 'EXDEV');
  t.equal(
    await failureOf(() => filesystem.copy(to, 0, to, 0, 1, CALLER)),
    'EOPNOTSUPP',
    'within one it is asked',
  );
  await filesystem.rename(root, NAME, root, other, 0, CALLER);
});

t.test('what a share is at stays, and Shared with it', async (t) => {
  const homes = await SeveralHomes.make(shareOf('team'));
  const { filesystem, own, shared } = homes;
  await own.plant(ROOT_NODE, 'other');
  const other = Buffer.from('other');
  for (const [parent, name] of [
    [shared, TEAM],
    [ROOT_NODE, SHARED],
  ] as const) {
    t.equal(await failureOf(() => filesystem.rmdir(parent, name, CALLER)), 'EBUSY');
    t.equal(await failureOf(() => filesystem.unlink(parent, name, CALLER)), 'EBUSY');
    t.equal(await failureOf(() => filesystem.rename(parent, name, ROOT_NODE, NAME, 0, CALLER)), 'EBUSY');
    t.equal(await failureOf(() => filesystem.rename(ROOT_NODE, other, parent, name, 0, CALLER)), 'EBUSY');
  }
  const root = await enter(homes);
  await filesystem.mkdir(root, SHARED, 0o755, CALLER);
  await filesystem.rmdir(root, SHARED, CALLER);
  homes.filesystem.update([]);
  await filesystem.rmdir(shared, TEAM, CALLER);
  await filesystem.rmdir(ROOT_NODE, SHARED, CALLER);
});

t.test(
  'what is no directory and lies in the place of a share, or of Shared, can be taken away',
  async (t) => {
    const homes = await SeveralHomes.make(shareOf('team'), shareOf('other'));
    const { filesystem, own, shared } = homes;
    const other = Buffer.from('other');
    for (const name of [TEAM, other]) {
      own.rmdir(shared, name);
      await own.plant(shared, name.toString(), 'file');
    }
    await own.plant(ROOT_NODE, 'file', 'file');
    await filesystem.rename(ROOT_NODE, Buffer.from('file'), shared, TEAM, 0, CALLER);
    await filesystem.rename(shared, TEAM, ROOT_NODE, NAME, 0, CALLER);
    await filesystem.unlink(shared, other, CALLER);
    t.equal(own.lookups, 0, 'what was looked at is not held');
    t.notOk(isOwn(await enter(homes)), 'the share is there');
    t.equal(await failureOf(() => filesystem.rename(ROOT_NODE, NAME, shared, TEAM, 0, CALLER)), 'EBUSY');
  },
);

t.test('what changes a share that may only be read is refused without asking it', async (t) => {
  const homes = await SeveralHomes.make(shareOf('team', false));
  const { filesystem } = homes;
  const root = await enter(homes);
  const file = homes.first.filesystem.mknod(ROOT_NODE, NAME, 0o100644, 0, CALLER);
  const { nodeId: node } = await found(filesystem.lookup(root, NAME, CALLER));
  const { handle } = await filesystem.open(node, O_RDONLY, CALLER);
  const changes: Record<string, () => unknown> = {
    setattr: () => filesystem.setattr(node, undefined, { mode: 0o600 }, CALLER),
    clearSetId: () => filesystem.clearSetId(node, CALLER),
    mknod: () => filesystem.mknod(root, TEAM, 0o100644, 0, CALLER),
    mkdir: () => filesystem.mkdir(root, TEAM, 0o755, CALLER),
    symlink: () => filesystem.symlink(root, TEAM, NAME, CALLER),
    link: () => filesystem.link(node, root, TEAM, CALLER),
    unlink: () => filesystem.unlink(root, NAME, CALLER),
    rmdir: () => filesystem.rmdir(root, NAME, CALLER),
    rename: () => filesystem.rename(root, NAME, root, TEAM, 0, CALLER),
    setxattr: () => filesystem.setxattr(node, NAME, NAME, 0, CALLER),
    removexattr: () => filesystem.removexattr(node, NAME, CALLER),
    access: () => filesystem.access(node, 2, CALLER),
    open: () => filesystem.open(node, O_RDWR, CALLER),
    truncate: () => filesystem.open(node, O_TRUNC, CALLER),
    create: () => filesystem.create(root, TEAM, O_RDWR, 0o644, CALLER),
    tmpfile: () => filesystem.tmpfile(root, O_RDWR, 0o644, CALLER),
    write: () => filesystem.write(node, handle, 0, NAME, false, CALLER),
    allocate: () => filesystem.allocate(node, handle, 0, 0, 1, CALLER),
    copy: () => filesystem.copy(handle, 0, handle, 0, 1, CALLER),
  };
  for (const [name, change] of Object.entries(changes)) t.equal(await failureOf(change), 'EROFS', name);
  await filesystem.access(node, 4, CALLER);
  t.equal((await filesystem.getattr(node, handle, CALLER)).attributes.size, file.attributes.size);
  await filesystem.flush(node, handle, undefined, CALLER);
  await filesystem.release(node, handle);
});

t.test('the kernel is told of shares that come and go; what it has of one that went is ESTALE', async (t) => {
  const homes = await SeveralHomes.make(shareOf('team'));
  const { filesystem, own, shared } = homes;
  const root = await enter(homes);
  const { handle } = await filesystem.opendir(root, CALLER);
  filesystem.update([shareOf('late')]);
  t.strictSame(homes.dropped, ['team', 'late']);
  t.equal(await failureOf(() => filesystem.getattr(root, undefined, CALLER)), 'ESTALE');
  t.equal(await failureOf(() => filesystem.releasedir(root, handle)), 'ESTALE');
  filesystem.forget(root, 1n);
  t.ok(isOwn((await found(filesystem.lookup(shared, TEAM, CALLER))).nodeId), 'what was hidden is there');
  await own.plant(shared, 'late');
  t.notOk(isOwn((await found(filesystem.lookup(shared, Buffer.from('late'), CALLER))).nodeId));
});

t.test('statfs is of the home that is asked about; the end is that of all', async (t) => {
  const homes = await SeveralHomes.make(shareOf('team'));
  const root = await enter(homes);
  const share = homes.first;
  share.filesystem.statfs = () => ({ ...homes.own.statfs(), blocks: 7n });
  t.equal((await homes.filesystem.statfs(root, CALLER)).blocks, 7n);
  t.equal((await homes.filesystem.statfs(ROOT_NODE, CALLER)).blocks, 1000n);
  await homes.filesystem.destroy();
  t.ok(homes.own.destroyed);
  t.ok(share.filesystem.destroyed);
});
