import t from 'tap';
import { RELEASE } from '../../../protocol/operations.js';
import type { Entry } from '../../../mount/log/entry.js';
import { Unsettled, type Changed } from '../../../mount/tree/unsettled.js';
import { entryOf } from './planted.js';

const ID = { ino: 1n, birth: 1n };

class Changes implements Changed {
  readonly entries: Entry[] = [];
  readonly states: string[] = [];

  settled({ state }: Entry): void {
    this.states.push(state);
  }
}

t.test('entries are held until they are settled', async (t) => {
  const unsettled = new Unsettled();
  const [one, other] = [new Changes(), new Changes()];
  const [first, second] = [entryOf({ kind: RELEASE, id: ID }), entryOf({ kind: RELEASE, id: ID })];
  unsettled.add(one, first);
  unsettled.add(other, first);
  unsettled.add(one, second);
  first.become('sent');
  unsettled.settle();
  t.same([one.entries.length, other.entries.length], [2, 1]);
  t.same([...unsettled.inodes()], [one, other, one]);
  first.become('applied');
  unsettled.settle();
  t.same(one.entries, [second]);
  t.same(other.entries, []);
  second.become('failed');
  unsettled.settle();
  t.same(one.entries, []);
  t.same(one.states, ['applied', 'failed']);
  t.same([...unsettled.inodes()], []);
});

t.test('a write that became part of the latest entry is held once', async (t) => {
  const unsettled = new Unsettled();
  const inode = new Changes();
  const entry = entryOf({ kind: RELEASE, id: ID });
  for (let i = 0; i < 3; i++) unsettled.add(inode, entry);
  t.same(inode.entries, [entry]);
});

t.test('a cancelled entry waits for those before it, and holds up nothing for ever', async (t) => {
  const unsettled = new Unsettled();
  const inode = new Changes();
  const [first, second] = [entryOf({ kind: RELEASE, id: ID }), entryOf({ kind: RELEASE, id: ID })];
  unsettled.add(inode, first);
  unsettled.add(inode, second);
  second.become('cancelled');
  unsettled.settle();
  t.same(inode.entries, [first, second]);
  first.become('applied');
  unsettled.settle();
  t.same(inode.entries, []);
});

t.test('thousands of settled entries leave nothing', async (t) => {
  const unsettled = new Unsettled();
  const inode = new Changes();
  for (let i = 0; i < 5000; i++) {
    const entry = entryOf({ kind: RELEASE, id: ID });
    unsettled.add(inode, entry);
    if (i % 7 !== 0) entry.become('applied');
    else queueMicrotask(() => entry.become('applied'));
    if (i % 100 === 0) await Promise.resolve();
  }
  await Promise.resolve();
  unsettled.settle();
  t.same(inode.entries, []);
});
