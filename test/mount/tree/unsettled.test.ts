import t from 'tap';
import { RELEASE } from '../../../protocol/operations.js';
import type { Entry } from '../../../mount/log/entry.js';
import { Unsettled } from '../../../mount/tree/unsettled.js';
import { entryOf } from './planted.js';

const ID = { ino: 1n, birth: 1n };

t.test('entries are held until they are settled', async (t) => {
  const unsettled = new Unsettled();
  const [one, other]: [Entry[], Entry[]] = [[], []];
  const [first, second] = [entryOf({ kind: RELEASE, id: ID }), entryOf({ kind: RELEASE, id: ID })];
  unsettled.add(one, first);
  unsettled.add(other, first);
  unsettled.add(one, second);
  first.become('sent');
  unsettled.settle();
  t.same([one.length, other.length], [2, 1]);
  first.become('applied');
  unsettled.settle();
  t.same(one, [second]);
  t.same(other, []);
  second.become('failed');
  unsettled.settle();
  t.same(one, []);
});

t.test('a write that became part of the latest entry is held once', async (t) => {
  const unsettled = new Unsettled();
  const entries: Entry[] = [];
  const entry = entryOf({ kind: RELEASE, id: ID });
  for (let i = 0; i < 3; i++) unsettled.add(entries, entry);
  t.same(entries, [entry]);
});

t.test('a cancelled entry waits for those before it, and holds up nothing for ever', async (t) => {
  const unsettled = new Unsettled();
  const entries: Entry[] = [];
  const [first, second] = [entryOf({ kind: RELEASE, id: ID }), entryOf({ kind: RELEASE, id: ID })];
  unsettled.add(entries, first);
  unsettled.add(entries, second);
  second.become('cancelled');
  unsettled.settle();
  t.same(entries, [first, second]);
  first.become('applied');
  unsettled.settle();
  t.same(entries, []);
});

t.test('thousands of settled entries leave nothing', async (t) => {
  const unsettled = new Unsettled();
  const entries: Entry[] = [];
  for (let i = 0; i < 5000; i++) {
    const entry = entryOf({ kind: RELEASE, id: ID });
    unsettled.add(entries, entry);
    if (i % 7 !== 0) entry.become('applied');
    else queueMicrotask(() => entry.become('applied'));
    if (i % 100 === 0) await Promise.resolve();
  }
  await Promise.resolve();
  unsettled.settle();
  t.same(entries, []);
});
