import t from 'tap';
import { failing } from '../../lib/failing.js';
import type { Failure } from '../../../protocol/failure.js';
import { Line } from '../../../mount/remote/line.js';
import type { Call } from '../../../mount/remote/pending-calls.js';
import { FakeServer, type FakeConnection } from './fake-server.js';
import { until } from './processes.js';
import { MAX_LEASE_ITEMS, MAX_LEASED_UNITS } from '../../../protocol/limits.js';

function call(name: string): Call {
  return {
    method: 'readlink',
    params: [name],
    data: undefined,
    bytes: 0,
    once: false,
    since: 0,
    done: () => undefined,
    endWatch: undefined,
    settled: false,
    sent: undefined,
    faults: 0,
  };
}

async function connect(
  answered: (call: Call, failure: Failure | undefined, result: unknown) => void,
  probe?: { afterMs: number; ms: number },
): Promise<{ line: Line; connection: FakeConnection }> {
  const signal = new AbortController().signal;
  const connection = await new FakeServer().connect({
    clientId: Buffer.alloc(16),
    notifications: {},
    signal,
  });
  return { line: new Line(connection, { answered, softMs: undefined, probe }), connection };
}

t.test('calls are sent and answered, and known by who carries them', async (t) => {
  const answers: unknown[] = [];
  const { line, connection } = await connect((_call, _failure, result) => answers.push(String(result)));
  const a = call('a');
  line.send(a);
  t.ok(line.carries(a));
  await until(() => answers.length === 1);
  t.same(answers, ['a']);
  t.ok(line.heardSentAt >= line.since);
  connection.held = true;
  const b = call('b');
  line.send(b);
  line.cancel(b);
  line.cancel(call('never sent'));
  t.equal(connection.cancelled.length, 1);
  connection.break();
  const c = call('c');
  line.send(c);
  t.notOk(line.carries(c), 'it has closed');
  t.equal(answers.length, 1, 'and answers nothing');
});

t.test('what the server says is told when somebody is ready, in order', async (t) => {
  const { line } = await connect(() => undefined);
  const told: number[] = [];
  line.said(1, () => told.push(1));
  line.said(0, () => told.push(2));
  t.same(told, []);
  line.ready();
  line.said(0, () => told.push(3));
  t.same(told, [1, 2, 3]);
});

t.test(
  'a server that says more than there is room for before somebody is ready breaks the protocol',
  async (t) => {
    for (const units of [0, 1, MAX_LEASE_ITEMS]) {
      const { line } = await connect(() => undefined);
      let messages = 0;
      t.throws(() => {
        for (; messages < 4 * MAX_LEASED_UNITS; messages++) line.said(units, () => undefined);
      }, failing('PROTOCOL'));
      if (units > 0) t.ok(messages * units >= MAX_LEASED_UNITS);
    }
  },
);

t.test('a dead connection is closed while something is awaited', async (t) => {
  const { line, connection } = await connect(() => undefined, { afterMs: 1, ms: 1 });
  connection.dead = true;
  line.send(call('a'));
  t.match(await connection.closed, { kind: 'ETIMEDOUT' });
  line.stop();
});
