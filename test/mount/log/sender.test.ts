import t from 'tap';
import { Failure } from '../../../protocol/failure.js';
import { MAX_OPERATIONS } from '../../../protocol/limits.js';
import { MKDIR, type LogOperation } from '../../../protocol/operations.js';
import { remotePath } from '../../../protocol/ids.js';
import type { Entry } from '../../../mount/log/entry.js';
import { Log, type LogOptions } from '../../../mount/log/log.js';
import { Sender } from '../../../mount/log/sender.js';
import { FILE, mkdir, NOTHING, serialOf, TIME } from './operations.js';
import { ScriptedServer } from './scripted-server.js';

const MiB = 1024 * 1024;

class Mounted {
  readonly server = new ScriptedServer();
  readonly failed: [number, string][] = [];
  readonly hinted: number[] = [];
  left: unknown;
  readonly log: Log;
  readonly sender: Sender;

  constructor(options: Partial<LogOptions> = {}, gather: (act: () => void) => unknown = setImmediate) {
    this.log = new Log({
      now: () => 0,
      failed: ({ operation }, failure) => this.failed.push([serialOf(operation), failure.kind]),
      told: () => undefined,
      ...options,
    });
    this.sender = new Sender({
      log: this.log,
      request: this.server.request,
      granted: (left) => (this.left = left),
      hint: (operation) => {
        this.hinted.push(serialOf(operation));
        return withHint(operation);
      },
      gather,
    });
  }

  append(...serials: number[]): Entry[] {
    const entries = serials.map((serial) => this.log.append(mkdir(serial), NOTHING));
    this.sender.kick();
    return entries;
  }

  get carriedOut(): number[] {
    return this.server.carriedOut.map((op) => (op === undefined ? Number.NaN : serialOf(op)));
  }

  lose(received = 0): void {
    this.server.lose(received);
    this.sender.lost();
  }
}

function withHint(operation: LogOperation): LogOperation {
  if (operation.kind !== MKDIR || operation.directory.ino === null) return operation;
  return { ...operation, directory: { ...operation.directory, path: remotePath(Buffer.from('hint')) } };
}

function isHinted(operation: LogOperation): boolean {
  return operation.kind === MKDIR && operation.directory.path !== null;
}

