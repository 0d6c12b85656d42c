import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { ReadBudget } from '../../../mount/data/budget.js';
import { CALLER, failureOf, KiB, Line, MiB, ScriptedFile, shared } from './scripted-file.js';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A process that a signal is about to end. */
async function dyingProcess(t: Test): Promise<number> {
  const child = spawn('sh', ['-c', 'echo ready; kill -STOP $$'], { stdio: ['ignore', 'pipe', 'ignore'] });
  t.teardown(() => child.kill('SIGKILL'));
  const { pid, stdout } = child;
  if (pid === undefined) throw new Error('no shell');
  await once(stdout, 'data');
  while (!/^State:\tT/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'))) await turn();
  child.kill('SIGTERM');
  return pid;
}

t.test('a file is read in order as fast as the line is', (t) => {
  for (const [roundTripMs, bytesPerMs] of [
    [20, 100 * KiB],
    [1, 400 * KiB],
    [50, 10 * KiB],
  ] as const) {
    const file = new ScriptedFile(24 * MiB);
    const line = new Line(file, roundTripMs, bytesPerMs);
    let wrong = 0;
    for (let offset = 0; offset < file.content.length; offset += 128 * KiB) {
      if (!line.read(offset, 128 * KiB).equals(file.expected(offset, 128 * KiB))) wrong++;
    }
    t.equal(wrong, 0);
    const ideal = roundTripMs + file.content.length / bytesPerMs;
    t.ok(
      file.shared.clock.ms < 1.05 * ideal + 6 * roundTripMs,
      `${roundTripMs} ms: ${file.shared.clock.ms} of ${ideal} ms`,
    );
    let next = 0;
    for (const [offset, length] of file.requests.toSorted(([a], [b]) => a - b)) {
      if (offset !== next || length > MiB)
        t.fail(`${length} bytes of ${offset} were asked for after ${next}`);
      next = offset + length;
    }
    t.equal(next, file.content.length, 'every byte is asked for once');
  }
  t.end();
});

t.test('the window stays small where the program does not wait', async (t) => {
  const file = new ScriptedFile(20 * MiB);
  const first = file.read(0, 64 * KiB);
  file.answerAll();
  await first;
  for (let offset = 64 * KiB; offset < 4 * MiB; offset += 64 * KiB) {
    const read = file.read(offset, 64 * KiB);
    file.answerAll();
    await read;
  }
  t.ok(file.requests.every(([offset, length], index) => offset + length <= (index + 4) * 128 * KiB));
});

t.test('on a slow line little is under way that nobody waits for', (t) => {
  const file = new ScriptedFile(8 * MiB);
  const line = new Line(file, 20, KiB);
  let most = 0;
  for (let offset = 0; offset < file.content.length; offset += 64 * KiB) {
    line.read(offset, 64 * KiB);
    const underWay = file.asked.reduce((sum, { length }) => sum + length, 0);
    // As soon as it is known to be slow.
    if (offset >= MiB) most = Math.max(most, underWay);
  }
  t.ok(most <= 256 * KiB, `at most ${most} bytes`);
  t.end();
});

t.test('what is waited for is asked for first', (t) => {
  const file = new ScriptedFile(8 * MiB);
  void file.read(0, 128 * KiB);
  void file.read(128 * KiB, 128 * KiB);
  t.same(file.requests[0], [0, 128 * KiB]);
  t.ok(file.requests.length > 1, 'and more behind it');
  t.end();
});

t.test('several reads at once, answered out of order', async (t) => {
  const file = new ScriptedFile(2 * MiB);
  const first = file.read(0, 128 * KiB);
  file.answerAll();
  await first;
  const reads = [0, 1, 2, 3].map((i) => file.read((128 + 128 * i) * KiB, 128 * KiB));
  for (const asked of file.asked.toReversed()) file.answer(asked);
  for (const [i, read] of reads.entries()) {
    t.ok((await read).equals(file.expected((128 + 128 * i) * KiB, 128 * KiB)), `read ${i}`);
  }
});

t.test('three readers around a block that came before the one in front of it', async (t) => {
  const file = new ScriptedFile(4 * MiB);
  const begin = file.read(0, 64 * KiB);
  file.answerAll();
  await begin;
  // Two blocks are on their way, and who reads the middle of the second needs no more than that.
  const across = file.read(64 * KiB, 512 * KiB);
  const middle = file.read(576 * KiB, 128 * KiB);
  const behind = file.read(640 * KiB, 128 * KiB);
  for (const asked of file.asked.toReversed()) file.answer(asked);
  t.ok((await across).equals(file.expected(64 * KiB, 512 * KiB)));
  t.ok((await middle).equals(file.expected(576 * KiB, 128 * KiB)));
  t.ok((await behind).equals(file.expected(640 * KiB, 128 * KiB)));
  // Before what was kept of a block.
  const again = file.read(560 * KiB, 64 * KiB);
  file.answerAll();
  t.ok((await again).equals(file.expected(560 * KiB, 64 * KiB)));
});

t.test('a read over the border of two blocks', async (t) => {
  const file = new ScriptedFile(4 * MiB);
  for (let offset = 0; offset < 3 * MiB; offset += 300_000) {
    const read = file.read(offset, 300_000);
    file.answerAll();
    t.ok((await read).equals(file.expected(offset, 300_000)));
  }
});

t.test('reads here and there are just those', async (t) => {
  const file = new ScriptedFile(8 * MiB);
  for (const offset of [5 * MiB, MiB, 7 * MiB, 3 * MiB]) {
    const read = file.read(offset, 4 * KiB);
    file.answerAll();
    t.ok((await read).equals(file.expected(offset, 4 * KiB)));
  }
  t.ok(file.requests.every(([, length]) => length === 4 * KiB));
});

t.test('nothing is asked for beyond the end', async (t) => {
  const file = new ScriptedFile(100 * KiB);
  const read = file.read(0, 128 * KiB);
  t.same(file.requests, [[0, 100 * KiB]]);
  file.answerAll();
  t.equal((await read).length, 100 * KiB);
  t.equal((await file.read(100 * KiB, 128 * KiB)).length, 0);
  t.equal(file.requests.length, 1);
});

t.test('a small file comes with the first read of its beginning', async (t) => {
  const file = new ScriptedFile(60 * KiB);
  const read = file.read(0, 16 * KiB);
  file.answerAll();
  await read;
  t.ok(file.known(16 * KiB, 44 * KiB)?.equals(file.expected(16 * KiB, 44 * KiB)));
});

t.test('nothing is asked for ahead where the size is not believed', async (t) => {
  const file = new ScriptedFile(MiB);
  for (const offset of [0, 16 * KiB, 32 * KiB]) {
    const read = file.reader.read(offset, 16 * KiB, undefined, () => undefined, CALLER);
    file.answerAll();
    await read;
  }
  t.same(
    file.requests.map(([, length]) => length),
    [16 * KiB, 16 * KiB, 16 * KiB],
  );
});

t.test('a file that is shorter than was believed ends where it ends, and may grow again', async (t) => {
  const file = new ScriptedFile(100 * KiB);
  const read = file.read(0, 128 * KiB, 10 * MiB);
  file.answerAll();
  t.equal((await read).length, 100 * KiB);
  const next = file.read(100 * KiB, 128 * KiB, undefined);
  file.answerAll();
  t.equal((await next).length, 0);
  const long = new ScriptedFile(MiB);
  file.content = long.content;
  const grown = file.read(100 * KiB, 128 * KiB);
  file.answerAll();
  t.ok((await grown).equals(long.expected(100 * KiB, 128 * KiB)), 'nothing of the old end');
});

t.test('what was dropped is asked for again, and who waited is served', async (t) => {
  const file = new ScriptedFile(4 * MiB);
  const first = file.read(0, 128 * KiB);
  file.answerAll();
  await first;
  const waiting = file.read(128 * KiB, 128 * KiB);
  file.reader.drop();
  file.answerAll();
  t.ok((await waiting).equals(file.expected(128 * KiB, 128 * KiB)));
  file.content.fill(7);
  const after = file.read(256 * KiB, 128 * KiB);
  file.answerAll();
  t.ok((await after).equals(Buffer.alloc(128 * KiB, 7)), 'nothing of before');
});

t.test('what nobody waits for is cancelled by a seek, and by closing', async (t) => {
  const file = new ScriptedFile(40 * MiB);
  const reads = [0, 1].map((i) => file.read(128 * i * KiB, 128 * KiB));
  const ahead = file.asked.filter(({ offset }) => offset >= 256 * KiB);
  t.ok(ahead.length > 0);
  const far = file.read(30 * MiB, 4 * KiB);
  t.ok(ahead.every(({ cancelled }) => cancelled));
  t.ok(file.asked.filter((asked) => !ahead.includes(asked)).every(({ cancelled }) => !cancelled));
  file.answerAll();
  for (const [i, read] of reads.entries()) t.ok((await read).equals(file.expected(128 * i * KiB, 128 * KiB)));
  t.ok((await far).equals(file.expected(30 * MiB, 4 * KiB)));
  const again = file.read(0, 128 * KiB);
  const [waited, ...rest] = file.asked;
  file.reader.close();
  t.ok(rest.length > 0 && rest.every(({ cancelled }) => cancelled));
  t.notOk(waited?.cancelled);
  file.answerAll();
  await again;
  t.equal(file.shared.budget.held, 0, 'and all memory is given back');
});

t.test('a failure reaches those who wait, and the next read tries again', async (t) => {
  const file = new ScriptedFile(MiB);
  const read = file.read(0, 128 * KiB);
  file.fail('EIO');
  t.equal(await failureOf(read), 'EIO');
  const again = file.read(0, 128 * KiB);
  file.answerAll();
  t.ok((await again).equals(file.expected(0, 128 * KiB)));
  const random = file.read(700 * KiB, 4 * KiB);
  file.fail('ESTALE');
  t.equal(await failureOf(random), 'ESTALE');
});

t.test('an interrupted read leaves the others alone', async (t) => {
  const pid = await dyingProcess(t);
  const file = new ScriptedFile(8 * MiB);
  const killed = new AbortController();
  const caller = { pid, signal: killed.signal };
  const fail = (): void => void t.fail('replied');
  const first = failureOf(Promise.resolve(file.reader.read(0, 64 * KiB, 8 * MiB, fail, caller)));
  const other = file.read(0, 64 * KiB);
  killed.abort();
  t.equal(await first, 'EINTR');
  file.answerAll();
  t.ok((await other).equals(file.expected(0, 64 * KiB)));
  const random = failureOf(Promise.resolve(file.reader.read(5 * MiB, 4 * KiB, 8 * MiB, fail, caller)));
  t.equal(await random, 'EINTR', 'also where the signal was there before');
  t.ok(file.asked.every(({ cancelled }) => cancelled));
});

t.test('all files together stay within a budget', async (t) => {
  const parts = shared(new ReadBudget(4 * MiB));
  const files = Array.from({ length: 12 }, () => new ScriptedFile(10 * MiB, parts));
  let most = 0;
  for (let offset = 0; offset < 4 * MiB; offset += 512 * KiB) {
    for (const file of files) {
      const line = new Line(file, 20, 100 * KiB);
      line.read(offset, 512 * KiB);
      file.answerAll();
      most = Math.max(most, parts.budget.held);
    }
  }
  t.ok(most > 2 * MiB && most <= 4.5 * MiB, `at most ${most} bytes`);
  for (const file of files) file.reader.close();
  t.equal(parts.budget.held, 0, 'and everything is given back');
});

t.test('where there is no memory for reading ahead, reading goes on', async (t) => {
  const file = new ScriptedFile(4 * MiB, shared(new ReadBudget(0)));
  for (let offset = 0; offset < file.content.length; offset += 256 * KiB) {
    const read = file.read(offset, 256 * KiB);
    file.answerAll();
    t.ok((await read).equals(file.expected(offset, 256 * KiB)));
  }
});

t.test('data that are on their way into the cache are waited for', async (t) => {
  const file = new ScriptedFile(1_000);
  const arrived = file.shared.cache.open(file.id).expect();
  const read = file.read(0, 4 * KiB);
  t.same(file.requests, [], 'and not asked for');
  arrived(Buffer.from(file.content));
  t.ok((await read).equals(file.content));
  t.equal(file.shared.budget.held, 0, 'what was read is the kernel’s');
  const other = new ScriptedFile(1_000);
  const nothing = other.shared.cache.open(other.id).expect();
  const late = other.read(0, 4 * KiB);
  nothing(undefined);
  await turn();
  other.answerAll();
  t.ok((await late).equals(other.content), 'where they do not come, they are asked for');
  const changed = new ScriptedFile(1_000);
  const old = changed.shared.cache.open(changed.id).expect();
  const fresh = changed.read(0, 4 * KiB);
  changed.shared.cache.drop(changed.id);
  await turn();
  changed.answerAll();
  t.ok((await fresh).equals(changed.content), 'nor where they are out of date');
  old(Buffer.alloc(1_000, 1));
  t.equal(changed.shared.cache.find(changed.id), undefined);
});

t.test('a read of another file waits for little of what is read ahead, also by the kernel', (t) => {
  for (const bytesPerMs of [2 * KiB, 10 * KiB, 100 * KiB]) {
    const parts = shared();
    const long = new ScriptedFile(64 * MiB, parts);
    const others = Array.from({ length: 50 }, () => new ScriptedFile(8 * KiB, parts));
    const { clock } = parts;
    const line = new Line([long, ...others], 20, bytesPerMs);
    const waits: number[] = [];
    line.read(0, 4 * KiB, others.pop());
    // As the kernel does for a program that said that it reads in order: 4 MiB are asked for beyond what it has read.
    const asked = [0, 1, 2, 3].map((at) => line.begin(at * MiB, MiB, long));
    for (const [at, other] of others.entries()) {
      asked.push(line.begin((at + 4) * MiB, MiB, long));
      const before = clock.ms;
      line.read(4 * KiB, 4 * KiB, other);
      waits.push(clock.ms - before);
      t.ok(
        asked
          .shift()?.()
          .equals(long.expected(at * MiB, MiB)),
      );
    }
    // The first ones find out how fast the line is.
    const longest = Math.max(...waits.slice(4));
    t.ok(longest <= 2 * 20 + 10 + 64, `${longest} ms at ${bytesPerMs} bytes in a millisecond`);
    const alone = (others.length * MiB) / bytesPerMs;
    const waited = waits.reduce((sum, ms) => sum + ms, 0);
    t.ok(clock.ms < 1.1 * alone + waited, `and the line is busy: ${clock.ms} ms, where ${alone} are needed`);
  }
  t.end();
});
