/*
 * Where files are: what is removed again takes no memory, however much comes and goes.
 */
import t from 'tap';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { KnownFiles, MAX_KNOWN } from '../../../../daemon/home/files/known-files.js';

const DIRECTORY = 1n;
const FIRST = 1n << 32n;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

t.test('what is forgotten is let go', async (t) => {
  const known = new KnownFiles();
  const kept: WeakRef<object>[] = [];
  for (let round = 0n; round < 20n; round++) {
    const inos = Array.from({ length: 1000 }, (_, i) => FIRST + round * 1000n + BigInt(i));
    for (const ino of inos) known.learn({ ino, birth: 7n }, DIRECTORY, Buffer.from(`f${ino}`), false);
    kept.push(new WeakRef(known.find(FIRST + round * 1000n) ?? t));
    for (const ino of inos) known.forgetName(ino, DIRECTORY, Buffer.from(`f${ino}`));
  }
  // What a WeakRef was asked for in this turn stays to its end.
  await setImmediate();
  collectGarbage();
  t.equal(kept.filter((each) => each.deref() !== undefined).length, 0);
  t.equal(known.find(FIRST), undefined);
});

t.test('what is used stays, what is not goes', (t) => {
  const known = new KnownFiles();
  known.learn({ ino: 2n, birth: 7n }, DIRECTORY, Buffer.from('used'), false);
  known.learn({ ino: 3n, birth: 7n }, DIRECTORY, Buffer.from('unused'), false);
  for (let i = 0n; i < 3 * MAX_KNOWN; i++) {
    known.learn({ ino: FIRST + i, birth: 7n }, DIRECTORY, Buffer.from('made up'), false);
    if (i % 1000n === 0n) known.find(2n);
  }
  t.equal(known.find(2n)?.name, 'used');
  t.equal(known.find(3n), undefined);
  t.end();
});
