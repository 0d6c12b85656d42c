import t from 'tap';
import { randomFrom, seedOfRun } from '../../lib/random.js';
import { Retained, type WrittenData } from '../../../mount/data/retained.js';

/** A write as the log has it, which may be extended. */
class Write implements WrittenData {
  readonly offset: number;
  data: Buffer;

  constructor(offset: number, data: string | Buffer) {
    this.offset = offset;
    this.data = Buffer.from(data);
  }

  get end(): number {
    return this.offset + this.data.length;
  }
}

function covered(retained: Retained, offset: number, length: number): string | undefined {
  const pieces = retained.cover(offset, length);
  return pieces === undefined ? undefined : Buffer.concat(pieces).toString('latin1').replaceAll('\0', '.');
}

function wrote(retained: Retained, write: Write, sizeBefore: number): void {
  retained.wrote(write, write.offset, write.end, sizeBefore);
}

t.test('a file made here is known whole: what was not written is zeros', (t) => {
  const retained = new Retained({ madeHere: true });
  wrote(retained, new Write(4, 'abcd'), 0);
  wrote(retained, new Write(12, 'xy'), 8);
  t.equal(covered(retained, 0, 14), '....abcd....xy');
  t.equal(covered(retained, 6, 4), 'cd..');
  t.equal(
    retained.cover(0, 300_000)?.reduce((sum, { length }) => sum + length, 0),
    300_000,
  );
  t.end();
});

t.test('of another file only what was written is known, and what is beyond its old end', (t) => {
  const retained = new Retained({ madeHere: false });
  t.equal(covered(retained, 0, 4), undefined);
  wrote(retained, new Write(10, 'abcd'), 100);
  t.equal(covered(retained, 10, 4), 'abcd');
  t.equal(covered(retained, 9, 4), undefined);
  t.equal(covered(retained, 12, 4), undefined);
  wrote(retained, new Write(104, 'end'), 100);
  t.equal(covered(retained, 100, 7), '....end');
  t.equal(covered(retained, 99, 8), undefined);
  t.end();
});

t.test('later writes overwrite, and truncation cuts', (t) => {
  const retained = new Retained({ madeHere: true });
  wrote(retained, new Write(0, 'aaaaaaaaaa'), 0);
  wrote(retained, new Write(3, 'bbb'), 10);
  t.equal(covered(retained, 0, 10), 'aaabbbaaaa');
  wrote(retained, new Write(5, 'ccccccc'), 10);
  t.equal(covered(retained, 0, 12), 'aaabbccccccc');
  retained.truncated(4);
  retained.truncated(8);
  t.equal(covered(retained, 0, 8), 'aaab....');
  const other = new Retained({ madeHere: false });
  other.truncated(0);
  wrote(other, new Write(2, 'x'), 0);
  t.equal(covered(other, 0, 3), '..x', 'emptied: known whole from then on');
  t.end();
});

t.test('a write that the log extends, moves and overwrites in its place', (t) => {
  const retained = new Retained({ madeHere: true });
  const write = new Write(0, 'abc');
  wrote(retained, write, 0);
  write.data = Buffer.from('abcdef');
  retained.wrote(write, 3, 6, 3);
  write.data = Buffer.from('aBCdef');
  retained.wrote(write, 1, 3, 6);
  t.equal(covered(retained, 0, 6), 'aBCdef');
  t.equal(retained.cover(0, 6)?.length, 1, 'one piece');
  t.end();
});

t.test('what the log gives away is not known any more', (t) => {
  const retained = new Retained({ madeHere: true });
  const first = new Write(0, 'aaaa');
  const second = new Write(8, 'bbbb');
  wrote(retained, first, 0);
  wrote(retained, second, 4);
  retained.release(first);
  t.equal(covered(retained, 0, 2), undefined);
  t.equal(covered(retained, 4, 8), '....bbbb');
  retained.release(second);
  t.ok(retained.empty);
  t.equal(covered(retained, 4, 8), undefined);
  wrote(retained, new Write(12, 'cc'), 12);
  t.equal(covered(retained, 12, 2), 'cc');
  retained.drop();
  t.equal(covered(retained, 12, 2), undefined);
  t.end();
});

t.test('as a file, whatever is written, cut off and given away', (t) => {
  const seed = seedOfRun();
  const random = randomFrom(seed);
  let known = 0;
  for (let round = 0; round < 100; round++) {
    const before = Buffer.alloc(random(100), '?');
    let file = Buffer.from(before);
    const retained = new Retained({ madeHere: before.length === 0 });
    const log: Write[] = [];
    for (let step = 0; step < 60; step++) {
      const dice = random(10);
      const last = log.at(-1);
      if (dice < 5) {
        const write = new Write(random(120), String.fromCharCode(97 + random(26)).repeat(1 + random(30)));
        const grown = Buffer.alloc(Math.max(file.length, write.end));
        file.copy(grown);
        write.data.copy(grown, write.offset);
        wrote(retained, write, file.length);
        file = grown;
        log.push(write);
      } else if (dice < 6 && last !== undefined) {
        const more = Buffer.alloc(1 + random(10), '+');
        const grown = Buffer.alloc(Math.max(file.length, last.end + more.length));
        file.copy(grown);
        more.copy(grown, last.end);
        const { end } = last;
        last.data = Buffer.concat([last.data, more]);
        retained.wrote(last, end, last.end, file.length);
        file = grown;
      } else if (dice < 8) {
        const write = log.shift();
        if (write !== undefined) retained.release(write);
        write?.data.fill('!');
      } else if (dice < 9) {
        const cut = Buffer.alloc(random(130));
        file.copy(cut, 0, 0, cut.length);
        retained.truncated(cut.length);
        file = cut;
      }
      const offset = random(file.length + 1);
      const length = random(file.length - offset + 1);
      const pieces = retained.cover(offset, length);
      if (pieces === undefined) continue;
      if (length > 0) known++;
      if (!Buffer.concat(pieces).equals(file.subarray(offset, offset + length))) {
        t.fail(`SEED=${seed}, round ${round}, step ${step}: ${length} bytes at ${offset}`);
        return t.end();
      }
    }
  }
  t.ok(known > 500, `SEED=${seed}: ${known} reads were known`);
  return t.end();
});
