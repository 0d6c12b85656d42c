import t from 'tap';
import {
  LEASE_NONE,
  LEASE_READ,
  LEASE_WRITE,
  WHOLE_HOME,
  type LeaseItem,
  type LeaseMode,
} from '../../../protocol/methods.js';
import { MAX_LEASED_UNITS } from '../../../protocol/limits.js';
import { Leases } from '../../../mount/lease/holdings.js';
import { outcomeOf } from '../tree/planted.js';

const A = 11n;
const B = 12n;

t.test('nothing is leased at first', async (t) => {
  const leases = new Leases({ over: false });
  t.notOk(leases.any);
  t.notOk(leases.believes(A));
  t.notOk(leases.owns(A));
});

t.test('the whole home, but for exceptions', async (t) => {
  const leases = new Leases({ over: false });
  leases.leased([
    [WHOLE_HOME, LEASE_WRITE],
    [A, LEASE_READ],
  ]);
  t.ok(leases.any);
  t.ok(leases.owns(B) && leases.believes(B));
  t.ok(leases.believes(A));
  t.notOk(leases.owns(A));
  leases.leased([[A, LEASE_WRITE]]);
  t.ok(leases.owns(A), 'nobody else holds it any more');
  t.equal(leases.size, 0, 'and it is part of the home');
});

t.test('units one by one', async (t) => {
  const leases = new Leases({ over: false });
  leases.leased([
    [A, LEASE_READ],
    [B, LEASE_WRITE],
  ]);
  t.ok(leases.believes(A) && !leases.owns(A));
  t.ok(leases.owns(B));
  leases.leased([[WHOLE_HOME, LEASE_WRITE]]);
  t.ok(leases.owns(B) && leases.owns(99n));
  t.notOk(leases.owns(A), 'others may believe it');
});

t.test(
  'from the recall on nothing more is done under the lease, and it is held until it is returned',
  async (t) => {
    const leases = new Leases({ over: false });
    leases.leased([[WHOLE_HOME, LEASE_WRITE]]);
    const first = leases.returning([[A, LEASE_READ]]);
    t.notOk(leases.owns(A));
    t.ok(leases.believes(A));
    t.ok(leases.owns(B));
    t.equal(leases.mode(A), LEASE_WRITE);
    leases.returned(first);
    t.equal(leases.mode(A), LEASE_READ);
    leases.leased([[A, LEASE_WRITE]]);
    t.ok(leases.owns(A), 'given anew');
  },
);

t.test('a recall that asks for more while the first one is answered', async (t) => {
  const leases = new Leases({ over: false });
  leases.leased([[A, LEASE_WRITE]]);
  const first = leases.returning([[A, LEASE_READ]]);
  const second = leases.returning([[A, LEASE_NONE]]);
  leases.returned(first);
  t.notOk(leases.believes(A), 'the second one is not answered');
  leases.returned(second);
  t.equal(leases.mode(A), LEASE_NONE);
  t.equal(leases.size, 0);
  leases.leased([[A, LEASE_READ]]);
  t.ok(leases.believes(A));
});

t.test('what becomes a unit again while the former one is given back is not given back', async (t) => {
  const leases = new Leases({ over: false });
  leases.leased([[WHOLE_HOME, LEASE_WRITE]]);
  const recall = leases.returning([
    [A, LEASE_NONE],
    [B, LEASE_NONE],
  ]);
  leases.entered(A, 99n);
  t.ok(leases.owns(A));
  const again = leases.returning([[A, LEASE_READ]]);
  t.strictSame(
    recall.items,
    [[B, LEASE_NONE]],
    'what is done to it now may not be sent when this is answered',
  );
  leases.returned(recall);
  t.strictSame([leases.mode(A), leases.mode(B)], [LEASE_WRITE, LEASE_NONE]);
  leases.returned(again);
  t.equal(leases.mode(A), LEASE_READ);
});

t.test('what is leased again is not given back any more', async (t) => {
  const leases = new Leases({ over: false });
  const items: LeaseItem[] = [
    [A, LEASE_NONE],
    [B, LEASE_NONE],
  ];
  leases.leased([[WHOLE_HOME, LEASE_WRITE]]);
  const recall = leases.returning(items);
  leases.leased([[A, LEASE_WRITE]]);
  t.ok(leases.owns(A));
  leases.returned(recall);
  t.strictSame([leases.mode(A), leases.mode(B)], [LEASE_WRITE, LEASE_NONE]);
});

t.test('a recall of the whole home leaves what is held besides', async (t) => {
  const leases = new Leases({ over: false });
  leases.leased([
    [WHOLE_HOME, LEASE_WRITE],
    [A, LEASE_READ],
  ]);
  const recall = leases.returning([[WHOLE_HOME, LEASE_NONE]]);
  t.notOk(leases.believes(B));
  t.ok(leases.believes(A));
  leases.returned(recall);
  t.equal(leases.mode(B), LEASE_NONE);
  t.ok(leases.believes(A));
});

t.test('new units are held as what they are in', async (t) => {
  const leases = new Leases({ over: false });
  leases.leased([[A, LEASE_WRITE]]);
  leases.entered(B, A);
  t.ok(leases.owns(B));
  leases.removed(B);
  t.equal(leases.mode(B), LEASE_NONE);
  const home = new Leases({ over: false });
  home.leased([
    [WHOLE_HOME, LEASE_WRITE],
    [B, LEASE_NONE],
  ]);
  home.removed(B);
  t.notOk(home.owns(B), 'the number may be used by others');
  home.entered(B, A);
  t.ok(home.owns(B), 'or by us');
  t.equal(home.size, 0);
});

t.test('without a term nothing counts, and nothing is forgotten', async (t) => {
  const term = { over: false };
  const leases = new Leases(term);
  leases.leased([[WHOLE_HOME, LEASE_WRITE]]);
  term.over = true;
  t.notOk(leases.owns(A) || leases.believes(A));
  t.equal(leases.mode(A), LEASE_WRITE);
  term.over = false;
  t.ok(leases.owns(A));
  leases.clear();
  t.notOk(leases.any);
  t.notOk(leases.believes(A));
});

t.test('a server cannot fill the memory', async (t) => {
  const units = (mode: LeaseMode): LeaseItem[] =>
    Array.from({ length: MAX_LEASED_UNITS + 1 }, (_, at) => [BigInt(at + 1), mode]);
  const leases = new Leases({ over: false });
  t.equal(
    outcomeOf(() => leases.leased(units(LEASE_READ))),
    'PROTOCOL',
  );
  leases.clear();
  t.equal(
    outcomeOf(() => leases.returning(units(LEASE_NONE))),
    'PROTOCOL',
  );
});
