import t from 'tap';
import { Chain } from '../../../mount/log/chain.js';
import { Entry } from '../../../mount/log/entry.js';
import { mkdir, NOTHING, serialOf } from './operations.js';

t.test('entries keep their order, whichever are taken out', async (t) => {
  const chain = new Chain();
  const entries = [0, 1, 2, 3].map((serial) => new Entry(mkdir(serial), NOTHING, 0));
  for (const entry of entries) chain.append(entry);
  const takeOut = (index: number): void => {
    const entry = entries[index];
    if (entry !== undefined) chain.remove(entry);
  };
  t.same(serials(chain), [0, 1, 2, 3]);
  takeOut(1);
  t.same(serials(chain), [0, 2, 3]);
  takeOut(3);
  t.same(serials(chain), [0, 2]);
  takeOut(0);
  takeOut(2);
  t.same([chain.first, chain.last], [undefined, undefined]);
});

/** Forwards; fails where that and backwards differ. */
function serials({ first, last }: Chain): number[] {
  const forwards: number[] = [];
  const backwards: number[] = [];
  for (let entry = first; entry !== undefined; entry = entry.next) forwards.push(serialOf(entry.operation));
  for (let entry = last; entry !== undefined; entry = entry.previous) {
    backwards.unshift(serialOf(entry.operation));
  }
  t.same(forwards, backwards);
  return forwards;
}
