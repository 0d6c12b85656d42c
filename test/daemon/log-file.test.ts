/* Logs: their lines, their rotation, and disks that have no room: whoever logs goes on. */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { openLog } from '../../daemon/log-file.js';
import { LogRotation } from '../../daemon/log-rotation.js';
import { temporaryDirectory } from '../lib/directory.js';

const DAY_MS = 86_400_000;
const LIMITS = { maxBytes: 2 ** 20, maxAgeMs: 7 * DAY_MS, keep: 2 };
const rotation = new LogRotation(LIMITS);

t.test('one JSON object a line, from the level on', async (t) => {
  const file = join(temporaryDirectory(t), 'log');
  const log = openLog(file, 'warn', rotation);
  log.info({}, 'not worth a line');
  log.warn({ user: 'alice' }, 'one');
  log.setLevel('info');
  log.info({ error: new Error('reason') }, 'two');
  const lines = readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
  t.match(lines, [
    { level: 'warn', user: 'alice', msg: 'one' },
    { level: 'info', error: 'reason', msg: 'two' },
  ]);
});

t.test('a line that cannot be written is no failure of what is logged', async (t) => {
  const log = openLog('/dev/full', 'info', rotation);
  const line = 'x'.repeat(100_000);
  for (let n = 0; n < 100; n++) t.doesNotThrow(() => log.info({ n }, line));
});

t.test('a file that cannot be opened is named', async (t) => {
  const file = join(temporaryDirectory(t), 'missing', 'log');
  t.throws(() => openLog(file, 'info', rotation), { name: 'Failure', kind: 'EACCES', message: file });
});

t.test('a log of its size is begun anew, and as many former ones are kept as are wanted', async (t) => {
  const directory = temporaryDirectory(t);
  const file = join(directory, 'log');
  const small = new LogRotation({ ...LIMITS, maxBytes: 1000 });
  const log = openLog(file, 'info', small);
  const filler = 'x'.repeat(400);
  const messages = (name: string): unknown[] =>
    readFileSync(join(directory, name), 'utf8')
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { n: unknown }).n);
  for (let n = 0; n < 11; n++) log.info({ n }, filler);
  t.same(readdirSync(directory).toSorted(), ['log', 'log.1', 'log.2']);
  t.same(
    [messages('log.2'), messages('log.1'), messages('log')],
    [
      [3, 4, 5],
      [6, 7, 8],
      [9, 10],
    ],
  );
  small.setLimits({ ...LIMITS, maxBytes: 500, keep: 0 });
  t.same(readdirSync(directory), ['log'], 'none is kept');
});

t.test('a log whose first line is old is begun anew; so is one that somebody took away', async (t) => {
  const file = join(temporaryDirectory(t), 'log');
  const line = (age: number): string =>
    `{"level":"info","time":"${new Date(Date.now() - age).toISOString()}","msg":"old"}\n`;
  writeFileSync(file, line(6 * DAY_MS));
  const log = openLog(file, 'info', rotation);
  log.info({}, 'one');
  t.notOk(existsSync(`${file}.1`));
  writeFileSync(file, line(8 * DAY_MS));
  rotation.setLimits(LIMITS);
  log.info({}, 'two');
  t.match(readFileSync(`${file}.1`, 'utf8'), /"old"/);
  t.match(readFileSync(file, 'utf8'), /^[^\n]*"two"/);
  renameSync(file, `${file}.mine`);
  rotation.setLimits(LIMITS);
  log.info({}, 'three');
  t.match(readFileSync(file, 'utf8'), /^[^\n]*"three"/);
});

t.test('a log that cannot be moved aside is said once, and written on', async (t) => {
  const file = join(temporaryDirectory(t), 'log');
  mkdirSync(join(`${file}.1`, 'of an administrator'), { recursive: true });
  const small = new LogRotation({ ...LIMITS, maxBytes: 1000, keep: 1 });
  writeFileSync(file, `${'x'.repeat(2000)}\n`);
  const log = openLog(file, 'info', small);
  const told: string[] = [];
  small.onFailed((path, error) => {
    told.push(path);
    log.error({ path, error }, 'cannot be moved');
  });
  for (let n = 0; n < 10; n++) log.info({ n }, 'x'.repeat(400));
  t.strictSame(told, [file]);
  t.match(readFileSync(file, 'utf8'), /"cannot be moved"[^]*"n":9/);
  rmdirSync(join(`${file}.1`, 'of an administrator'));
  rmdirSync(`${file}.1`);
  small.setLimits({ ...LIMITS, maxBytes: 1000, keep: 1 });
  log.info({}, 'after');
  t.match(readFileSync(file, 'utf8'), /^[^\n]*"after"/, 'it is moved when it can be');
  t.match(readFileSync(`${file}.1`, 'utf8'), /"n":9/);
});
