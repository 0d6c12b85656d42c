/*
 * Clients over lost connections, and what sessions are told of each other's changes.
 */
import t from 'tap';
import { CHANGED_ALL, CHANGED_NAME, CHANGED_NODE, CHANGED_RENAME } from '../../../protocol/methods.js';
import { attributes } from '../../../protocol/attributes.js';
import { homeTest, kindOf, Place, TestClient } from './fixture.js';

const READ_WRITE = 3;

homeTest('handles outlive a lost connection, for the same client only', {}, async (t, home) => {
  const first = new TestClient(home);
  t.equal(first.resumed, false);
  const handle = first.open('f', READ_WRITE);
  first.call('write', handle, 0, Buffer.from('kept'));
  first.leave();
  t.equal(home.status().sessions, 0);
  const stranger = new TestClient(home);
  t.equal(await kindOf(() => stranger.call('read', handle, 0, 10)), 'EBADF');
  const back = new TestClient(home, { id: first.id });
  t.equal(back.resumed, true);
  t.equal(String(back.call('read', handle, 0, 10)), 'kept');
});

homeTest('a connection that is half open is replaced by the new one of its client', {}, (t, home) => {
  const old = new TestClient(home);
  const handle = old.open('f', READ_WRITE);
  const back = new TestClient(home, { id: old.id });
  t.ok(old.superseded);
  old.leave();
  t.equal(home.status().sessions, 1, 'the end of the old one ends nothing');
  back.call('write', handle, 0, Buffer.from('x'));
});

void t.test('a client with nothing open is forgotten at once, and the home is idle', async (t) => {
  let idle = 0;
  const home = await new Place(t).open(() => (idle += 1));
  const one = new TestClient(home);
  const two = new TestClient(home);
  two.open('f', READ_WRITE);
  one.leave();
  two.leave();
  t.equal(idle, 0, 'a file is still open');
  t.strictSame([home.status().clients, home.status().handles], [1, 1]);
  const back = new TestClient(home, { id: two.id });
  back.call('close', 1);
  back.leave();
  t.equal(idle, 1);
});

void t.test('clients that stay away are limited; the first to leave goes first', async (t) => {
  const home = await new Place(t).open();
  const clients = Array.from({ length: 66 }, () => new TestClient(home));
  for (const client of clients) {
    client.open('f', READ_WRITE);
    client.leave();
  }
  t.equal(home.status().handles, 64);
  t.equal(new TestClient(home, { id: clients[0]?.id ?? Buffer.alloc(16) }).resumed, false);
  t.equal(new TestClient(home, { id: clients[65]?.id ?? Buffer.alloc(16) }).resumed, true);
});

homeTest('answers are kept for who asks again, the last 256 of them', {}, (t, home) => {
  const { client } = new TestClient(home);
  const dropped: number[] = [];
  for (let id = 1; id <= 300; id++) {
    client.answers.keep(id, {
      outcome: () => ({ failure: undefined, result: id }),
      dropped: () => dropped.push(id),
    });
  }
  t.equal(client.answers.find(44), undefined);
  t.strictSame(client.answers.find(45), { failure: undefined, result: 45 });
  client.answers.forgetBelow(250);
  t.equal(client.answers.find(249), undefined);
  t.strictSame(client.answers.find(250), { failure: undefined, result: 250 });
  client.answers.clear();
  t.equal(dropped.length, 300, 'each is dropped once');
});

homeTest('others are told of every change, the one who made it is not', {}, async (t, home) => {
  const actor = new TestClient(home, { wantsNotifications: true });
  const other = new TestClient(home, { wantsNotifications: true });
  const deaf = new TestClient(home);
  const name = (directory: string, own: string) => [CHANGED_NAME, Buffer.from(directory), Buffer.from(own)];
  const expect = (what: string, work: () => unknown, ...changes: unknown[]) =>
    t.test(what, async (t) => {
      await work();
      // Told in a microtask of the turn of the change.
      await Promise.resolve();
      t.strictSame(other.told, changes);
      other.told.length = 0;
    });
  const ino = (path: string) => attributes(actor.call('getattr', path)).ino;
  await expect('mkdir', () => actor.call('mkdir', 'd', 0o755), name('', 'd'));
  await expect('create', () => actor.open('d/f', READ_WRITE), name('d', 'f'));
  const f = ino('d/f');
  const node = (path: string | null) => [CHANGED_NODE, f, path === null ? null : Buffer.from(path)];
  await expect(
    'write, twice in a turn',
    () => {
      actor.call('write', 1, 0, Buffer.from('x'));
      actor.call('write', 1, 1, Buffer.from('y'));
    },
    node(null),
  );
  await expect('setattr', () => actor.call('setattr', 'd/f', [0o600, null, null, null]), node('d/f'));
  await expect('fsetattr', () => actor.call('fsetattr', 1, [0o600, null, null, null]), node(null));
  await expect('opening what exists', () => actor.open('d/f', READ_WRITE));
  await expect('truncating', () => actor.open('d/f', READ_WRITE | 8), node('d/f'));
  await expect('link', () => actor.call('link', 'd/f', 'g'), name('', 'g'), node('d/f'));
  await expect('unlink of one of two names', () => actor.call('unlink', 'g'), node(null), name('', 'g'));
  await expect('symlink', () => actor.call('symlink', 's', 'x'), name('', 's'));
  await expect('mknod', () => actor.call('mknod', 'p', 0o010644), name('', 'p'));
  const renamed = (exchanged: boolean) => [
    CHANGED_RENAME,
    Buffer.from(''),
    Buffer.from('s'),
    Buffer.from('d'),
    Buffer.from('t'),
    exchanged,
  ];
  await expect('rename', () => actor.call('rename', 's', 'd/t', 0), renamed(false));
  actor.call('symlink', 's', 'x');
  await Promise.resolve();
  other.told.length = 0;
  await expect('exchange', () => actor.call('rename', 's', 'd/t', 2), renamed(true));
  actor.call('unlink', 's');
  await Promise.resolve();
  other.told.length = 0;
  await expect('a failure', () => kindOf(() => actor.call('rmdir', 'd')));
  await expect(
    'rmdir',
    () => {
      actor.call('unlink', 'd/t');
      actor.call('unlink', 'd/f');
      actor.call('rmdir', 'd');
    },
    name('d', 't'),
    name('d', 'f'),
    name('', 'd'),
  );
  t.strictSame([actor.told, deaf.told], [[], []]);
});

homeTest('an answer waits until the others are told', {}, async (t, home) => {
  const actor = new TestClient(home);
  const order: string[] = [];
  const other = new TestClient(home, { wantsNotifications: true });
  other.notify = () => order.push('told');
  home.changes.whenTold(() => order.push('nothing to tell'));
  actor.call('mkdir', 'd', 0o755);
  home.changes.whenTold(() => order.push('answered'));
  t.strictSame(order, ['nothing to tell']);
  await Promise.resolve();
  t.strictSame(order, ['nothing to tell', 'told', 'answered']);
});

homeTest('who was away while something changed is told so on coming back', {}, async (t, home) => {
  const away = new TestClient(home, { wantsNotifications: true });
  away.open('f', READ_WRITE);
  away.leave();
  const unchanged = new TestClient(home, { id: away.id, wantsNotifications: true });
  t.strictSame(unchanged.told, []);
  unchanged.leave();
  new TestClient(home).call('mkdir', 'd', 0o755);
  await Promise.resolve();
  const back = new TestClient(home, { id: away.id, wantsNotifications: true });
  t.strictSame(back.told, [[CHANGED_ALL]]);
});
