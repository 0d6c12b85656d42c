/* What ftpctl top shows: rates between two looks, in the lines that there is room for. */
import t from 'tap';
import { activityBetween, type Look } from '../../../ctl/admin/activity.js';
import { activityLines } from '../../../ctl/admin/activity-view.js';
import { measurements } from '../../../daemon/measurements.js';
import { count, countInto, makeCells, took } from '../../../daemon/measures.js';
import { userName } from '../../../protocol/ids.js';
import type { SessionStatus } from '../../../state/control.js';

const ALICE = userName('alice');
const STARTED = Date.UTC(2026, 0, 1);

function session(port: number, bytesSent: number | null, program = 'ftpmount 1.0'): SessionStatus {
  const activity = bytesSent === null ? null : { requests: bytesSent / 100, bytesReceived: 0, bytesSent };
  return { share: null, user: ALICE, peer: `127.0.0.1:${port}`, program, since: STARTED, activity };
}

/** Of a daemon with one worker, whose work is done on this thread. */
const cells = makeCells();
countInto(cells);
function look(at: number, sessions: readonly SessionStatus[], silentWorkers: readonly number[] = []): Look {
  return {
    at,
    status: {
      ...{
        pid: 7,
        version: '1.0',
        address: '127.0.0.1:8083',
        startedAt: STARTED,
        bandwidth: 0,
        maxSessions: 99,
        queued: 3,
      },
      ...{ maxQueue: 50, workers: 1, silentWorkers, sessions, uses: [] },
    },
    measurements: measurements({ cells: [] }, { reports: [], silent: [] }),
  };
}

const before = look(0, [session(1, 1000), session(2, 500), session(4, 0)]);
count('bytesSent', 4096);
for (const ms of [1, 3]) took('getattr', ms);
took('fsync', 10);
const after = look(
  2000,
  [session(1, 1000), session(2, 4500), session(3, 400, 'x\u001b[2J\u202e'), session(4, null)],
  [0],
);
const activity = activityBetween(before, after);

t.test('rates are of the time between, the busiest session first', async (t) => {
  t.match(activity, {
    rates: { calls: 1, bytesSent: 2048, bytesReceived: 0 },
    ...{ callMs: 2, syncsPerSecond: 0.5, syncMs: 10, queueMs: null },
  });
  t.strictSame(
    activity.sessions.map(({ peer, rates }) => [peer.split(':')[1], rates?.bytesSent, rates?.calls]),
    [
      ['2', 2000, 20],
      ['3', 200, 2],
      ['1', 0, 0],
      ['4', undefined, undefined],
    ],
  );
});

t.test('lines tell it all, with nothing that a terminal obeys', async (t) => {
  const lines = activityLines(activity, STARTED + 61_000, { columns: Infinity, rows: Infinity });
  t.match(lines.join('\n'), /^ftpmountd 1\.0, process 7, on 127\.0\.0\.1:8083, up 1:01\n/);
  t.match(lines, [
    /ftpmountd/,
    /4 of 99; waiting 3 of 50, for -$/,
    /sent 2\.0KB\/s/,
    /1\.0\/s, each 2\.0 ms; syncs 0\.5\/s/,
  ]);
  t.match(lines[4], /worker 0 does not answer/);
  t.match(
    lines.at(-1),
    /^ +- +- +- +1:01 +alice +- +127\.0\.0\.1:4/,
    'what its worker would say is not known',
  );
  t.notOk(lines.some((line) => line.includes('\u001b') || line.includes('\u202e')));
});

t.test('on a small terminal what does not fit is counted', async (t) => {
  const many = Array.from({ length: 40 }, (_, n) => session(n, n, 'a program of a long name'.repeat(4)));
  const shown = activityLines(activityBetween(before, look(2000, many)), STARTED, { columns: 80, rows: 24 });
  t.equal(shown.length, 24);
  t.ok(shown.every((line) => line.length <= 80));
  const listed = shown.filter((line) => line.includes('127.0.0.1:') && !line.includes('ftpmountd')).length;
  t.equal(shown.at(-1), `and ${40 - listed} more, less busy`);
  for (const rows of [1, 5, 8]) t.equal(activityLines(activity, STARTED, { columns: 10, rows }).length, rows);
});
