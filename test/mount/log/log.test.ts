import t from 'tap';
import type { Attributes } from '../../../protocol/attributes.js';
import { Failure } from '../../../protocol/failure.js';
import { MAX_DATA } from '../../../protocol/limits.js';
import { WRITE } from '../../../protocol/operations.js';
import type { Entry } from '../../../mount/log/entry.js';
import { Log, type LogOptions } from '../../../mount/log/log.js';
import { outcomeOf } from '../tree/planted.js';
import { FILE, mkdir, NOTHING, serialOf, TIME } from './operations.js';

class Kept {
  readonly failed: [number, string][] = [];
  readonly told: bigint[] = [];
  readonly dropped: Entry[] = [];
  now = 0;
  readonly log: Log;

  constructor(options: Partial<LogOptions> = {}) {
    this.log = new Log({
      now: () => this.now,
      failed: ({ operation }, failure) => this.failed.push([serialOf(operation), failure.kind]),
      told: (_entry, attributes) => this.told.push(...attributes.map(({ ino }) => ino)),
      dropped: (entry) => this.dropped.push(entry),
      ...options,
    });
  }

  /** The serial numbers of what is sent next. */
  readonly take = (): number[] => (this.log.take()?.operations ?? []).map(serialOf);
}

t.test('operations leave in order, under contiguous numbers', async (t) => {
  const { log } = new Kept();
  for (const serial of [1, 2, 3]) log.append(mkdir(serial), NOTHING);
  const batch = log.take(2);
  t.equal(batch?.first, 1);
  t.same(batch?.operations.map(serialOf), [1, 2]);
  log.append(mkdir(4), NOTHING);
  const rest = log.take();
  t.equal(rest?.first, 3);
  t.same(rest?.operations.map(serialOf), [3, 4]);
  t.equal(log.take(), undefined);
  t.equal(log.lastNumber, 4);
});

t.test('an entry is kept until it is durable, and counted for what it still is', async (t) => {
  const { log, dropped } = new Kept();
  const entry = log.append(mkdir(1), { bytes: 10, files: 1 });
  t.same([log.unsent.operations, log.unapplied.operations, log.undurable.operations], [1, 1, 1]);
  log.take();
  t.same([log.unsent.operations, log.unapplied.operations, log.undurable.operations], [0, 1, 1]);
  t.same(log.charged, { bytes: 10, files: 1 });
  log.answered(1, 0, []);
  t.same([log.unapplied.operations, log.undurable.operations], [0, 1]);
  t.same(log.charged, { bytes: 0, files: 0 }, 'what is left of the grant is told by the answer');
  t.equal(log.last, entry);
  log.durable(1);
  t.equal(log.undurable.operations, 0);
  t.equal(log.last, undefined);
  t.same(dropped, [entry]);
  t.equal(entry.state, 'durable');
});

t.test('writes to one file are gathered in the last entry only', async (t) => {
  const { log } = new Kept();
  const first = log.write(FILE, 100, Buffer.from('0123456789'), TIME, { bytes: 10, files: 0 });
  t.equal(log.write(FILE, 110, Buffer.from('abc'), TIME, { bytes: 3, files: 0 }), first, 'behind');
  t.equal(log.write(FILE, 104, Buffer.from('xy'), TIME, NOTHING), first, 'within');
  t.equal(first.data.toString(), '0123xy6789abc');
  t.same(log.charged, { bytes: 13, files: 0 });
  t.same(log.unsent, { ...log.unsent, operations: 1, bytes: 13 });
  t.not(log.write(FILE, 200, Buffer.from('far'), TIME, NOTHING), first, 'a gap');
  t.not(log.write(FILE, 99, Buffer.from('before'), TIME, NOTHING), first);
  const other = log.write({ ino: 8n, birth: 1n }, 105, Buffer.from('other'), TIME, NOTHING);
  t.equal(other.data.toString(), 'other');
  log.append(mkdir(1), NOTHING);
  const later = log.write(FILE, 113, Buffer.from('later'), TIME, NOTHING);
  t.not(later, first, 'something came between: the order is kept');
  log.take();
  t.not(log.write(FILE, 118, Buffer.from('more'), TIME, NOTHING), later, 'it was sent');
});

