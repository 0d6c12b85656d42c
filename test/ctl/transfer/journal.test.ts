import {
  appendFileSync,
  existsSync,
  lstatSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Journal } from '../../../ctl/transfer/journal.js';
import { Md5 } from '../../../posix/libcrypto.js';
import { temporaryDirectory } from '../../lib/directory.js';

const STEP = 64;

/** The state of MD5 after `bytes` bytes. */
function stateAfter(bytes: number): Buffer {
  const md5 = new Md5();
  md5.update(Buffer.alloc(bytes));
  return md5.save();
}

function journalWith(t: Parameters<typeof temporaryDirectory>[0], steps: number): string {
  const path = join(temporaryDirectory(t), 'sub/directory/journal');
  const journal = Journal.open(path, 'me');
  for (let n = 1; n <= steps; n++) journal.append(n * STEP, stateAfter(n * STEP));
  return path;
}

t.test('what was appended is found again', async (t) => {
  const path = journalWith(t, 3);
  t.equal(statSync(path).mode & 0o777, 0o600);
  const journal = Journal.open(path, 'me');
  t.equal(journal.lastBefore(STEP - 1), undefined);
  t.equal(journal.lastBefore(STEP)?.offset, STEP);
  t.equal(journal.lastBefore(3 * STEP - 1)?.offset, 2 * STEP);
  t.same(journal.lastBefore(1e9), { offset: 3 * STEP, md5: stateAfter(3 * STEP) });
  t.ok(journal.sameBoot);
  t.notOk(journal.replaced);
  journal.append(4 * STEP, stateAfter(4 * STEP));
  t.equal(Journal.open(path, 'me').lastBefore(1e9)?.offset, 4 * STEP);
});

t.test('a journal of something else is not used, and said to be', async (t) => {
  const path = journalWith(t, 2);
  const other = Journal.open(path, 'other');
  t.ok(other.replaced);
  t.equal(other.lastBefore(1e9), undefined);
  other.append(STEP, stateAfter(STEP));
  t.equal(Journal.open(path, 'me').lastBefore(1e9), undefined, 'it was written over');
  t.equal(Journal.open(path, 'other').lastBefore(1e9)?.offset, STEP);
});

t.test('cut off at every length it is read as far as it goes', async (t) => {
  const path = journalWith(t, 2);
  const text = readFileSync(path, 'utf8');
  const ends = [...text.matchAll(/\n/g)].map((match) => match.index);
  for (let length = text.length; length >= 0; length--) {
    truncateSync(path, length);
    // A last line is whole without its line end, too.
    const whole = ends.filter((end) => end <= length).length - 1;
    const found = Journal.open(path, 'me').lastBefore(1e9)?.offset;
    if (found !== (whole > 0 ? whole * STEP : undefined)) t.fail(`cut at ${length}: ${found}`);
  }
  t.pass('all lengths were tried');
});

t.test('what else has its name is not read, and not written through', async (t) => {
  const path = journalWith(t, 1);
  const other = `${path}.other`;
  renameSync(path, other);
  symlinkSync(other, path);
  const text = readFileSync(other, 'utf8');
  const journal = Journal.open(path, 'me');
  t.equal(journal.lastBefore(1e9), undefined, 'a link');
  journal.append(STEP, stateAfter(STEP));
  t.equal(readFileSync(other, 'utf8'), text);
  t.ok(lstatSync(path).isFile());
  unlinkSync(path);
  symlinkSync('/dev/zero', path);
  t.equal(Journal.open(path, 'me').lastBefore(1e9), undefined, 'without an end');
});

t.test('nonsense is no checkpoint', async (t) => {
  for (const line of [
    'nonsense',
    '{}',
    '[]',
    'null',
    '{"offset":64}',
    '{"offset":128,"md5":"AAAA"}',
    '{"offset":-1,"md5":""}',
  ]) {
    const path = journalWith(t, 1);
    appendFileSync(path, `${line}\n`);
    t.equal(Journal.open(path, 'me').lastBefore(1e9)?.offset, STEP, line);
  }
  const path = journalWith(t, 1);
  writeFileSync(path, 'no header\n');
  t.equal(Journal.open(path, 'me').lastBefore(1e9), undefined);
});

t.test('after a reboot it says so', async (t) => {
  const path = journalWith(t, 1);
  writeFileSync(path, readFileSync(path, 'utf8').replace(/"boot":"[^"]*"/, '"boot":"another"'));
  const journal = Journal.open(path, 'me');
  t.notOk(journal.sameBoot);
  t.equal(journal.lastBefore(1e9)?.offset, STEP);
});

t.test('removed', async (t) => {
  const path = journalWith(t, 1);
  const journal = Journal.open(path, 'me');
  journal.remove();
  t.notOk(existsSync(path));
  t.equal(journal.lastBefore(1e9), undefined);
  journal.remove();
});
