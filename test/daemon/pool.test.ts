/* The pool: users stay on their worker, a worker that is lost is replaced, and nobody else notices. */
import { closeSync, openSync } from 'node:fs';
import t from 'tap';
import { makeLine } from '../../daemon/worker/pace.js';
import { WorkerPool, type PoolOptions } from '../../daemon/pool.js';
import type { FromWorker, AdmittedConnection } from '../../daemon/worker/worker-messages.js';
import { userName } from '../../protocol/ids.js';
import { LEASE_TERM_MS } from '../../protocol/limits.js';
import type { HomeRecord } from '../../state/home-record.js';
import { recordingLog } from '../lib/logs.js';
import type { Scope } from '../lib/scope.js';

type LogLine = Extract<FromWorker, { type: 'log' }>;

function home(name: string): HomeRecord {
  return { name: userName(name), quotaBytes: 0, maxFiles: 0, createdAt: 0 };
}

class Bench {
  readonly pool: WorkerPool;
  readonly log = recordingLog();
  readonly closed: number[] = [];
  readonly lost: string[][] = [];
  readonly closedDescriptors: number[] = [];
  readonly lines: LogLine[] = [];
  #lastId = 0;
  #changed: () => void = () => undefined;

  constructor(scope: Scope, options: Partial<PoolOptions> = {}) {
    this.pool = new WorkerPool({
      size: 2,
      script: new URL('./scripted-worker.js', import.meta.url),
      workerData: {
        ...{ stateDirectory: '', homes: '', serverVersion: '', bootVerifier: Buffer.alloc(8) },
        ...{ leaseTermMs: LEASE_TERM_MS, maxOpenFiles: 1, uploadKeepMs: 86_400_000, firstReserved: 1000 },
        line: makeLine(2),
      },
      log: this.log,
      onSessionClosed: (id) => this.#did(() => this.closed.push(id)),
      onLost: (homes) => this.#did(() => this.lost.push([...homes])),
      onLog: (line) => this.#did(() => this.lines.push(line)),
      closeDescriptor: (fd) => {
        closeSync(fd);
        this.closedDescriptors.push(fd);
      },
      ...options,
    });
    scope.teardown(() => this.pool.close('the test is over', false, 1000));
  }

  /** Hands a session over; what `program` says is what the worker does with it. */
  session(user: string, program = 'behave'): number {
    const sessionId = ++this.#lastId;
    const handover: AdmittedConnection = {
      sessionId,
      fd: openSync('/dev/null', 'r'),
      keys: {
        suite: 'AESGCM',
        sendKey: new Uint8Array(32),
        sendCount: 0,
        receiveKey: new Uint8Array(32),
        receiveCount: 0,
      },
      leftover: new Uint8Array(),
      user: userName(user),
      bandwidth: 0,
      home: home(user),
      login: {
        requestId: 1,
        clientId: new Uint8Array(16),
        leaseWanted: 0,
        program,
      },
      shares: [],
      isReadOnly: false,
      peer: '',
    };
    this.pool.handOver(handover);
    return sessionId;
  }