t.test('what was sent once is not changed, also where it is to be sent again', async (t) => {
  const { log } = new Kept();
  const entry = log.write(FILE, 0, Buffer.from('sent'), TIME, NOTHING);
  log.take();
  log.resume(0);
  t.equal(entry.state, 'unsent');
  t.not(log.write(FILE, 4, Buffer.from('more'), TIME, NOTHING), entry);
  t.equal(log.cancel([entry]), false);
});

t.test('a write is whole in one entry', async (t) => {
  const { log } = new Kept();
  const first = log.write(FILE, 0, Buffer.alloc(MAX_DATA - 10, 1), TIME, NOTHING);
  const second = log.write(FILE, MAX_DATA - 10, Buffer.alloc(20, 2), TIME, NOTHING);
  t.not(second, first);
  t.same([first.bytes, second.bytes], [MAX_DATA - 10, 20]);
  t.throws(() => log.write(FILE, 0, Buffer.alloc(MAX_DATA + 1), TIME, NOTHING), RangeError);
});

t.test('the data of a write are there until it is dropped', async (t) => {
  const seen: string[] = [];
  const { log } = new Kept({
    dropped: ({ operation }) => {
      if (operation.kind === WRITE) seen.push(operation.data?.toString() ?? '');
    },
  });
  const entry = log.write(FILE, 0, Buffer.from('data'), TIME, NOTHING);
  log.take();
  log.answered(1, 0, []);
  t.equal(entry.data.toString(), 'data', 'applied');
  log.durable(1);
  t.same(seen, ['data']);
  t.equal(entry.data.length, 0);
});

t.test('operations that were never sent are taken back, all or none', async (t) => {
  const { log, take } = new Kept();
  const entries = [1, 2, 3, 4].map((serial) => log.append(mkdir(serial), { bytes: 0, files: 1 }));
  const [first, second, third] = entries as [Entry, Entry, Entry, Entry];
  t.equal(log.cancel([first, third]), true);
  t.equal(first.state, 'cancelled');
  t.same(log.charged, { bytes: 0, files: 2 });
  log.take(1);
  t.equal(log.cancel(entries.slice(1)), false, 'one of them was sent');
  t.equal(second.state, 'sent');
  t.same(take(), [4]);
  log.append(mkdir(5), NOTHING);
  t.same(take(), [5]);
});

t.test('failures and what the server told reach the entries that they are of', async (t) => {
  const { log, failed, told } = new Kept();
  const entries = [1, 2, 3, 4].map((serial) => log.append(mkdir(serial), { bytes: 1, files: 1 }));
  log.take();
  const left = { ino: 99n } as Attributes;
  log.answered(3, 0, [
    [2, ['ENOSPC', 'full'], []],
    [3, null, [left]],
  ]);
  t.same(failed, [[2, 'ENOSPC']]);
  t.same(told, [99n]);
  t.same(
    entries.map(({ state }) => state),
    ['applied', 'failed', 'applied', 'sent'],
  );
  t.same(log.charged, { bytes: 1, files: 1 });
  log.durable(3);
  t.equal(log.undurable.operations, 1);
});

t.test('what the server has lost is sent again; numbers close up over what failed', async (t) => {
  const { log, take } = new Kept();
  for (const serial of [1, 2, 3, 4, 5]) log.append(mkdir(serial), { bytes: 0, files: 1 });
  take();
  log.answered(4, 1, [[3, ['ENOSPC', 'full'], []]]);
  t.equal(log.undurable.operations, 3, '1 is durable, 3 has failed');
  t.equal(log.rewinds, 0);
  log.resume(1);
  t.equal(log.rewinds, 1);
  t.same(log.charged, { bytes: 0, files: 3 });
  t.same(take(), [2, 4, 5]);
  t.equal(log.lastNumber, 4);
  log.answered(4, 4, []);
  t.equal(log.last, undefined);
});

