/*
 * Extended attributes in a mounted home: what is answered here, what the server is asked, and what goes into the log.
 */
import t, { type Test } from 'tap';
import { Failure } from '../../../protocol/failure.js';
import { ROOT_NODE, type NodeId } from '../../../protocol/ids.js';
import { LEASE_NONE, LEASE_WRITE, WHOLE_HOME } from '../../../protocol/methods.js';
import { REMOVEXATTR, SETXATTR } from '../../../protocol/operations.js';
import { XATTR_CREATE, XATTR_REPLACE } from '../../../protocol/xattrs.js';
import { failureOf } from '../remote/failure-of.js';
import { until } from '../remote/processes.js';
import { attributesOf, NOW } from '../tree/planted.js';
import { CALLER, ScriptedHome } from './scripted-home.js';

const A = Buffer.from('user.a');
const B = Buffer.from('user.b');
const ONE = Buffer.from('one');

/** Requests that were made, without what a mount does by itself. */
function asked({ server }: ScriptedHome): string[] {
  return server.connection.requests
    .map((each) => each.split(' ')[0] ?? '')
    .filter((method) => /xattr|change/.test(method));
}

/** A home that is this mount's, with a file `f` whose attributes are not known, and `g` that was made here. */
async function owned(scope: Test, xattrs: unknown = [[A, ONE]]) {
  const home = await ScriptedHome.open(scope, {
    xattrs: ([files]) => (files as unknown[]).map(() => xattrs),
    change: ([, operation]) => {
      const [, [ino, birth]] = operation as [number, [number, number]];
      return [attributesOf(ino, undefined, { birth: BigInt(birth), ctime: NOW })];
    },
  });
  await home.own({ f: attributesOf(10) });
  const made = await home.filesystem.create(ROOT_NODE, Buffer.from('g'), 0o102, 0o644, CALLER);
  return { home, f: await home.node('f'), g: made.entry.nodeId };
}

/** The server's disk has taken an attribute. */
async function taken(home: ScriptedHome, node: NodeId): Promise<void> {
  await home.filesystem.setxattr(node, B, ONE, 0, CALLER);
  home.server.connection.requests.length = 0;
}

t.test('other kinds than those of users are answered here, at once', async (t) => {
  const { home, f } = await owned(t);
  for (const name of ['security.capability', 'trusted.a', 'system.posix_acl_access', 'a']) {
    const xattr = Buffer.from(name);
    t.throws(() => home.filesystem.getxattr(f, xattr, CALLER), { code: 'EOPNOTSUPP' }, name);
    t.throws(() => home.filesystem.setxattr(f, xattr, ONE, 0, CALLER), { code: 'EOPNOTSUPP' }, name);
    t.throws(() => home.filesystem.removexattr(f, xattr, CALLER), { code: 'EOPNOTSUPP' }, name);
  }
  t.throws(() => home.filesystem.setxattr(f, Buffer.from('user.'), ONE, 0, CALLER), { code: 'EINVAL' });
  for (const name of ['user.ftpmount.x', 'user.ftpmount.acl.access']) {
    const own = Buffer.from(name);
    t.throws(() => home.filesystem.getxattr(f, own, CALLER), { code: 'ENODATA' }, name);
    t.throws(() => home.filesystem.setxattr(f, own, ONE, 0, CALLER), { code: 'EACCES' }, name);
  }
  t.strictSame(asked(home), []);
});

t.test('ACLs are not told by a mount that does not heed them', async (t) => {
  const { home, f } = await owned(t, [
    [A, ONE],
    [Buffer.from('user.ftpmount.acl.access'), ONE],
  ]);
  t.same(await home.filesystem.listxattr(f, CALLER), Buffer.from('user.a\0'));
});

t.test('what is leased is asked for once', async (t) => {
  const { home, f, g } = await owned(t);
  t.same(await home.filesystem.getxattr(f, A, CALLER), ONE);
  t.same(home.filesystem.getxattr(f, A, CALLER), ONE);
  t.same(home.filesystem.listxattr(f, CALLER), Buffer.from('user.a\0'));
  t.throws(() => home.filesystem.getxattr(f, B, CALLER), { code: 'ENODATA' });
  t.same(home.filesystem.listxattr(g, CALLER), Buffer.alloc(0), 'what was made here has none');
  t.strictSame(asked(home), ['xattrs']);
});

t.test('behind a second file of a directory come the others of it', async (t) => {
  const files: number[] = [];
  const home = await ScriptedHome.open(t, {
    xattrs: ([refs]) => {
      files.push((refs as unknown[]).length);
      return (refs as unknown[]).map((_, at) => (at === 5 ? null : []));
    },
  });
  const names = Array.from({ length: 600 }, (_, i) => [`f${i}`, attributesOf(10 + i)] as const);
  await home.own(Object.fromEntries(names));
  for (const [name] of names) await home.filesystem.listxattr(await home.node(name), CALLER);
  t.strictSame(files, [1, 256, 256, 89, 1], 'those that were left out are asked for again');
});

