/*
 * Locks of one mount, over a server that the test plays: what is decided here, and what travels when.
 */
import t from 'tap';
import { Failure, type FailureKind } from '../../../protocol/failure.js';
import type { HandleId, NodeId } from '../../../protocol/ids.js';
import {
  F_RDLCK,
  F_UNLCK,
  F_WRLCK,
  LOCK_FLOCK,
  LOCK_POSIX,
  type LockKind,
  type LockType,
} from '../../../protocol/file-locks.js';
import { MAX_LOCKS } from '../../../protocol/limits.js';
import { LEASE_READ } from '../../../protocol/methods.js';
import type { Caller, WantedLock } from '../../../mount/operations.js';
import { attributesOf, ROOT_INO } from '../tree/planted.js';
import { failureOf } from '../remote/failure-of.js';
import { until } from '../remote/processes.js';
import { CALLER, ScriptedHome } from './scripted-home.js';

const O_RDWR = 2;
const A = 1n;
const B = 2n;

function wanted(owner: bigint, type: LockType, kind: LockKind = LOCK_POSIX): WantedLock {
  return { owner, kind, lock: { type, start: 0n, end: 99n, pid: 4711 } };
}

const failing = (kind: FailureKind) => (): never => {
  throw new Failure(kind);
};

/** A home with an open file, and what is asked of its server about locks. */
class Scene {
  readonly home: ScriptedHome;
  readonly node: NodeId;
  readonly handle: HandleId;

  static async open(t: Parameters<typeof ScriptedHome.open>[0], owned = true): Promise<Scene> {
    const home = await ScriptedHome.open(t, { lock: () => null, relock: () => null, returned: () => null });
    home.answers.hold = () => attributesOf(10);
    home.answers.lookup = () => [attributesOf(10), null];
    if (owned) await home.own({ file: attributesOf(10) });
    const node = await home.node('file');
    const { handle } = await home.filesystem.open(node, O_RDWR, CALLER);
    return new Scene(home, node, handle);
  }

  private constructor(home: ScriptedHome, node: NodeId, handle: HandleId) {
    this.home = home;
    this.node = node;
    this.handle = handle;
  }

  async set(lock: WantedLock, wait = false, caller: Caller = CALLER): Promise<void> {
    await this.home.filesystem.setlk(this.node, this.handle, lock, wait, caller);
  }

  get sent(): string[] {
    return this.home.server.connection.requests
      .map((each) => each.split(' ')[0] ?? '')
      .filter((method) => /lock$|^returned$/i.test(method));
  }

  recall(): void {
    this.home.server.connection.notifications.recall?.([[ROOT_INO, LEASE_READ]]);
  }
}

t.test('under the lease nobody is asked', async (t) => {
  const scene = await Scene.open(t);
  await scene.set(wanted(A, F_WRLCK));
  t.equal(await failureOf(scene.set(wanted(B, F_RDLCK))), 'EAGAIN');
  const found = await scene.home.filesystem.getlk(scene.node, scene.handle, wanted(B, F_RDLCK), CALLER);
  t.match(found, { type: F_WRLCK, pid: 4711 });
  const waiting = scene.set(wanted(B, F_RDLCK), true);
  await scene.home.filesystem.flush(scene.node, scene.handle, A, CALLER);
  await waiting;
  t.strictSame(scene.sent, []);
});

t.test('a recall takes locks to the server before the unit, and who waits waits there', async (t) => {
  const scene = await Scene.open(t);
  await scene.set(wanted(A, F_WRLCK));
  const waiting = scene.set(wanted(B, F_WRLCK), true);
  scene.recall();
  await until(() => scene.sent.includes('returned'));
  t.strictSame(scene.sent, ['relock', 'lock', 'returned']);
  await waiting;
  await scene.set(wanted(A, F_UNLCK));
  t.strictSame(scene.sent.slice(3), ['lock']);
});

t.test('a file stays at the server until nothing of it is there any more', async (t) => {
  const scene = await Scene.open(t, false);
  await scene.set(wanted(A, F_RDLCK));
  await scene.home.own({ file: attributesOf(10) });
  await scene.set(wanted(B, F_RDLCK));
  await scene.set(wanted(A, F_UNLCK));
  t.equal(scene.sent.length, 3);
  await scene.set(wanted(B, F_UNLCK));
  await scene.set(wanted(B, F_WRLCK));
  t.equal(scene.sent.length, 4, 'it is decided about here again');
});

