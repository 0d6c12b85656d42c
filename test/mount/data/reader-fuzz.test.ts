/**
 * Readers of one file against the file itself: reads in order and at random, at once, answered in any order, while others
 * change the file, drop what was read ahead, make it longer and shorter. A read gets the bytes of its place, as they were at some
 * moment between its beginning and its end. SEED=n repeats a run.
 */
import t from 'tap';
import { ReadBudget } from '../../../mount/data/budget.js';
import type { Reader } from '../../../mount/data/reader.js';
import { randomFrom, seedOfRun } from '../../lib/random.js';
import { KiB, MiB, ScriptedFile, shared } from './scripted-file.js';

const ROUNDS = 25;
const STEPS = 300;

/** The version of the file is in each 8-byte word, beside its place. */
function version(bytes: number, number: number): Buffer {
  const content = Buffer.alloc(bytes);
  for (let at = 0; at + 8 <= bytes; at += 8) {
    content.writeUInt32LE(at, at);
    content.writeUInt32LE(number, at + 4);
  }
  return content;
}

/** What is wrong with the data of a read; undefined where nothing is. */
function wrong(data: Buffer, offset: number, oldest: number): string | undefined {
  for (let at = 0; at + 8 <= data.length; at += 8) {
    const place = data.readUInt32LE(at);
    if (place !== offset + at) return `bytes of ${place} at ${offset + at}`;
    const number = data.readUInt32LE(at + 4);
    if (number < oldest) return `bytes of version ${number} where ${oldest} was there already`;
  }
  return undefined;
}

const seed = seedOfRun();

t.test(`reads are right whatever happens (SEED=${seed})`, async (t) => {
  for (let round = 0; round < ROUNDS; round++) {
    const random = randomFrom(seed + round);
    const budget = new ReadBudget([0, 512 * KiB, 32 * MiB][random(3)]);
    let number = 1;
    const file = new ScriptedFile(
      version((1 + random(6)) * 256 * KiB + 8 * random(9), number),
      shared(budget),
    );
    const readers: { reader: Reader; next: number }[] = [0, 1, 2].map(() => ({
      reader: file.open(),
      next: 0,
    }));
    const faults: string[] = [];
    const checks: Promise<void>[] = [];

    const read = (): void => {
      const one = readers[random(readers.length)];
      if (one === undefined) return;
      const inOrder = random(8) > 0;
      const offset = inOrder
        ? Math.max(0, one.next - 8 * KiB * random(3))
        : 8 * random(file.content.length / 8);
      const length = 8 * KiB * (1 + random(24));
      if (inOrder) one.next = offset + length < file.content.length ? offset + length : 0;
      const size = file.content.length;
      const oldest = number;
      const reading = file.read(offset, length, random(10) === 0 ? undefined : size, one.reader);
      checks.push(
        reading.then((data) => {
          const fault = wrong(data, offset, oldest);
          if (fault !== undefined) faults.push(`round ${round}: ${fault}`);
          const full = Math.max(0, Math.min(length, size - offset));
          if (number === oldest && data.length !== full) {
            faults.push(`round ${round}: ${data.length} bytes of ${full} at ${offset}`);
          }
        }),
      );
    };
    const change = (): void => {
      number++;
      const grown = file.content.length + 8 * (random(64 * KiB) - 32 * KiB);
      file.content = version(random(2) === 0 ? file.content.length : Math.max(8, grown), number);
      file.shared.cache.drop(file.id);
      for (const { reader } of readers) reader.drop();
    };
    const answer = (): void => {
      const asked = file.asked[random(file.asked.length)];
      if (asked !== undefined) file.answer(asked);
    };

    for (let step = 0; step < STEPS; step++) {
      file.shared.clock.ms += random(20);
      const dice = random(100);
      if (dice < 45) read();
      else if (dice < 96) answer();
      else if (dice < 98) change();
      else readers[random(readers.length)]?.reader.drop();
      if (random(4) === 0) await Promise.resolve();
    }
    while (file.asked.length > 0) {
      answer();
      await Promise.resolve();
    }
    await Promise.all(checks);
    for (const { reader } of readers) reader.close();
    file.answerAll();
    file.shared.cache.dropAll();
    if (budget.held !== 0) faults.push(`round ${round}: ${budget.held} bytes were not given back`);
    t.same(faults, [], `round ${round}`);
    if (faults.length > 0) return;
  }
});