t.test('a change waits for the server until its disk has taken one', async (t) => {
  const { home, f, g } = await owned(t);
  const first = home.filesystem.setxattr(g, A, ONE, XATTR_CREATE, CALLER);
  t.ok(first instanceof Promise);
  await first;
  t.strictSame(asked(home), ['change']);
  t.same(home.filesystem.getxattr(g, A, CALLER), ONE, 'it is known what is there');
  t.equal(home.filesystem.setxattr(g, B, ONE, 0, CALLER), undefined);
  home.server.connection.requests.length = 0;
  t.equal(home.filesystem.setxattr(g, A, ONE, 0, CALLER), undefined);
  t.strictSame(asked(home), []);
  t.equal(home.state.log.last?.operation.kind, SETXATTR);
  await home.filesystem.listxattr(f, CALLER);
  t.equal(home.filesystem.removexattr(f, A, CALLER), undefined);
  t.equal(home.state.log.last?.operation.kind, REMOVEXATTR);
  t.throws(() => home.filesystem.removexattr(f, A, CALLER), { code: 'ENODATA' });
  t.throws(() => home.filesystem.setxattr(f, A, ONE, XATTR_REPLACE, CALLER), { code: 'ENODATA' });
  t.equal(home.filesystem.setxattr(f, A, ONE, XATTR_CREATE, CALLER), undefined);
  t.throws(() => home.filesystem.setxattr(f, A, ONE, XATTR_CREATE, CALLER), { code: 'EEXIST' });
  t.same(home.filesystem.getxattr(f, A, CALLER), ONE);
});

t.test('what its removal gives back is known of a file that got an attribute of the server', async (t) => {
  const { home, f } = await owned(t);
  await home.filesystem.setxattr(f, B, ONE, 0, CALLER);
  const { attributes } = await home.filesystem.getattr(f, undefined, CALLER);
  await home.filesystem.unlink(ROOT_NODE, Buffer.from('f'), CALLER);
  const ofOne = A.length + ONE.length;
  t.equal(home.state.log.last?.charge.bytes, -(attributes.size + 2 * ofOne));
});

t.test('a disk that takes none is asked each time', async (t) => {
  const { home, f } = await owned(t, []);
  home.answers.change = () => {
    throw new Failure('EOPNOTSUPP');
  };
  for (let i = 0; i < 2; i++) {
    t.equal(await failureOf(async () => home.filesystem.setxattr(f, A, ONE, 0, CALLER)), 'EOPNOTSUPP');
  }
});

t.test('what a disk may have no room for waits for the server', async (t) => {
  const { home, f, g } = await owned(t);
  await taken(home, f);
  home.answers.change = () => {
    throw new Failure('ENOSPC');
  };
  const large = async (): Promise<unknown> =>
    home.filesystem.setxattr(g, A, Buffer.alloc(900), 0, CALLER) ??
    home.filesystem.setxattr(g, B, Buffer.alloc(900), 0, CALLER);
  t.equal(await failureOf(large), 'ENOSPC');
});

t.test('a value that was not told is asked for', async (t) => {
  const { home, f } = await owned(t, [[A, null]]);
  home.answers.xattr = () => Buffer.alloc(10_000, 'x');
  t.same(await home.filesystem.getxattr(f, A, CALLER), Buffer.alloc(10_000, 'x'));
  t.strictSame(asked(home), ['xattrs', 'xattr']);
});

t.test('what is not leased is asked for each time', async (t) => {
  const home = await ScriptedHome.open(t, {
    lookup: () => [attributesOf(10), null],
    list: () => {
      throw new Failure('EACCES');
    },
    xattrs: () => [[[A, ONE]]],
    change: () => [attributesOf(10)],
  });
  const f = await home.node('f');
  for (let i = 0; i < 2; i++) t.same(await home.filesystem.getxattr(f, A, CALLER), ONE);
  await home.filesystem.setxattr(f, A, ONE, XATTR_CREATE, CALLER);
  t.strictSame(asked(home), ['xattrs', 'xattrs', 'change']);
});

t.test('what was recalled is asked for again', async (t) => {
  const { home, f } = await owned(t);
  await home.filesystem.getxattr(f, A, CALLER);
  home.answers.getattr = () => attributesOf(10);
  home.server.connection.notifications.recall?.([[WHOLE_HOME, LEASE_NONE]]);
  await until(() => home.server.connection.requests.some((each) => each.startsWith('returned')));
  home.server.connection.notifications.lease?.([[WHOLE_HOME, LEASE_WRITE]]);
  await home.filesystem.getattr(f, undefined, CALLER);
  home.server.connection.requests.length = 0;
  home.answers.xattrs = () => [[[A, Buffer.from('theirs')]]];
  t.same(await home.filesystem.getxattr(f, A, CALLER), Buffer.from('theirs'));
  t.strictSame(asked(home), ['xattrs']);
});

t.test('a file that is removed before it was sent takes its attributes with it', async (t) => {
  const { home, f } = await owned(t);
  await taken(home, f);
  const made = home.filesystem.create(ROOT_NODE, Buffer.from('h'), 0o102, 0o644, CALLER);
  if (made instanceof Promise) throw new Error('it was asked for');
  const node = made.entry.nodeId;
  const before = home.state.log.unsent.operations;
  t.equal(home.filesystem.setxattr(node, A, ONE, 0, CALLER), undefined);
  t.equal(home.state.log.unsent.operations, before + 1);
  await home.filesystem.release(node, made.opened.handle);
  home.filesystem.unlink(ROOT_NODE, Buffer.from('h'), CALLER);
  t.equal(home.state.log.unsent.operations, before - 1);
});