  /** Waits for something that the pool tells. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
  }

  #did(what: () => unknown): void {
    what();
    this.#changed();
  }
}

t.test('a user stays on a worker, users spread', async (t) => {
  const bench = new Bench(t);
  const threads = (): number => bench.log.lines.filter(({ message }) => message === 'worker started').length;
  t.equal(threads(), 0, 'no worker runs before there is something to do');
  bench.session('alice');
  bench.session('alice');
  t.equal(threads(), 1);
  bench.session('lily');
  bench.session('bob');
  bench.session('lily');
  t.equal(threads(), 2);
});

for (const fault of ['throw', 'exit', 'throw before adopting']) {
  t.test(`a worker that does ${fault} is replaced; the other one goes on`, async (t) => {
    const bench = new Bench(t);
    const alice = bench.session('alice');
    const lily = bench.session('lily');
    const culprit = bench.session('alice', fault);
    await bench.until(() => bench.closed.length === 2);
    t.same(bench.closed, [alice, culprit]);
    t.same(bench.lost, [['alice']]);
    t.equal(bench.closedDescriptors.length, fault === 'throw before adopting' ? 1 : 0);
    t.ok(bench.log.lines.some(({ level, message }) => level === 'error' && /lost/.test(message)));
    // The replacement serves the same user, the other worker still serves the other.
    const again = bench.session('alice');
    bench.pool.endSession(again, '', false);
    bench.pool.endSession(lily, '', false);
    await bench.until(() => bench.closed.length === 4);
    t.same(new Set(bench.closed), new Set([alice, culprit, again, lily]));
    t.equal(bench.lost.length, 1);
  });
}

t.test('a worker that stops answering is replaced', async (t) => {
  // Long enough for lily's thread to start on a machine that is busy with other tests.
  const bench = new Bench(t, { pingMs: 50, hangMs: 6_000 });
  const lily = bench.session('lily');
  const hanging = bench.session('alice', 'hang');
  t.match(await bench.pool.report(false), { silent: [1] }, 'who asks meanwhile is told');
  await bench.until(() => bench.closed.includes(hanging));
  t.same(bench.lost, [['alice']]);
  const again = bench.session('alice');
  bench.pool.endSession(again, '', false);
  await bench.until(() => bench.closed.includes(again));
  t.notOk(bench.closed.includes(lily));
});

t.test(
  'a session that comes while the lost worker ends waits for it; it can be ended meanwhile',
  async (t) => {
    let late = 0;
    let given = 0;
    const log = recordingLog();
    const inFault = new Bench(t, {
      log: {
        ...log,
        error: (_fields, message) => {
          // The worker was given up in this moment, and its thread is not over yet.
          if (!/lost/.test(message)) return;
          queueMicrotask(() => {
            late = inFault.session('alice');
            given = inFault.session('alice');
            inFault.pool.endSession(given, '', false);
            inFault.session('alice', 'tell');
            inFault.pool.homeChanged({ ...home('alice'), quotaBytes: 7 });
          });
        },
      },
    });
    const culprit = inFault.session('alice', 'throw');
    await inFault.until(() => inFault.closed.includes(culprit) && given > 0);
    t.same(inFault.closed, [given, culprit]);
    await inFault.until(() => inFault.lines.length > 0);
    t.match(inFault.lines, [{ message: 'opened', fields: { quotaBytes: 7 } }], 'as the home is by then');
    inFault.pool.endSession(late, '', false);
    await inFault.until(() => inFault.closed.includes(late));
  },
);

t.test('calls: answers, failures, and the failure of a worker', async (t) => {
  const bench = new Bench(t);
  bench.pool.openHome(home('alice'));
  t.same(
    await bench.pool.report(false),
    { reports: [['alice']], silent: [] },
    'the scripted worker answers with names',
  );
  await t.rejects(bench.pool.quotaCheck(home('alice'), false), {
    name: 'Failure',
    kind: 'EIO',
    message: 'on demand',
  });
  await bench.pool.closeHome(userName('alice'), '');
  await bench.pool.closeHome(userName('nobody'), '');
  bench.session('alice', 'exit');
  await t.rejects(bench.pool.closeHome(userName('alice'), ''), { name: 'Failure', message: /lost/ });
});

t.test('a home that closes frees its user, unless something is on its way', async (t) => {
  const bench = new Bench(t, { size: 1 });
  const first = bench.session('alice');
  bench.pool.endSession(first, '', false);
  bench.session('alice');
  await bench.until(() => bench.closed.includes(first));
  bench.pool.homeChanged(home('alice'));
  await bench.until(() => bench.lines.length === 1);
  t.match(bench.lines[0], { fields: { home: 'alice' }, level: 'warn', message: 'seen' });
});