t.test('any signal ends a wait, here and at the server', async (t) => {
  for (const owned of [true, false]) {
    const scene = await Scene.open(t, owned);
    await scene.set(wanted(A, F_WRLCK));
    const { connection } = scene.home.server;
    connection.held = true;
    const abort = new AbortController();
    const waiting = failureOf(scene.set(wanted(B, F_WRLCK), true, { ...CALLER, signal: abort.signal }));
    abort.abort();
    if (!owned) {
      t.equal(connection.cancelled.length, 1);
      scene.home.answers.lock = failing('ECANCELED');
      connection.answer();
    }
    t.equal(await waiting, 'EINTR');
  }
});

t.test('what was locked through an open file goes with it', async (t) => {
  const scene = await Scene.open(t);
  const { filesystem } = scene.home;
  const other = await filesystem.open(scene.node, O_RDWR, CALLER);
  await filesystem.setlk(scene.node, other.handle, wanted(A, F_WRLCK), false, CALLER);
  await filesystem.setlk(scene.node, other.handle, wanted(A, F_WRLCK, LOCK_FLOCK), false, CALLER);
  await filesystem.release(scene.node, other.handle);
  await scene.set(wanted(B, F_WRLCK));
  await scene.set(wanted(B, F_WRLCK, LOCK_FLOCK));
});

t.test('room is kept for what the server was asked for, so that a recall finds it', async (t) => {
  const scene = await Scene.open(t, false);
  const at = (byte: number, type: LockType = F_WRLCK): WantedLock => {
    const [start, end] = [BigInt(byte), BigInt(byte)];
    return { owner: A, kind: LOCK_POSIX, lock: { type, start, end, pid: 4711 } };
  };
  for (let count = 0; count < MAX_LOCKS; count++) await scene.set(at(2 * count));
  // This server has no bound.
  t.equal(await failureOf(scene.set(at(2 * MAX_LOCKS))), 'ENOLCK');
  t.equal(scene.sent.length, MAX_LOCKS);
  await scene.set(at(0, F_UNLCK));
  const { connection } = scene.home.server;
  connection.held = true;
  const outcomes = [1, 2].map((more) => failureOf(scene.set(at(2 * MAX_LOCKS * more))));
  await until(() => scene.sent.length === MAX_LOCKS + 2);
  connection.answer();
  t.strictSame(
    await Promise.all(outcomes),
    ['no failure', 'ENOLCK'],
    'also while the first one is asked for',
  );
});

t.test('what was given back when the connection was lost is not said to be held', async (t) => {
  for (const [type, said] of [
    [F_UNLCK, []],
    [F_RDLCK, [F_RDLCK]],
  ] as const) {
    const scene = await Scene.open(t, false);
    const { home } = scene;
    await scene.set(wanted(A, F_WRLCK));
    await scene.set({ ...wanted(B, F_WRLCK), lock: { type: F_WRLCK, start: 100n, end: 199n, pid: 4712 } });
    const relocked = new Map<unknown, unknown>();
    home.answers.relock = ([, owner, , locks]) => {
      relocked.set(
        Number(owner),
        (locks as unknown[][]).map(([each]) => each),
      );
      return null;
    };
    const before = home.server.connections.length;
    const { connection } = home.server;
    connection.held = true;
    const given = scene.set(wanted(A, type));
    await until(() => scene.sent.length === 3);
    connection.break();
    await until(() => home.server.connections.length > before);
    await given;
    t.strictSame(relocked.get(Number(A)) ?? [], said);
    t.strictSame(relocked.get(Number(B)), [F_WRLCK]);
  }
});

t.test('a lock that the server does not take back is lost, and its open file is told', async (t) => {
  const scene = await Scene.open(t, false);
  const { home, node, handle } = scene;
  await scene.set(wanted(A, F_WRLCK));
  home.answers.relock = failing('ENOLCK');
  const before = home.server.connections.length;
  home.server.connection.break();
  // It waits for the connection, and is not made without the lock.
  const written = failureOf(async () =>
    home.filesystem.write(node, handle, 0, Buffer.from('lost'), false, CALLER),
  );
  await until(() => home.server.connections.length > before);
  t.equal(await written, 'EIO');
  t.notOk(home.server.connection.requests.some((each) => each.startsWith('change')));
  t.equal(await failureOf(scene.set(wanted(A, F_WRLCK))), 'EIO');
  const again = await home.filesystem.open(node, O_RDWR, CALLER);
  await home.filesystem.setlk(node, again.handle, wanted(A, F_WRLCK), false, CALLER);
});
