import t from 'tap';
import { S_IFIFO } from '../../../posix/flags.js';
import { ROOT_NODE } from '../../../protocol/ids.js';
import { LEASE_NONE, LEASE_READ, LEASE_WRITE, WHOLE_HOME } from '../../../protocol/methods.js';
import { operation, CREATE, LINK, RELEASE, type Operation } from '../../../protocol/operations.js';
import { attributesOf, DIRECTORY, ROOT_INO, SYMLINK } from '../tree/planted.js';
import { failureOf } from '../remote/failure-of.js';
import { until } from '../remote/processes.js';
import { CALLER, letGo, ScriptedHome } from './scripted-home.js';

const O_RDWR = 2;

/** The operations that a home sends from now on, of its log and those that it awaits. */
function sentBy(home: ScriptedHome): { log: Operation[]; awaited: Operation[] } {
  const sent = { log: [] as Operation[], awaited: [] as Operation[] };
  const { apply, change } = home.answers;
  home.answers.apply = (params) => {
    sent.log.push(...(params[1] as unknown[]).map(operation));
    return apply?.(params);
  };
  home.answers.change = (params) => {
    sent.awaited.push(operation(params[1]));
    return change?.(params);
  };
  return sent;
}

t.test('a second name of a file whose id the server has not told yet is no lease of the home', async (t) => {
  const home = await ScriptedHome.open(t);
  await home.own({}, false);
  const made = attributesOf(40, SYMLINK);
  home.answers.apply = ([first]) => [first, 0, 1e9, 1e6, [[first, null, [made]]]];
  home.answers.change = () => [{ ...made, nlink: 2 }, home.root];
  const sent = sentBy(home);
  const { nodeId } = await home.filesystem.symlink(ROOT_NODE, Buffer.from('l'), Buffer.from('to'), CALLER);
  const { attributes } = await home.filesystem.link(nodeId, ROOT_NODE, Buffer.from('m'), CALLER);
  t.equal(attributes.nlink, 2);
  t.same(
    sent.awaited.map(({ kind }) => kind),
    [LINK],
    'the server tells what it made of it',
  );
  t.equal(home.state.leases.mode(WHOLE_HOME), LEASE_NONE);
  t.equal(home.state.leases.mode(ROOT_INO), LEASE_WRITE);
});

t.test('a FIFO that was made and removed before it was sent gives its id to no file', async (t) => {
  const home = await ScriptedHome.open(t);
  await home.own();
  const sent = sentBy(home);
  await home.filesystem.mknod(ROOT_NODE, Buffer.from('fifo'), S_IFIFO | 0o600, 0, CALLER);
  await home.filesystem.unlink(ROOT_NODE, Buffer.from('fifo'), CALLER);
  const { entry } = await home.filesystem.create(ROOT_NODE, Buffer.from('file'), O_RDWR, 0o600, CALLER);
  t.ok(entry.attributes.ino < 1n << 62n, 'an inode number of the server');
  await until(() => sent.log.length > 0);
  t.match(sent.log, [{ kind: CREATE, name: Buffer.from('file'), id: { ino: entry.attributes.ino } }]);
  t.equal(sent.log.length, 1);
});

t.test('a file that is closed while its removal is awaited is not held for ever', async (t) => {
  for (const act of ['unlink', 'rename'] as const) {
    const home = await ScriptedHome.open(t);
    await home.own({ file: attributesOf(10), other: attributesOf(11) });
    const node = await home.node('file');
    const { handle } = await home.filesystem.open(node, O_RDWR, CALLER);
    // The home is another's now: changes are awaited.
    home.state.leases.clear();
    home.answers.change = () => [
      { ...attributesOf(act === 'unlink' ? 10 : 11), nlink: act === 'unlink' ? 0 : 1 },
      home.root,
    ];
    const sent = sentBy(home);
    home.server.connection.held = true;
    const [file, other] = [Buffer.from('file'), Buffer.from('other')];
    const removed =
      act === 'unlink'
        ? home.filesystem.unlink(ROOT_NODE, file, CALLER)
        : home.filesystem.rename(ROOT_NODE, other, ROOT_NODE, file, 0, CALLER);
    await until(() => home.server.connection.requests.some((each) => each.startsWith('change')));
    await home.filesystem.release(node, handle);
    home.server.connection.answer();
    await removed;
    t.match(sent.awaited, [{ hold: true }], act);
    await until(() => sent.log.length > 0);
    t.match(sent.log, [{ kind: RELEASE, id: { ino: 10n } }]);
  }
});

t.test(
  'a file that belongs to a directory which is not leased, since its name changed, is not believed',
  async (t) => {
    const OTHER = 20n;
    for (const [act, isLogged] of [
      ['unlink', true],
      ['unlink', false],
      ['rename', false],
    ] as const) {
      const home = await ScriptedHome.open(t);
      const nlink = act === 'unlink' ? 2 : 1;
      const file = attributesOf(10, undefined, { nlink });
      await home.own({ file, other: attributesOf(OTHER, DIRECTORY) }, false);
      const { notifications } = home.server.connection;
      const mode = isLogged ? LEASE_WRITE : LEASE_READ;
      notifications.lease?.([[file.ino, mode]]);
      home.answers.getattr = () => file;
      home.answers.lookup = ([, name]) => [
        String(name) === 'file' ? file : attributesOf(OTHER, DIRECTORY),
        null,
      ];
      if (!isLogged) notifications.lease?.([[ROOT_INO, LEASE_READ]]);
      const [node, directory] = [await home.node('file'), await home.node('other')];
      await home.filesystem.getattr(node, undefined, CALLER);
      await home.filesystem.open(node, O_RDWR, CALLER);
      home.answers.change = () => [{ ...file, nlink: 1 }, home.root, attributesOf(OTHER, DIRECTORY)];
      home.answers.hold = () => file;
      const sent = sentBy(home);
      if (act === 'unlink') await home.filesystem.unlink(ROOT_NODE, Buffer.from('file'), CALLER);
      else {
        const [from, to] = [Buffer.from('file'), Buffer.from('moved')];
        await home.filesystem.rename(ROOT_NODE, from, directory, to, 0, CALLER);
      }
      t.equal(sent.awaited.length, isLogged ? 0 : 1);
      t.ok(home.dropped.includes(`${node} 0`), `${act}: with its pages, as it is open`);
      const isHeld = home.server.connection.requests.some((each) => each.startsWith('hold'));
      t.equal(isHeld, act === 'rename', 'the server keeps it, as that says or it is told');
    }
  },
);

t.test('-o sync: a change that the server could not make fails', async (t) => {
  const home = await ScriptedHome.open(t, {}, { sync: true });
  await home.own();
  home.answers.apply = ([first]) => [first, 0, 1e9, 1e6, [[first, ['ENOSPC', 'the disk is full'], []]]];
  const name = Buffer.from('new');
  t.equal(await failureOf(async () => home.filesystem.mkdir(ROOT_NODE, name, 0o700, CALLER)), 'ENOSPC');
});

t.test('-o sync: who is let go while a change is on its way is told of no inode', async (t) => {
  const home = await ScriptedHome.open(t, {}, { sync: true });
  await home.own();
  const made = await letGo(t, home, 'apply', (caller) =>
    home.filesystem.mkdir(ROOT_NODE, Buffer.from('new'), 0o700, caller),
  );
  t.equal(made, 'EINTR');
  const node = await home.node('new');
  home.filesystem.forget(node, 1n);
  t.equal(
    await failureOf(async () => home.filesystem.getattr(node, undefined, CALLER)),
    'ESTALE',
    'it was known once',
  );
});
