/*
 * What becomes of the leases of a client that has gone, while others have their turns.
 */
import t from 'tap';
import { LEASE_TERM_MS } from '../../../../protocol/limits.js';
import { LEASE_NONE, LEASE_READ } from '../../../../protocol/methods.js';
import { Desk, type Holder } from '../lease-desk.js';

void t.test(
  'what a client leaves that has gone is free piece by piece, and others have their turns meanwhile',
  async (t) => {
    const units = Array.from({ length: 1000 }, (_, i) => BigInt(i + 1));
    const leaver = (desk: Desk): Holder => {
      const one = desk.client(LEASE_READ);
      for (const unit of units) one.read(unit);
      t.equal(desk.leases.held, units.length);
      return one;
    };
    const pieces = new Desk();
    t.ok([...pieces.leases.leaving(leaver(pieces))].length > 2);

    const desk = new Desk(0);
    const one = leaver(desk);
    one.vanish();
    desk.clock.pass(LEASE_TERM_MS);
    const left = desk.turns.goThrough(desk.leases.leaving(one));
    t.equal(desk.leases.held, 0);
    const waiting = desk.client(LEASE_NONE).write(...units);
    t.equal(waiting.state, 'waits');
    await left;
    // What was freed is tried again.
    await new Promise((resolve) => setImmediate(resolve));
    t.equal(waiting.state, 'done');
    t.equal(one.lost, 0, 'it has gone by itself, however long ago it was heard');
  },
);
