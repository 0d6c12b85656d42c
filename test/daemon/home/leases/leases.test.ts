/*
 * Who holds what, and who waits for whom: the table of leases and the requests that wait, without a home.
 */
import t from 'tap';
import { LEASE_TERM_MS } from '../../../../protocol/limits.js';
import { LEASE_NONE, LEASE_READ, LEASE_WRITE, WHOLE_HOME } from '../../../../protocol/methods.js';
import { CONTESTED_MS, MAX_LEASES } from '../../../../daemon/home/leases/leases.js';
import { Desk, order } from '../lease-desk.js';

const [U, V] = [10n, 20n];

/** All that was freed has been tried again. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

void t.test('who is alone has the home, and no entry is made for it', async (t) => {
  const desk = new Desk();
  const one = desk.client();
  t.strictSame(one.leased(), [[WHOLE_HOME, LEASE_WRITE]]);
  t.equal(one.write(U).state, 'done');
  t.equal(one.read(V).state, 'done');
  t.strictSame(one.leased(), [], 'nothing new to tell');
  t.ok(desk.leases.holdsAll(one));
});

void t.test('a second client gets what it touches, down from the holder of the home', async (t) => {
  const desk = new Desk();
  const one = desk.client();
  const two = desk.client();
  t.strictSame(two.leased(), [], 'the home is taken');
  const reading = two.read(U);
  t.equal(reading.state, 'waits');
  t.strictSame(one.leased().splice(1), []);
  t.strictSame(one.recalled(), [[U, LEASE_READ]]);
  one.returned([U, LEASE_READ]);
  await settled();
  t.equal(reading.state, 'done');
  t.strictSame(two.leased(), [[U, LEASE_READ]]);
  t.equal(one.mode(U), LEASE_READ);
  t.equal(two.read(U).state, 'done', 'both read');

  const writing = two.write(U);
  t.strictSame(one.recalled(), [[U, LEASE_NONE]]);
  one.returned([U, LEASE_NONE]);
  await settled();
  t.equal(writing.state, 'done');
  t.strictSame(two.leased(), [], 'shared just now: no lease to write');
  desk.clock.pass(CONTESTED_MS + 1);
  two.write(U);
  t.strictSame(two.leased(), [[U, LEASE_WRITE]], 'alone with it by now');
  t.equal(one.mode(V), LEASE_WRITE, 'all else stays with the holder of the home');
});

void t.test('the holder of the home gets a unit back when nobody else has it', async (t) => {
  const desk = new Desk();
  const one = desk.client();
  const two = desk.client();
  two.read(U);
  one.returned([U, LEASE_NONE]);
  await settled();
  desk.clock.pass(CONTESTED_MS + 1);
  one.leased();
  one.write(U);
  t.strictSame(two.recalled(), [[U, LEASE_NONE]]);
  two.returned([U, LEASE_NONE]);
  await settled();
  t.strictSame(one.leased(), [[U, LEASE_READ]], 'contested');
  desk.clock.pass(CONTESTED_MS + 1);
  one.read(U);
  t.strictSame(one.leased(), [[U, LEASE_WRITE]]);
  t.ok(desk.leases.holdsAll(one));
});

void t.test('a client without leases recalls those of others, and gets none', async (t) => {
  const desk = new Desk();
  const one = desk.client();
  const plain = desk.client(LEASE_NONE);
  const writing = plain.write(U);
  t.strictSame(one.recalled(), [[U, LEASE_NONE]]);
  one.returned([U, LEASE_NONE]);
  await settled();
  t.equal(writing.state, 'done');
  t.strictSame(plain.leased(), []);
  t.equal(one.mode(U), LEASE_NONE);
});

void t.test('readers are recalled all together', async (t) => {
  const desk = new Desk();
  const readers = [desk.client(LEASE_READ), desk.client(LEASE_READ), desk.client(LEASE_READ)];
  for (const reader of readers) reader.read(U);
  const writing = desk.client(LEASE_NONE).write(U);
  t.strictSame(
    readers.map((reader) => reader.recalled()),
    readers.map(() => [[U, LEASE_NONE]]),
  );
  for (const reader of readers) {
    await settled();
    t.equal(writing.state, 'waits');
    reader.returned([U, LEASE_NONE]);
  }
  await settled();
  t.equal(writing.state, 'done');
});

void t.test('what is waited for is not given to who is told of it', async (t) => {
  const desk = new Desk();
  const [home, reader, other] = [desk.client(), desk.client(), desk.client()];
  const reading = reader.read(U);
  home.returned([U, LEASE_NONE]);
  await settled();
  t.equal(reading.state, 'done');
  const writing = desk.client().write(U);
  desk.leases.mention(other, [U]);
  desk.leases.grant(other, [{ unit: U, write: false }]);
  t.equal(other.mode(U), LEASE_NONE);
  reader.returned([U, LEASE_NONE]);
  await settled();
  t.equal(writing.state, 'done', 'it need not be recalled again');
});

void t.test('giving back what one does not have makes nobody try again', async (t) => {
  const desk = new Desk();
  const [holder, other] = [desk.client(), desk.client()];
  const waiting = desk.client().write(U);
  await settled();
  const { tries } = waiting;
  other.returned([U, LEASE_NONE], [V, LEASE_READ]);
  holder.returned([V, LEASE_WRITE]);
  await settled();
  t.equal(waiting.tries, tries);
  holder.returned([U, LEASE_NONE]);
  await settled();
  t.equal(waiting.state, 'done');
});

void t.test('what is given back late, of what was given again meanwhile, is passed over', async (t) => {
  for (const again of ['given', 'made', 'removed'] as const) {
    const desk = new Desk();
    const home = desk.client();
    desk.leases.takeBack([U]);
    // It has connected again: it is told the same again, and answers both.
    desk.leases.enter(home);
    t.strictSame(home.recalled(), Array(2).fill([U, LEASE_NONE]));
    if (again === 'given') home.returned([U, LEASE_NONE]);
    if (again === 'made') desk.leases.made(home, V, U, false);
    if (again === 'removed') desk.leases.removed(U);
    t.equal(home.mode(U), LEASE_WRITE);
    home.returned([U, LEASE_NONE]);
    t.equal(home.mode(U), LEASE_WRITE, again);
  }
});

void t.test('what was asked for is not asked for again, but lower', async (t) => {
  const desk = new Desk();
  const one = desk.client();
  const two = desk.client();
  const requests = [two.read(U), two.read(U), two.write(U), two.write(U)];
  t.strictSame(one.recalled(), [
    [U, LEASE_READ],
    [U, LEASE_NONE],
  ]);
  one.returned([U, LEASE_READ]);
  await settled();
  t.strictSame(
    requests.map(({ state }) => state),
    ['done', 'done', 'waits', 'waits'],
  );
  one.returned([U, LEASE_NONE]);
  await settled();
  t.ok(requests.every(({ state }) => state === 'done'));
});

void t.test('those who wait go in the order of coming', async (t) => {
  const desk = new Desk();
  const holder = desk.client();
  const waiting = [desk.client(), desk.client(LEASE_NONE), desk.client(), desk.client()].map((client, i) => {
    const request = client.write(U);
    request.name = `${i}`;
    return request;
  });
  order.length = 0;
  holder.returned([U, LEASE_NONE]);
  await settled();
  t.strictSame(order, ['0', '1', '2', '3']);
  t.ok(waiting.every(({ state }) => state === 'done'));
});

void t.test('who is recalled goes on with what it still has', (t) => {
  const desk = new Desk();
  const one = desk.client();
  const two = desk.client();
  t.equal(two.write(U).state, 'waits');
  t.equal(one.write(U).state, 'done');
  t.equal(one.mode(U), LEASE_WRITE, 'until it says that it gave back');
  t.strictSame(one.leased().slice(1), [], 'and is leased nothing meanwhile');
  t.end();
});

void t.test('two who want what the other has do not wait for ever', async (t) => {
  const desk = new Desk();
  const home = desk.client();
  const [one, two] = [desk.client(), desk.client()];
  for (const [client, unit] of [
    [one, U],
    [two, V],
  ] as const) {
    client.write(unit);
    home.returned([unit, LEASE_NONE]);
    await settled();
    desk.clock.pass(CONTESTED_MS + 1);
    client.write(unit);
    t.equal(client.mode(unit), LEASE_WRITE);
  }
  const first = one.write(U, V);
  const second = two.write(V, U);
  t.strictSame([one.recalled(), two.recalled()], [[[U, LEASE_NONE]], [[V, LEASE_NONE]]]);
  one.returned([U, LEASE_NONE]);
  two.returned([V, LEASE_NONE]);
  await settled();
  t.strictSame([first.state, second.state], ['done', 'done']);
});

void t.test('a request that is cancelled waits no more, and delays nobody', async (t) => {
  const desk = new Desk();
  const one = desk.client();
  const two = desk.client();
  const request = two.write(U);
  request.cancel();
  await settled();
  t.equal(request.state, 'cancelled');
  t.equal(desk.waits.size, 0);
  one.returned([U, LEASE_NONE]);
  await settled();
  t.equal(request.state, 'cancelled');
});

void t.test('who does not give back in time loses all, and others go on', async (t) => {
  const desk = new Desk();
  const one = desk.client();
  const two = desk.client();
  const request = two.write(U);
  desk.clock.pass(LEASE_TERM_MS - 1);
  one.lastHeard = desk.clock.now();
  t.equal(one.lost, 0);
  desk.clock.pass(1);
  await settled();
  t.equal(one.lost, 1, 'also where it is heard of');
  t.equal(request.state, 'done');
  t.notOk(desk.leases.keeps(one));
  t.equal(one.mode(V), LEASE_NONE);
  t.strictSame(two.leased()[0], [WHOLE_HOME, LEASE_WRITE], 'the one that is left has the home');
});

void t.test('who is away keeps its leases until somebody needs one of them', async (t) => {
  const desk = new Desk();
  const one = desk.client();
  const two = desk.client();
  desk.clock.pass(1000);
  one.vanish();
  desk.clock.pass(10 * LEASE_TERM_MS);
  t.ok(desk.leases.keeps(one));
  t.equal(two.read(U).state, 'done', 'silent for the term: it is not waited for');
  t.notOk(desk.leases.keeps(one));
});

void t.test('who comes back in time is told what to give back', async (t) => {
  const desk = new Desk();
  const one = desk.client();
  const two = desk.client();
  one.vanish();
  const request = two.read(U);
  t.strictSame(one.recalled(), [[U, LEASE_READ]], 'said to nobody');
  desk.clock.pass(LEASE_TERM_MS - 1);
  one.present = true;
  desk.leases.enter(one);
  t.strictSame(one.recalled(), [[U, LEASE_READ]]);
  one.returned([U, LEASE_READ]);
  desk.clock.pass(1);
  await settled();
  t.equal(request.state, 'done');
  t.equal(one.lost, 0);
});

void t.test('while nothing can be given back the term does not run', async (t) => {
  const desk = new Desk();
  const one = desk.client();
  desk.client().read(U);
  desk.frozen = true;
  desk.clock.pass(2 * LEASE_TERM_MS);
  t.equal(one.lost, 0);
  desk.frozen = false;
  desk.clock.pass(LEASE_TERM_MS);
  t.equal(one.lost, 1);
});

void t.test('a number that becomes another unit of a client is not said to be of the home', async (t) => {
  for (const told of [true, false]) {
    const desk = new Desk();
    const home = desk.client();
    const one = desk.client();
    for (const unit of [U, V]) {
      one.write(unit);
      home.returned([unit, LEASE_NONE]);
      await settled();
      desk.clock.pass(CONTESTED_MS + 1);
      one.write(unit);
    }
    one.leased();
    home.leased();
    // A file lost its second name, and gets one again.
    desk.leases.made(one, U, V, told);
    t.equal(one.mode(V), LEASE_WRITE);
    t.strictSame(one.leased(), told ? [[V, LEASE_WRITE]] : [], 'it holds it all the time');
    t.strictSame(home.leased(), []);
    desk.leases.removed(V);
    t.strictSame(home.leased(), [[V, LEASE_WRITE]]);
  }
});

void t.test('what a client makes in what it holds is its own', async (t) => {
  const desk = new Desk();
  const home = desk.client();
  const one = desk.client();
  one.write(U);
  home.returned([U, LEASE_NONE]);
  await settled();
  desk.clock.pass(CONTESTED_MS + 1);
  one.write(U);
  one.leased();
  desk.leases.made(one, U, V, false);
  t.equal(one.mode(V), LEASE_WRITE);
  t.strictSame(one.leased(), [], 'as it knows');
  t.equal(home.mode(V), LEASE_NONE);
  home.leased();
  desk.leases.mention(home, [V]);
  t.strictSame(home.leased(), [[V, LEASE_NONE]], 'who has the home must be told once it hears of it');
  desk.leases.mention(home, [V]);
  t.strictSame(home.leased(), []);
  desk.leases.removed(V);
  t.strictSame([one.leased(), home.leased()], [[[V, LEASE_NONE]], [[V, LEASE_WRITE]]]);
});

void t.test('what is only mentioned may be believed where nobody writes', async (t) => {
  const desk = new Desk();
  const home = desk.client();
  const one = desk.client();
  desk.leases.mention(one, [U]);
  t.strictSame(one.leased(), [], 'the holder of the home may write it');
  one.read(V);
  home.returned([V, LEASE_READ]);
  await settled();
  one.leased();
  const two = desk.client();
  desk.leases.mention(two, [U, V]);
  t.strictSame(two.leased(), [[V, LEASE_READ]]);
});

void t.test('the home goes to the one who is left, with what others have in it', async (t) => {
  const desk = new Desk();
  const [one, two, three] = [desk.client(), desk.client(), desk.client()];
  const reader = desk.client(LEASE_READ);
  for (const [client, unit] of [
    [two, U],
    [reader, V],
  ] as const) {
    client.read(unit);
    one.returned([unit, LEASE_NONE]);
    await settled();
  }
  desk.leases.leave(one);
  t.strictSame(
    [two.leased().slice(1), three.leased()],
    [[], []],
    'two of those who want the home are left: neither gets it',
  );
  t.equal(three.write(30n).state, 'done');
  t.strictSame(three.leased(), [[30n, LEASE_WRITE]]);
  desk.leases.leave(two);
  t.strictSame(three.leased(), [
    [WHOLE_HOME, LEASE_WRITE],
    [V, LEASE_NONE],
  ]);
  t.equal(three.mode(30n), LEASE_WRITE);
});

void t.test('the holder of the home may give it back, and keep nothing', async (t) => {
  const desk = new Desk();
  const one = desk.client();
  const two = desk.client();
  one.returned([WHOLE_HOME, LEASE_NONE]);
  t.equal(one.mode(U), LEASE_NONE);
  t.equal(two.write(U).state, 'done');
  t.strictSame(two.leased(), [[U, LEASE_WRITE]]);
});

void t.test('of too many leases the oldest are recalled; who gives none back gets no more', (t) => {
  const desk = new Desk();
  const reader = desk.client(LEASE_READ);
  for (let unit = 1n; unit <= MAX_LEASES; unit++) reader.read(unit);
  t.strictSame(reader.recalled(), []);
  reader.read(BigInt(MAX_LEASES) + 1n);
  const recalled = reader.recalled();
  t.strictSame(recalled[0], [1n, LEASE_NONE]);
  t.ok(recalled.length > 100 && recalled.length < MAX_LEASES / 2);
  for (let unit = 1n; unit <= 3 * MAX_LEASES; unit++) reader.read(unit);
  reader.leased();
  reader.read(1_000_000n);
  t.strictSame(reader.leased(), []);
  desk.clock.pass(LEASE_TERM_MS);
  t.equal(reader.lost, 1, 'and loses them in the end');
  t.end();
});

void t.test('before there are too many in all, those who are away lose theirs', (t) => {
  const desk = new Desk();
  const away = Array.from({ length: 4 }, () => {
    const client = desk.client(LEASE_READ);
    for (let unit = 1n; unit <= MAX_LEASES; unit++) client.read(unit);
    client.vanish();
    desk.clock.pass(1);
    return client;
  });
  const next = desk.client(LEASE_READ);
  next.read(U);
  t.strictSame(next.leased(), [], 'there are too many');
  desk.clock.pass(LEASE_TERM_MS);
  next.read(U);
  next.read(U);
  t.strictSame(next.leased(), [[U, LEASE_READ]]);
  t.strictSame(
    away.map(({ lost }) => lost),
    [1, 0, 0, 0],
  );
  t.end();
});

void t.test(
  'what the holder of the home gave back and nobody took goes back to it, before there is too much',
  (t) => {
    const desk = new Desk();
    const home = desk.client();
    home.leased();
    const units = Array.from({ length: MAX_LEASES + 1 }, (_, index) => BigInt(index + 1));
    desk.leases.touch(
      desk.client(),
      units.map((unit) => ({ unit, write: true })),
    );
    home.returned(...home.recalled().slice(0, -1));
    t.strictSame(home.leased(), [], 'what is waited for');
    home.returned([BigInt(units.length), LEASE_NONE]);
    t.strictSame(home.leased(), [[1n, LEASE_WRITE]]);
    t.equal(home.mode(2n), LEASE_NONE);
    t.end();
  },
);

void t.test(
  'who waits for a unit that is no more, or is another one by now, does not wait for ever',
  async (t) => {
    for (const gone of ['removed', 'made'] as const) {
      const desk = new Desk();
      const [one, two, three] = [desk.client(), desk.client(), desk.client()];
      const reading = two.read(U);
      one.returned([U, LEASE_NONE]);
      await Promise.resolve();
      t.equal(reading.state, 'done');
      const waiting = three.write(U);
      t.equal(waiting.state, 'waits');
      if (gone === 'removed') desk.leases.removed(U);
      else desk.leases.made(one, 5n, U, true);
      one.returned([U, LEASE_NONE]);
      two.returned([U, LEASE_NONE]);
      await new Promise(setImmediate);
      // Whoever has it now was asked for it, or it is done.
      for (const holder of [one, two])
        for (const [unit] of holder.recalled()) holder.returned([unit, LEASE_NONE]);
      await new Promise(setImmediate);
      t.equal(waiting.state, 'done', gone);
    }
  },
);

void t.test('of those who waited some go on in each turn, before what comes behind them', async (t) => {
  const desk = new Desk(0);
  const one = desk.client();
  const waiting = [1, 2, 3].map(() => desk.client().read(U));
  one.returned([U, LEASE_READ]);
  let behind: number | undefined;
  const done = (): number => waiting.filter(({ state }) => state === 'done').length;
  const ended = desk.turns.putOff(() => {
    behind = done();
  });
  await Promise.resolve();
  t.equal(done(), 1);
  await settled();
  t.equal(done(), 2);
  await ended;
  t.equal(behind, 3);
});
