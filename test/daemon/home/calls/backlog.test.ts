import t from 'tap';
import {
  Backlog,
  LARGEST_SHARE,
  REQUESTS_BUDGET,
  SMALLEST_SHARE,
} from '../../../../daemon/home/calls/backlog.js';
import { kindOf } from '../fixture.js';

/** Work that is done when it is told, and what was begun of it. */
class Reads {
  readonly begun: string[] = [];
  readonly #ends = new Map<string, () => void>();

  read(name: string): () => Promise<string> {
    return () => {
      this.begun.push(name);
      return new Promise((resolve) => this.#ends.set(name, () => resolve(name)));
    };
  }

  end(name: string): void {
    this.#ends.get(name)?.();
  }
}

/** Fills it as a session does: it is told each time it has sent something. Returns how much it holds then. */
function fill(backlog: Backlog, step: number): number {
  let unsent = 0;
  while (!backlog.isUnread) backlog.setUnsent((unsent += step));
  return unsent;
}

t.test('what many do not read is bounded together, and none gets nothing', (t) => {
  const step = 128 * 1024;
  const backlogs = Array.from({ length: 64 }, () => new Backlog());
  const held = backlogs.map((backlog) => fill(backlog, step));
  t.equal(held[0], LARGEST_SHARE + step, 'one alone has all that one may have');
  t.equal(held.at(-1), SMALLEST_SHARE + step);
  const total = held.reduce((sum, bytes) => sum + bytes);
  t.ok(total < 64 * 1024 * 1024, `${total} bytes`);
  for (const backlog of backlogs) backlog.close();
  t.equal(fill(new Backlog(), step), LARGEST_SHARE + step, 'what ended sessions held is free again');
  t.end();
});

t.test('what was sent and cannot be carried out yet is bounded, too', (t) => {
  const step = 1024 * 1024;
  const backlogs = Array.from({ length: 64 }, () => new Backlog());
  let held = 0;
  for (const backlog of backlogs) for (; !backlog.isBehind; held += step) backlog.addDeferred(step);
  t.ok(held <= REQUESTS_BUDGET + 64 * step, `${held} bytes`);
  t.equal(fill(new Backlog(), step), LARGEST_SHARE + step, 'answers have a budget of their own');
  for (const backlog of backlogs) backlog.close();
  const waiting = new Backlog();
  waiting.addUnderway(REQUESTS_BUDGET);
  t.equal(waiting.isBehind, false, 'who waits for others is heard');
  const last = new Backlog();
  last.addDeferred(SMALLEST_SHARE + 1);
  t.equal(last.isBehind, true, 'but it counts');
  waiting.addUnderway(-REQUESTS_BUDGET);
  t.equal(last.isBehind, false);
  last.close();
  t.end();
});

t.test('what is made waits for what is not taken, in order', async (t) => {
  const backlog = new Backlog();
  const reads = new Reads();
  backlog.setUnsent(LARGEST_SHARE);
  const first = backlog.hold(1000, reads.read('first'));
  const second = backlog.hold(LARGEST_SHARE, reads.read('second'));
  const third = backlog.hold(1000, reads.read('third'));
  t.same(reads.begun, []);
  backlog.setUnsent(0);
  t.same(reads.begun, ['first'], 'more would be too much');
  reads.end('first');
  t.equal(await first, 'first');
  t.same(reads.begun, ['first', 'second']);
  reads.end('second');
  t.equal(await second, 'second');
  reads.end('third');
  t.equal(await third, 'third');
  const large = backlog.hold(2 * LARGEST_SHARE, reads.read('large'));
  reads.end('large');
  t.equal(await large, 'large', 'one is made, however large');
});

t.test('work that fails makes room, at once or later', async (t) => {
  const backlog = new Backlog();
  const thrown = backlog.hold(LARGEST_SHARE, () => {
    throw new Error('at once');
  });
  await t.rejects(thrown, { message: 'at once' });
  await t.rejects(
    backlog.hold(LARGEST_SHARE, () => Promise.reject(new Error('later'))),
    { message: 'later' },
  );
  t.equal(await backlog.hold(LARGEST_SHARE, () => Promise.resolve('done')), 'done');
});

t.test('nothing is begun for a session that has ended', async (t) => {
  const backlog = new Backlog();
  const reads = new Reads();
  backlog.setUnsent(LARGEST_SHARE);
  const waiting = backlog.hold(1000, reads.read('waiting'));
  backlog.close();
  t.equal(await kindOf(() => waiting), 'ECANCELED');
  t.equal(await kindOf(() => backlog.hold(1000, reads.read('late'))), 'ECANCELED');
  t.same(reads.begun, []);
});
