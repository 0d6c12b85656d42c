import t from 'tap';
import { conflictName, conflictSuffix } from '../../../mount/filesystem/conflict-name.js';
import { MAX_NAME } from '../../../protocol/limits.js';

const AT = Date.UTC(2026, 10, 26, 15, 48, 42, 7);
const SUFFIX = '.conflict-2026-11-26T15.48.42Z-laptop';

t.test('it tells when and where', async (t) => {
  t.equal(conflictSuffix(AT, 'laptop'), SUFFIX);
  t.equal(conflictName(Buffer.from('notes.txt'), SUFFIX, 1).toString(), `notes.txt${SUFFIX}`);
  t.equal(conflictName(Buffer.from('notes.txt'), SUFFIX, 2).toString(), `notes.txt${SUFFIX}-2`);
});

t.test('a host may be called anything', async (t) => {
  t.match(conflictSuffix(AT, 'a/b:c\0d é'), /Z-a-b-c-d--$/);
  t.match(conflictSuffix(AT, ''), /Z-unknown$/);
  t.equal(conflictSuffix(AT, 'h'.repeat(1000)).length, conflictSuffix(AT, 'h'.repeat(64)).length);
});

t.test('a name is as long as a name may be, and never ends within a character', async (t) => {
  for (const letter of ['x', 'é', '€', '𝄞']) {
    for (const start of ['', 'a', 'ab', 'abc']) {
      const name = Buffer.from(start + letter.repeat(MAX_NAME)).subarray(0, MAX_NAME);
      const made = conflictName(name, SUFFIX, 1);
      t.ok(made.length <= MAX_NAME && made.length > MAX_NAME - 4, `${made.length}`);
      const kept = made.subarray(0, made.length - SUFFIX.length);
      t.ok(Buffer.from(kept.toString()).equals(kept), `${start}${letter}`);
    }
  }
  const bytes = conflictName(Buffer.alloc(MAX_NAME, 0x80), SUFFIX, 1);
  t.equal(bytes.length, MAX_NAME, 'what is no text is cut anywhere');
});
