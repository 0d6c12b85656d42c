import t from 'tap';
import { Failure } from '../../../protocol/failure.js';
import { ReadAhead, ReadBudget, type Arrival } from '../../../mount/filesystem/read-ahead.js';
import { failureOf } from './mounted-home.js';

const KiB = 1024;
const MiB = 1024 * KiB;
const CALLER = { pid: process.pid };

/** A file whose reads are answered when the test says so. */
class SlowFile {
  readonly content: Buffer;
  readonly asked: { offset: number; length: number; arrival: Arrival }[] = [];
  readonly ahead: ReadAhead;
  /** Each as [offset, length]. */
  readonly requests: [number, number][] = [];

  constructor(bytes: number, budget = new ReadBudget()) {
    this.content = Buffer.alloc(bytes);
    for (let at = 0; at + 4 <= bytes; at += 4) this.content.writeUInt32LE(at, at);
    this.ahead = new ReadAhead((offset, length, arrival) => {
      this.requests.push([offset, length]);
      this.asked.push({ offset, length, arrival });
    }, budget);
  }

  /** Answers what was asked for, in a buffer that is overwritten afterwards, as the real one is. */
  answer(count = this.asked.length): void {
    for (const { offset, length, arrival } of this.asked.splice(0, count)) {
      const view = Buffer.from(this.content.subarray(offset, offset + length));
      arrival(undefined, view);
      view.fill(0xee);
    }
  }

  read(offset: number, length: number, size: number | undefined = this.content.length): Promise<Buffer> {
    let data: Buffer | undefined;
    const done = this.ahead.read(offset, length, size, (pieces) => (data = Buffer.concat(pieces)), CALLER);
    return Promise.resolve(done).then(() => data ?? Buffer.from('no reply'));
  }

  /** Answers one request after the other, until the read has what it waits for. */
  async answerUntil(read: Promise<Buffer>): Promise<Buffer> {
    const turn = (): Promise<undefined> => new Promise((resolve) => setImmediate(resolve, undefined));
    for (;;) {
      const data = await Promise.race([read, turn()]);
      if (data !== undefined || this.asked.length === 0) return read;
      this.answer(1);
    }
  }

  expected(offset: number, length: number): Buffer {
    return this.content.subarray(offset, offset + length);
  }
}

t.test('a file is read in order, ever further ahead', async (t) => {
  const file = new SlowFile(20 * MiB);
  let furthest = 0;
  for (let offset = 0; offset < file.content.length; offset += 128 * KiB) {
    const read = file.read(offset, 128 * KiB);
    furthest = Math.max(furthest, ...file.requests.map(([at, length]) => at + length - offset));
    // A long line: what is not needed for this read is still under way at the next.
    t.ok((await file.answerUntil(read)).equals(file.expected(offset, 128 * KiB)), `bytes at ${offset}`);
  }
  t.ok(furthest >= 4 * MiB, 'several MiB ahead');
  t.ok(furthest <= 9 * MiB, 'and not without bound');
  let next = 0;
  for (const [offset, length] of file.requests) {
    t.equal(offset, next, 'every byte is asked for once');
    t.ok(length <= MiB);
    next += length;
  }
  t.equal(next, file.content.length);
});

t.test('the window stays small where the program does not wait', async (t) => {
  const file = new SlowFile(20 * MiB);
  const first = file.read(0, 64 * KiB);
  file.answer();
  await first;
  for (let offset = 64 * KiB; offset < 4 * MiB; offset += 64 * KiB) {
    const read = file.read(offset, 64 * KiB);
    file.answer();
    await read;
  }
  t.ok(file.requests.every(([, length]) => length <= 512 * KiB));
});

t.test('several reads at once, answered out of order', async (t) => {
  const file = new SlowFile(2 * MiB);
  const first = file.read(0, 128 * KiB);
  file.answer();
  await first;
  const reads = [0, 1, 2, 3].map((i) => file.read((128 + 128 * i) * KiB, 128 * KiB));
  file.asked.reverse();
  file.answer();
  for (const [i, read] of reads.entries()) {
    t.ok((await read).equals(file.expected((128 + 128 * i) * KiB, 128 * KiB)), `read ${i}`);
  }
});

t.test('a read over the border of two blocks', async (t) => {
  const file = new SlowFile(4 * MiB);
  for (let offset = 0; offset < 3 * MiB; offset += 300_000) {
    const read = file.read(offset, 300_000);
    file.answer(1);
    file.answer();
    t.ok((await read).equals(file.expected(offset, 300_000)));
  }
});

