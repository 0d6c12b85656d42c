import t from 'tap';
import { ReadBudget, type Holder } from '../../../mount/data/budget.js';

class Holding implements Holder {
  readonly #budget: ReadBudget;
  bytes = 0;

  constructor(budget: ReadBudget) {
    this.#budget = budget;
  }

  take(bytes: number): boolean {
    this.#budget.used(this);
    const taken = this.#budget.take(bytes, this);
    if (taken) this.bytes += bytes;
    return taken;
  }

  drop(): void {
    this.#budget.give(this.bytes);
    this.bytes = 0;
  }
}

t.test('who was not used for longest loses what it has', (t) => {
  const budget = new ReadBudget(100);
  const [a, b, c] = [new Holding(budget), new Holding(budget), new Holding(budget)];
  t.ok(a.take(40));
  t.ok(b.take(40));
  budget.used(a);
  t.ok(c.take(40));
  t.same([a.bytes, b.bytes, c.bytes], [40, 0, 40]);
  t.notOk(c.take(101), 'more than there is: nobody loses anything');
  t.equal(a.bytes, 40);
  t.notOk(c.take(70), 'nobody loses its own for itself');
  t.equal(c.bytes, 40);
  t.equal(budget.held, 40);
  budget.ended(c);
  t.notOk(b.take(70));
  t.equal(c.bytes, 40, 'who ended is not asked');
  budget.force(100);
  t.notOk(a.take(1), 'what is waited for counts');
  t.end();
});