/** The end of this turn of the event loop, and what was waiting for it. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

t.test('what is appended is gathered, and leaves in one message', async (t) => {
  const m = new Mounted();
  const { server, sender, log } = m;
  m.append(1, 2);
  m.append(3);
  t.equal(server.requests, 0);
  await turn();
  t.equal(server.requests, 1);
  server.settle();
  t.same(server.applies, [[1, 3, 0]]);
  t.same(m.left, { bytes: 1000, files: 100 });
  t.equal(log.unapplied.operations, 0);
  sender.kick();
  await turn();
  t.equal(server.requests, 0, 'nothing to send');
});

t.test('nothing is sent before what was made under lost leases is through', async (t) => {
  const m = new Mounted();
  const { server, log, sender } = m;
  const [orphan] = m.append(1);
  sender.lost();
  log.leasesLost(0);
  const through = sender.connected(0);
  m.append(2);
  await turn();
  t.equal(server.requests, 0);
  log.reintegrated(orphan as Entry);
  await through;
  log.hurryUp();
  server.settle();
  t.same(m.carriedOut, [2]);
});

t.test('what fills a message does not wait for more', async (t) => {
  const m = new Mounted({}, () => undefined);
  m.append(1);
  await turn();
  t.equal(m.server.requests, 0);
  m.log.write(FILE, 0, Buffer.alloc(300_000), TIME, NOTHING);
  m.sender.kick();
  t.equal(m.server.requests, 0);
  await turn();
  t.equal(m.server.requests, 1);
});

t.test('somebody who waits for it makes it leave at once', async (t) => {
  const m = new Mounted();
  const { server, log } = m;
  m.append(1);
  await turn();
  const [entry] = m.append(2);
  t.equal(log.whenSent(entry as Entry), undefined, 'in the call');
  t.equal(server.requests, 2);
});

t.test('full messages leave behind each other, and no more than the window takes', async (t) => {
  const { server, log, sender } = new Mounted();
  for (let i = 0; i < 20; i++) log.write(FILE, i * MiB, Buffer.alloc(MiB, i), TIME, NOTHING);
  sender.kick();
  await turn();
  t.equal(server.requests, 8);
  server.receive(1);
  server.answer();
  t.equal(server.requests, 8);
  server.settle();
  t.equal(server.applied, 20);
  t.same(server.applies.at(-1), [20, 1, MiB]);
});

t.test('a lost connection: what was not applied is sent again under its numbers, and once', async (t) => {
  const m = new Mounted();
  const [, , third] = m.append(1, 2, 3);
  await turn();
  m.append(4);
  m.lose(1);
  await turn();
  t.equal(m.server.requests, 0, 'not without a connection');
  const through = m.sender.connected(m.server.applied);
  m.server.settle();
  await through;
  t.same(m.carriedOut, [1, 2, 3, 4]);
  t.equal(third?.state, 'applied');

  m.append(5, 6);
  await turn();
  m.lose(0);
  m.sender.connected(m.server.applied);
  m.server.settle();
  t.same(m.carriedOut, [1, 2, 3, 4, 5, 6]);
  t.same(m.failed, []);
});

t.test('failures that are not answered before the connection is lost are all told after it', async (t) => {
  const m = new Mounted({ limitBytes: Number.POSITIVE_INFINITY });
  const { server, sender } = m;
  const serials = Array.from({ length: 12 * MAX_OPERATIONS }, (_, i) => i + 1);
  server.judge = (operation) => (serialOf(operation) % 100 === 50 ? 'done' : 'fails');
  m.append(...serials);
  for (const arrives of [20, 0, 3, 1]) {
    await turn();
    m.lose(arrives);
    sender.connected(server.applied);
    server.receive(1);
    server.answer();
  }
  server.settle();
  t.equal(server.applied, serials.length);
  t.same(
    m.failed.map(([serial]) => serial),
    serials.filter((serial) => serial % 100 !== 50),
    'each once',
  );
});

t.test('nothing but the log is sent before the server has judged what was in it', async (t) => {
  const m = new Mounted();
  const { server, sender } = m;
  m.append(1, 2, 3);
  m.lose();
  const synced = sender.sync();
  const asked: string[] = [];
  server.refuse = (method) => {
    asked.push(method);
    return undefined;
  };
  // A server that was restarted has forgotten an id.
  server.judge = (op) => (serialOf(op) >= 2 && !isHinted(op) ? 'stops' : 'done');
  const through = sender.connected(0);
  await turn();
  server.settle();
  await through;
  t.same(m.carriedOut, [1, 2, 3]);
  t.same(asked, ['apply', 'apply']);
  await turn();
  server.settle();
  await synced;
  t.same(asked, ['apply', 'apply', 'sync']);
});

t.test('a failure whose answer was lost is told with the next connection', async (t) => {
  const m = new Mounted();
  m.server.judge = (op) => (serialOf(op) === 2 ? 'fails' : 'done');
  m.append(1, 2, 3);
  await turn();
  m.lose(1);
  m.sender.connected(m.server.applied);
  m.server.settle();
  t.same(m.failed, [[2, 'ENOSPC']]);
});

t.test('a server that lost its power gets again what was not on its disk', async (t) => {
  const m = new Mounted();
  m.append(1, 2);
  await turn();
  m.server.settle();
  const synced = m.sender.sync();
  await turn();
  m.server.settle();
  await synced;
  const [third] = m.append(3, 4);
  await turn();
  m.server.settle();
  t.equal(third?.state, 'applied');
  m.lose();
  m.server.losePower();
  t.same(m.carriedOut, [1, 2]);
  m.sender.connected(m.server.applied);
  t.equal(m.log.rewinds, 1);
  m.server.settle();
  t.same(m.carriedOut, [1, 2, 3, 4]);
});

t.test('where the server has forgotten an id, all from there on is sent again with hints', async (t) => {
  const m = new Mounted();
  m.server.judge = (op) => (serialOf(op) >= 2 && !isHinted(op) ? 'stops' : 'done');
  const entries = m.append(1, 2, 3);
  await turn();
  m.log.whenSent(m.append(4)[0] as Entry);
  m.server.settle();
  t.same(m.carriedOut, [1, 2, 3, 4]);
  t.same(m.hinted, [2, 3, 4]);
  t.same(m.failed, []);
  t.same(
    entries.map(({ number }) => number),
    [1, 2, 3],
  );
  t.equal(m.log.rewinds, 1);
});

t.test('what the server does not take with hints has failed; the next ones go on', async (t) => {
  const m = new Mounted();
  m.server.judge = (op) => (serialOf(op) === 2 ? 'stops' : 'done');
  m.append(1, 2, 3);
  await turn();
  m.server.settle();
  t.same(m.carriedOut, [1, 3]);
  t.same(m.failed, [[2, 'ESTALE']]);
});

t.test('a message that is refused as a whole is sent again one by one', async (t) => {
  const m = new Mounted();
  m.server.refuse = (method, params) => {
    const operations = method === 'apply' ? (params[1] as unknown[][]) : [];
    return operations.some((op) => (op[2] as Buffer).toString() === '2') ? new Failure('EINVAL') : undefined;
  };
  m.append(1, 2, 3, 4);
  await turn();
  m.server.settle();
  t.same(m.carriedOut, [1, 3, 4]);
  t.same(m.failed, [[2, 'EINVAL']]);
});

t.test('sync sends all, and resolves when it is durable', async (t) => {
  const m = new Mounted();
  const [entry] = m.append(1);
  const synced = m.sender.sync();
  await turn();
  t.equal(m.server.requests, 2, 'one round trip');
  m.server.settle();
  await synced;
  t.equal(entry?.state, 'durable');
  t.equal(m.log.last, undefined);
});

t.test('sync asks the server also where the log is empty: changes that were awaited', async (t) => {
  const m = new Mounted();
  const synced = m.sender.sync();
  await turn();
  t.equal(m.server.requests, 1);
  m.server.settle();
  await synced;
});

t.test('sync outlives the connection', async (t) => {
  const m = new Mounted();
  m.append(1);
  const synced = m.sender.sync();
  await turn();
  m.lose(1);
  await turn();
  t.equal(m.server.requests, 0);
  const through = m.sender.connected(m.server.applied);
  m.server.settle();
  await through;
  await turn();
  m.server.settle();
  await synced;
  t.equal(m.server.durable, 1);
});

t.test('sync of what the server stopped before syncs once more', async (t) => {
  const m = new Mounted();
  m.server.judge = (op) => (isHinted(op) ? 'done' : 'stops');
  const [entry] = m.append(1);
  const synced = m.sender.sync();
  await turn();
  m.server.settle();
  t.equal(entry?.state, 'applied');
  await turn();
  m.server.settle();
  await synced;
  t.equal(entry?.state, 'durable');
});

t.test('sync throws what the disk of the server throws', async (t) => {
  const m = new Mounted();
  m.server.refuse = (method) => (method === 'sync' ? new Failure('EIO') : undefined);
  m.append(1);
  const synced = m.sender.sync();
  await turn();
  m.server.settle();
  await t.rejects(synced, new Failure('EIO'));
});

t.test('drain resolves when the log is empty', async (t) => {
  const m = new Mounted();
  m.append(1);
  const drained = m.sender.drain();
  await turn();
  m.append(2);
  m.server.settle();
  while (m.log.undurable.operations > 0) {
    await turn();
    m.server.settle();
  }
  await drained;
  t.equal(m.server.durable, 2);
});

t.test('a crowded log makes the server sync, so that who waits for room gets it', async (t) => {
  const m = new Mounted({ limitBytes: 10_000 });
  m.log.write(FILE, 0, Buffer.alloc(12_000), TIME, NOTHING);
  m.sender.kick();
  const room = m.log.room();
  t.ok(room);
  m.server.settle();
  await room;
  t.equal(m.server.durable, 1);
});

t.test('the end: all that waits fails', async (t) => {
  const m = new Mounted();
  m.lose();
  const synced = m.sender.sync();
  m.sender.ended(new Failure('EACCES'));
  await t.rejects(synced, new Failure('EACCES'));
  await t.rejects(m.sender.sync(), new Failure('EACCES'));
});