t.test('reads here and there are just those', async (t) => {
  const file = new SlowFile(8 * MiB);
  for (const offset of [5 * MiB, MiB, 7 * MiB, 3 * MiB]) {
    const read = file.read(offset, 4 * KiB);
    file.answer();
    t.ok((await read).equals(file.expected(offset, 4 * KiB)));
  }
  t.same(
    file.requests.map(([, length]) => length),
    [4 * KiB, 4 * KiB, 4 * KiB, 4 * KiB],
  );
});

t.test('nothing is asked for beyond the end', async (t) => {
  const file = new SlowFile(100 * KiB);
  const read = file.read(0, 128 * KiB);
  t.same(file.requests, [[0, 100 * KiB]]);
  file.answer();
  t.equal((await read).length, 100 * KiB);
  t.equal((await file.read(100 * KiB, 128 * KiB)).length, 0);
  t.equal(file.requests.length, 1);
});

t.test('a file that is shorter than was known ends where it ends', async (t) => {
  const file = new SlowFile(100 * KiB);
  const read = file.read(0, 128 * KiB, 10 * MiB);
  file.answer();
  t.equal((await read).length, 100 * KiB);
  const next = file.read(100 * KiB, 128 * KiB, undefined);
  file.answer();
  t.equal((await next).length, 0);
});

t.test('what was dropped is asked for again, and who waited is served', async (t) => {
  const file = new SlowFile(4 * MiB);
  const first = file.read(0, 128 * KiB);
  file.answer();
  await first;
  const waiting = file.read(128 * KiB, 128 * KiB);
  file.ahead.drop();
  file.answer();
  t.ok((await waiting).equals(file.expected(128 * KiB, 128 * KiB)));
  file.content.fill(7);
  const after = file.read(256 * KiB, 128 * KiB);
  file.answer();
  t.ok((await after).equals(Buffer.alloc(128 * KiB, 7)), 'nothing of before');
});

t.test('a failure reaches those who wait, and the next read tries again', async (t) => {
  const file = new SlowFile(MiB);
  const read = file.read(0, 128 * KiB);
  for (const { arrival } of file.asked.splice(0)) arrival(new Failure('EIO'), undefined);
  t.equal(await failureOf(() => read), 'EIO');
  const again = file.read(0, 128 * KiB);
  file.answer();
  t.ok((await again).equals(file.expected(0, 128 * KiB)));
});

t.test('an interrupted read leaves the others alone', async (t) => {
  const file = new SlowFile(MiB);
  const killed = new AbortController();
  const read = file.ahead.read(0, 64 * KiB, MiB, () => t.fail('replied'), {
    pid: 2 ** 30,
    signal: killed.signal,
  });
  const other = file.read(0, 64 * KiB);
  killed.abort();
  t.equal(await failureOf(() => read), 'EINTR');
  file.answer();
  t.ok((await other).equals(file.expected(0, 64 * KiB)));
});

t.test('all files together stay within a budget', async (t) => {
  const budget = new ReadBudget();
  const files = Array.from({ length: 12 }, () => new SlowFile(40 * MiB, budget));
  let held = 0;
  for (const file of files) {
    for (let offset = 0; offset < 4 * MiB; offset += 512 * KiB) {
      const read = file.read(offset, 512 * KiB);
      file.answer();
      await read;
    }
  }
  // What a fresh file may still read ahead shows what is left.
  const probe = new ReadAhead(() => undefined, budget);
  while (budget.take(MiB, probe)) held++;
  t.ok(held <= 32);
  for (const file of files) file.ahead.close();
  budget.give(held * MiB);
  held = 0;
  while (budget.take(MiB, probe)) held++;
  t.equal(held, 32, 'and everything is given back');
});

t.test('data that come along with the opening', async (t) => {
  const file = new SlowFile(1_000);
  const arrival = file.ahead.expect(1_000);
  const read = file.read(0, 4 * KiB);
  arrival(undefined, Buffer.from(file.content));
  t.ok((await read).equals(file.content));
  t.same(file.requests, []);
  const other = new SlowFile(1_000);
  const none = other.ahead.expect(1_000);
  const late = other.read(0, 4 * KiB);
  none(undefined, undefined);
  other.answer();
  t.ok((await late).equals(other.content), 'or do not');
});
