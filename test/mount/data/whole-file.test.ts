import t from 'tap';
import { MAX_WHOLE } from '../../../mount/data/whole-file.js';
import { KiB, Line, MiB, ScriptedFile } from './scripted-file.js';

const PAGE = 4 * KiB;
const SIZE = 2 * MiB;

/** Pages that do not follow each other. */
const places = (size: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => (1 + ((i * 37) % (size / PAGE - 1))) * PAGE);

/** Requests for single pages. */
const single = (file: ScriptedFile): number => file.requests.filter(([, length]) => length === PAGE).length;

t.test('a file read at random comes whole when the waiting has cost as much', (t) => {
  const file = new ScriptedFile(SIZE);
  const { clock, bandwidth } = file.shared;
  const line = new Line(file, 20, 50 * KiB);
  const costs = bandwidth.timeFor(SIZE);
  for (const place of places(SIZE, 500)) {
    const before = file.requests.length;
    t.ok(line.read(place, PAGE).equals(file.expected(place, PAGE)));
    if (file.requests.length > before + 1) t.ok(clock.ms >= costs, 'not before');
  }
  const alone = single(file);
  t.ok(alone < 40, `${alone} of 500 were asked for by themselves`);
  const spent = 20 + SIZE / (50 * KiB);
  t.ok(clock.ms < costs + 2 * spent + 200, `${clock.ms} ms`);
  t.end();
});

t.test('where that costs more than the waiting, or the file is large, it does not', (t) => {
  const near = new ScriptedFile(24 * MiB);
  const quick = new Line(near, 0.1, 500 * KiB);
  for (const place of places(24 * MiB, 100)) quick.read(place, PAGE);
  const bytes = near.requests.reduce((sum, [, length]) => sum + length, 0);
  t.ok(bytes < MiB, `${bytes} bytes, of which most told how fast the line is`);
  const large = new ScriptedFile(MAX_WHOLE + MiB);
  const slow = new Line(large, 20, 50 * KiB);
  for (const place of places(SIZE, 300)) slow.read(place, PAGE);
  t.equal(large.requests.length, 300);
  t.end();
});

t.test(
  'a file that is read at random first of all, over a long line that is fast, comes after a few reads',
  (t) => {
    const size = 25 * MiB;
    const file = new ScriptedFile(size);
    const line = new Line(file, 20, 300 * KiB);
    for (const place of places(size, 50)) t.ok(line.read(place, PAGE).equals(file.expected(place, PAGE)));
    const alone = single(file);
    t.ok(alone <= 16, `${alone} of 50 were asked for by themselves`);
    const { ms } = file.shared.clock;
    t.ok(ms < 450, `${ms} ms, 1000 without`);
    t.end();
  },
);

t.test('where the line turns out to be slow, fetching waits until the waiting has cost as much', (t) => {
  const size = 20 * MiB;
  const file = new ScriptedFile(size);
  const line = new Line(file, 20, 2 * KiB);
  for (const place of places(size, 50)) line.read(place, PAGE);
  const bytes = file.requests.reduce((sum, [, length]) => sum + length, 0);
  t.ok(bytes < MiB, `${bytes} bytes, where all take ten seconds`);
  t.end();
});

t.test('what is fetched is given up when the file changes or is closed', (t) => {
  for (const end of ['drop', 'close'] as const) {
    const file = new ScriptedFile(SIZE);
    const line = new Line(file, 20, 50 * KiB);
    for (const place of places(SIZE, 400)) {
      line.read(place, PAGE);
      if (file.asked.length > 0) break;
    }
    t.ok(file.asked.length > 0, 'on its way');
    file.shared.cache.drop(file.id);
    file.reader[end]();
    t.ok(file.asked.every(({ cancelled }) => cancelled));
    file.answerAll();
    t.equal(file.shared.cache.find(file.id), undefined);
    t.equal(file.shared.budget.held, 0);
    t.same(file.asked, [], 'and nothing more is asked for');
  }
  t.end();
});
