/* Who gets a session, who waits, and who is sent away. */
import t from 'tap';
import { Admission, type Applicant, type SessionPlace } from '../../../daemon/login/admission.js';
import { userName, type UserName } from '../../../protocol/ids.js';

class Client implements Applicant {
  readonly user: UserName;
  readonly places: number[] = [];
  session: SessionPlace | undefined;
  constructor(user: string) {
    this.user = userName(user);
  }
  onPlace(place: number): void {
    this.places.push(place);
  }
  onAdmitted(place: SessionPlace): void {
    this.session = place;
  }
}

function clients(count: number, user = (index: number) => `user${index}`): Client[] {
  return Array.from({ length: count }, (_, index) => new Client(user(index)));
}

t.test('3 sessions, 10 clients: the order of coming is the order of getting in', async (t) => {
  const admission = new Admission({ maxSessions: 3, maxSessionsPerUser: 1, maxQueue: 7 });
  const all = clients(10);
  for (const client of all) admission.apply(client);
  const inside = (): number[] => all.flatMap(({ session }, index) => (session === undefined ? [] : [index]));
  t.same(inside(), [0, 1, 2]);
  t.equal(admission.queued, 7);
  for (let next = 3; next < 10; next++) {
    all[next - 3]?.session?.release();
    t.same(
      inside(),
      Array.from({ length: next + 1 }, (_, index) => index),
    );
  }
  t.same(all[9]?.places, [7, 6, 5, 4, 3, 2, 1]);
  t.equal(admission.queued, 0);
});

t.test('a place is given back once', async (t) => {
  const admission = new Admission({ maxSessions: 1, maxSessionsPerUser: 1, maxQueue: 9 });
  const [a, b, c] = clients(3) as [Client, Client, Client];
  for (const client of [a, b, c]) admission.apply(client);
  a.session?.release();
  a.session?.release();
  t.ok(b.session);
  t.notOk(c.session);
});

t.test('a place that a client shares with its new connection is free when both are gone', async (t) => {
  const admission = new Admission({ maxSessions: 1, maxSessionsPerUser: 1, maxQueue: 9 });
  const [a, b] = clients(2) as [Client, Client];
  for (const client of [a, b]) admission.apply(client);
  const again = a.session?.share();
  // The new connection goes away before the home has ended the old session: that one still has the place.
  again?.release();
  again?.release();
  t.notOk(b.session);
  const third = a.session?.share();
  a.session?.release();
  t.notOk(b.session);
  for (let sharing = 1; sharing < 4; sharing++) third?.share();
  t.throws(() => third?.share(), { name: 'Failure', kind: 'EBUSY' }, 'no more than a few at a time');
});

t.test('who gives up frees the place; the next ones are told', async (t) => {
  const admission = new Admission({ maxSessions: 1, maxSessionsPerUser: 1, maxQueue: 2 });
  const [a, b, c, d] = clients(4) as [Client, Client, Client, Client];
  for (const client of [a, b, c]) admission.apply(client);
  t.throws(() => admission.apply(d), { name: 'Failure', kind: 'EUSERS' });
  admission.withdraw(b);
  t.same(c.places, [2, 1]);
  admission.apply(d);
  t.same(d.places, [2]);
  admission.withdraw(b);
  t.equal(admission.queued, 2, 'giving up twice changes nothing');
  a.session?.release();
  t.ok(c.session);
  t.notOk(b.session);
});

t.test('a refused client leaves no trace', async (t) => {
  const admission = new Admission({ maxSessions: 1, maxSessionsPerUser: 2, maxQueue: 0 });
  const [a, b] = clients(2, () => 'alice') as [Client, Client];
  admission.apply(a);
  t.throws(() => admission.apply(b), { name: 'Failure', kind: 'EUSERS' });
  a.session?.release();
  admission.apply(b);
  t.ok(b.session);
});

t.test('a user cannot have more than allowed, waiting ones included', async (t) => {
  const admission = new Admission({ maxSessions: 1, maxSessionsPerUser: 2, maxQueue: 9 });
  const [a, b, c] = clients(3, () => 'alice') as [Client, Client, Client];
  admission.apply(a);
  admission.apply(b);
  t.throws(() => admission.apply(c), { name: 'Failure', kind: 'EBUSY' });
  admission.apply(new Client('lily'));
  admission.withdraw(b);
  admission.apply(c);
  t.same(c.places, [2]);
});

t.test('limits that change', async (t) => {
  const limits = { maxSessions: 1, maxSessionsPerUser: 1, maxQueue: 9 };
  const admission = new Admission(limits);
  const [a, b, c, d] = clients(4) as [Client, Client, Client, Client];
  for (const client of [a, b, c, d]) admission.apply(client);
  admission.setLimits({ ...limits, maxSessions: 3 });
  t.ok(b.session && c.session, 'more room is used at once');
  t.notOk(d.session);
  admission.setLimits({ ...limits, maxSessions: 1 });
  a.session?.release();
  b.session?.release();
  t.notOk(d.session, 'nobody gets in before there is room under the new limit');
  c.session?.release();
  t.ok(d.session);
});