t.test('a server that lost its power may know of less than it had told', async (t) => {
  const { log, take } = new Kept();
  for (const serial of [1, 2, 3, 4]) log.append(mkdir(serial), NOTHING);
  take();
  log.answered(3, 2, []);
  log.resume(1);
  const batch = log.take();
  t.equal(batch?.first, 2, 'what it kept is numbered on from there');
  t.equal(batch?.operations.length, 2);
  log.answered(3, 3, []);
  t.equal(log.last, undefined);
});

t.test('what was applied and not answered stays sent until it is answered', async (t) => {
  const { log, failed } = new Kept();
  for (const serial of [1, 2, 3]) log.append(mkdir(serial), NOTHING);
  log.take();
  log.resume(2);
  t.equal(log.unanswered, 1);
  t.same(log.take()?.first, 3);
  log.answered(2, 0, [[1, ['EIO', 'broken'], []]]);
  t.same(failed, [[1, 'EIO']]);
  t.equal(log.unanswered, 3);
});

t.test('what the server does not take is passed over', async (t) => {
  const { log, failed, take } = new Kept();
  for (const serial of [1, 2, 3]) log.append(mkdir(serial), NOTHING);
  take();
  log.answered(1, 0, []);
  log.resume(1);
  log.giveUp(log.firstUnapplied, new Failure('ESTALE'));
  t.same(failed, [[2, 'ESTALE']]);
  t.same(take(), [3]);
  t.equal(log.lastNumber, 2);
});

t.test('what was made under lost leases goes another way, before what came later', async (t) => {
  const { log, failed, dropped, take } = new Kept();
  const entries = [
    log.append(mkdir(1), NOTHING),
    log.append(mkdir(2), NOTHING),
    log.append(mkdir(3), NOTHING),
  ] as const;
  const write = log.write(FILE, 0, Buffer.from('before'), TIME, NOTHING);
  log.take(2);
  log.answered(1, 0, []);
  log.resume(1);
  t.equal(log.orphan, undefined);
  log.leasesLost(1);
  log.append(mkdir(5), NOTHING);
  t.equal(log.orphan, entries[1]);
  const durable = entries[1].when('durable');
  log.reintegrated(entries[1]);
  await durable;
  t.equal(log.orphan, entries[2]);
  log.giveUp(entries[2], new Failure('EDQUOT'));
  t.same(failed, [[3, 'EDQUOT']]);
  t.equal(log.orphan, write);
  t.notOk(log.cancel([write]), 'it may be under way');
  log.reintegrated(write);
  t.same(dropped, [entries[1], entries[2], write]);
  t.equal(log.orphan, undefined);
  t.same([log.unsent.operations, log.unapplied.operations, log.undurable.operations], [1, 1, 2]);
  t.same(take(), [5]);
  t.equal(log.lastNumber, 2, 'they had no numbers');
});

t.test('what the server has lost goes another way, too, where the leases are lost', async (t) => {
  const { log, take } = new Kept();
  const entries = [1, 2, 3].map((serial) => log.append(mkdir(serial), NOTHING));
  log.take(2);
  log.answered(2, 0, []);
  log.leasesLost(1);
  log.resume(1);
  t.equal(log.orphan, entries[1]);
  t.same(take(), []);
});

t.test('what was lost before it is sent first, and never what goes another way', async (t) => {
  const { log, dropped, take } = new Kept();
  const [applied, orphan] = [log.append(mkdir(1), NOTHING), log.append(mkdir(2), NOTHING)];
  log.take(1);
  log.answered(1, 0, []);
  log.leasesLost(1);
  // The server loses its power while the orphan is carried out as a change.
  log.resume(0);
  t.equal(log.orphan, orphan);
  log.reintegrated(orphan);
  t.same(dropped, [orphan]);
  t.equal(applied.state, 'unsent');
  t.same(take(), [1]);
});

