import t from 'tap';
import { Failure } from '../../../protocol/failure.js';
import { nodeId, ROOT_NODE, type NodeId } from '../../../protocol/ids.js';
import { LEASE_NONE, LEASE_WRITE, WHOLE_HOME } from '../../../protocol/methods.js';
import type { Entry } from '../../../mount/operations.js';
import { attributesOf, DIRECTORY, REGULAR, ROOT_INO } from '../tree/planted.js';
import { failureOf } from '../remote/failure-of.js';
import { CALLER, letGo, ScriptedHome } from './scripted-home.js';

/** A home without a lease, whose root cannot be listed, and has these files. */
function searchable(scope: Parameters<typeof ScriptedHome.open>[0], files: Readonly<Record<string, number>>) {
  return ScriptedHome.open(scope, {
    list: () => {
      throw new Failure('EACCES');
    },
    lookup: ([, name]) => {
      const ino = files[String(name)];
      if (ino === undefined) throw new Failure('ENOENT');
      return [attributesOf(ino, String(name) === 'dir' ? DIRECTORY : REGULAR), null];
    },
  });
}

t.test('names of a directory that may be searched and not listed are found', async (t) => {
  const home = await searchable(t, { a: 10, b: 11, c: 12 });
  for (const [name, ino] of [
    ['a', 10n],
    ['b', 11n],
    ['c', 12n],
  ] as const) {
    const { attributes } = (await home.filesystem.lookup(ROOT_NODE, Buffer.from(name), CALLER)) as {
      attributes: { ino: bigint };
    };
    t.equal(attributes.ino, ino, name);
  }
  t.match(await home.filesystem.lookup(ROOT_NODE, Buffer.from('none'), CALLER), { nodeId: undefined });
  const { requests } = home.server.connection;
  t.equal(requests.filter((each) => each.startsWith('list ')).length, 1, 'which is tried once');
});

t.test('the kernel is not counted to know what nobody waited for any more', async (t) => {
  const home = await searchable(t, { a: 10 });
  const looked = await letGo(t, home, 'lookup', (caller) =>
    home.filesystem.lookup(ROOT_NODE, Buffer.from('a'), caller),
  );
  t.equal(looked, 'EINTR');
  const node = await home.node('a');
  home.filesystem.forget(node, 1n);
  t.equal(
    await failureOf(() => home.filesystem.getattr(node, undefined, CALLER)),
    'ESTALE',
    'it was known once',
  );
});

t.test('a file that others replace between lookup and stat is as the lookup told it', async (t) => {
  const home = await searchable(t, { a: 10 });
  home.answers.getattr = () => {
    throw new Failure('ESTALE');
  };
  home.answers.hold = () => attributesOf(10);
  const node = await home.node('a');
  const told = await home.filesystem.getattr(node, undefined, CALLER);
  t.match(told, { attributes: { ino: 10n }, validMs: 0 });
  await home.filesystem.open(node, 0, CALLER);
  const ofOpen = async (): Promise<unknown> => home.filesystem.getattr(node, undefined, CALLER);
  t.equal(await failureOf(ofOpen), 'ESTALE', 'one that is open is to be there');
});

t.test('a file that others removed between lookup and chmod is not changed here', async (t) => {
  const home = await searchable(t, { a: 10 });
  home.server.connection.notifications.lease?.([
    [WHOLE_HOME, LEASE_WRITE],
    [ROOT_INO, LEASE_NONE],
  ]);
  // It can be found for a moment longer.
  home.answers.getattr = () => ({ ...attributesOf(10), nlink: 0 });
  home.answers.change = () => {
    throw new Failure('ESTALE');
  };
  const node = await home.node('a');
  await home.filesystem.getattr(node, undefined, CALLER);
  await home.filesystem.setattr(node, undefined, { mode: 0o600 }, CALLER);
  t.equal(home.state.log.last, undefined, 'no change is answered that the server may not be able to make');
});

t.test('a file handle leads to what the kernel has forgotten, as long as it is there', async (t) => {
  const home = await searchable(t, { a: 10, dir: 11 });
  const byHandle = async (node: NodeId, name = '.') =>
    (await home.filesystem.lookup(node, Buffer.from(name), CALLER)) as Entry;
  const node = await home.node('a');
  home.filesystem.forget(node, 1n);
  home.answers.getattr = () => attributesOf(10, REGULAR, { size: 7 });
  t.match(await byHandle(node), { nodeId: node, generation: 0n, attributes: { ino: 10n, size: 7 } });
  t.equal(await home.node('a'), node, 'by its name it is the same');
  home.filesystem.forget(node, 2n);
  for (const attributes of [attributesOf(12), attributesOf(10, REGULAR, { nlink: 0 })]) {
    home.answers.getattr = () => attributes;
    t.equal(await failureOf(() => byHandle(node)), 'ESTALE');
  }
  t.equal(await failureOf(() => byHandle(nodeId(999))), 'ESTALE');
  t.match(await byHandle(await home.node('dir'), '..'), { nodeId: ROOT_NODE });
  await home.own({ b: attributesOf(13) });
  const known = await home.node('b');
  home.filesystem.forget(known, 1n);
  delete home.answers.getattr;
  t.match(await byHandle(known), { nodeId: known }, 'without asking, where that is believed');
});