t.test('a server that refuses what it has carried out breaks the protocol', async (t) => {
  const { log } = new Kept();
  log.append(mkdir(1), NOTHING);
  log.take();
  const giveUp = (): void => log.giveUp(log.firstUnapplied, new Failure('EINVAL'));
  t.equal(outcomeOf(giveUp), 'PROTOCOL');
  log.answered(1, 1, []);
  t.equal(outcomeOf(giveUp), 'PROTOCOL');
});

t.test('a later write does not become part of what goes another way', async (t) => {
  const { log } = new Kept();
  const before = log.write(FILE, 0, Buffer.from('before'), TIME, NOTHING);
  log.leasesLost(0);
  t.not(log.write(FILE, 6, Buffer.from('later'), TIME, NOTHING), before);
});

t.test('stages are waited for', async (t) => {
  const { log } = new Kept();
  const entry = log.append(mkdir(1), NOTHING);
  const reached: string[] = [];
  const note = (what: string) => (): void => void reached.push(what);
  const all = [
    entry.when('durable')?.then(note('durable')),
    log.whenSent(entry)?.then(note('sent')),
    log.whenApplied(entry)?.then(note('applied')),
  ];
  log.take();
  await all[1];
  t.equal(log.whenSent(entry), undefined);
  log.answered(1, 0, []);
  await all[2];
  t.same(reached, ['sent', 'applied']);
  log.durable(1);
  await Promise.all(all);
  t.equal(entry.when('durable'), undefined);
});

t.test('who waits is let go where the entry fails or is cancelled', async (t) => {
  const { log } = new Kept();
  const [failing, cancelled] = [log.append(mkdir(1), NOTHING), log.append(mkdir(2), NOTHING)];
  const waits = [failing.when('durable'), cancelled.when('durable')];
  log.take(1);
  log.answered(1, 0, [[1, ['EIO', 'broken'], []]]);
  log.cancel([cancelled]);
  await Promise.all(waits);
  t.equal(failing.failure?.kind, 'EIO');
});

t.test('who waits for an operation that is taken back waits for what comes before it', async (t) => {
  const { log } = new Kept();
  const [before, taken] = [log.append(mkdir(1), NOTHING), log.append(mkdir(2), NOTHING)];
  const applied = taken.when('applied');
  log.cancel([taken]);
  t.ok(taken.when('sent'), 'also who comes later');
  log.take();
  t.equal(taken.when('sent'), undefined);
  t.ok(taken.when('applied'));
  log.answered(1, 0, []);
  await applied;
  t.equal(before.state, 'applied');
  t.equal(taken.when('applied'), undefined);
});

t.test('changes wait while too much is not durable', async (t) => {
  const { log } = new Kept({ limitBytes: 10_000 });
  log.write(FILE, 0, Buffer.alloc(6_000), TIME, NOTHING);
  t.equal(log.room(), undefined);
  t.equal(log.crowded, true, 'more than half');
  log.append(mkdir(1), NOTHING);
  log.write(FILE, 6_000, Buffer.alloc(6_000), TIME, NOTHING);
  const room = log.room();
  t.ok(room);
  log.take();
  log.answered(3, 0, []);
  t.ok(log.room(), 'applied is not enough');
  log.durable(2);
  await room;
  t.equal(log.room(), undefined);
});

t.test('changes wait while what is not sent is old', async (t) => {
  const kept = new Kept({ limitMs: 2_000 });
  const { log } = kept;
  log.append(mkdir(1), NOTHING);
  kept.now = 2_001;
  const room = log.room();
  t.ok(room);
  log.take();
  await room;
  t.equal(log.room(), undefined);
});

t.test('at the end nobody waits any longer', async (t) => {
  const { log } = new Kept({ limitBytes: 1 });
  const entry = log.append(mkdir(1), NOTHING);
  const waits = [log.room(), entry.when('durable')];
  log.ended(new Failure('EACCES'));
  waits.push(log.room(), log.whenSent(entry));
  const outcomes = await Promise.allSettled(waits);
  t.same(
    outcomes.map((outcome) => outcome.status === 'rejected' && Failure.from(outcome.reason).kind),
    ['EACCES', 'EACCES', 'EACCES', 'EACCES'],
  );
});
