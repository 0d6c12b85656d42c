/* Bandwidths: what is moved in a time, whoever moves it, and that who moves little never waits. */
import { randomBytes } from 'node:crypto';
import t from 'tap';
import { Line, makeLine, Pace, setLineRate, type Paced } from '../../../daemon/worker/pace.js';
import { MAX_DATA } from '../../../protocol/limits.js';
import { ManualClock } from '../../lib/manual-clock.js';
import { Place } from '../home/fixture.js';
import { Peer } from '../session-peer.js';

const KiB = 1024;

/** A user's session that moves a piece whenever it may. */
class Mover implements Paced {
  moved = 0;
  #heldBack = false;
  readonly #pace: Pace;
  readonly #piece: number;

  constructor(pace: Pace, piece: number) {
    this.#pace = pace;
    this.#piece = piece;
    pace.join(this);
  }

  holdBack(): void {
    this.#heldBack = true;
  }

  letGo(): void {
    this.#heldBack = false;
  }

  turn(): void {
    if (this.#heldBack) return;
    this.moved += this.#piece;
    this.#pace.moved(this.#piece);
  }
}

/** Lets them move as they may for so many seconds. */
function run(clock: ManualClock, movers: readonly Mover[], seconds: number): void {
  for (let ms = 0; ms < 1000 * seconds; ms++) {
    for (const mover of movers) mover.turn();
    clock.pass(1);
  }
}

/** What they moved a second, in KiB. */
function rates(movers: readonly Mover[], seconds: number): number[] {
  return movers.map(({ moved }) => Math.round(moved / KiB / seconds));
}

t.test('the sessions of a user share its bandwidth', async (t) => {
  const clock = new ManualClock();
  const pace = new Pace(new Line(makeLine(1), 0), clock);
  pace.own = 1000 * KiB;
  const sessions = [1, 2, 3].map(() => new Mover(pace, 16 * KiB));
  run(clock, sessions, 20);
  const total = rates(sessions, 20).reduce((sum, rate) => sum + rate, 0);
  t.ok(total >= 990 && total <= 1050, `${total} KiB/s, with what may be moved at once`);
});

t.test('the bandwidth of all is shared by those who want more of it, on whatever thread', async (t) => {
  const clock = new ManualClock();
  const cells = makeLine(2);
  setLineRate(cells, 3000 * KiB);
  const [first, second] = [new Line(cells, 0), new Line(cells, 1)];
  const alice = new Pace(first, clock);
  const bob = new Pace(second, clock);
  const carol = new Pace(second, clock);
  carol.own = 500 * KiB;
  const movers = [new Mover(alice, 16 * KiB), new Mover(bob, 64 * KiB), new Mover(carol, 16 * KiB)];
  run(clock, movers, 30);
  const [a = 0, b = 0, c = 0] = rates(movers, 30);
  t.ok(Math.abs(a - b) < 200, `alike: ${a} and ${b} KiB/s`);
  t.ok(c >= 480 && c <= 520, `her own limit: ${c} KiB/s`);
  t.ok(a + b <= 3200, `${a + b} KiB/s of those who share`);
  setLineRate(cells, 0);
  run(clock, movers, 10);
  const before = movers[1]?.moved ?? 0;
  run(clock, movers, 1);
  t.ok((movers[1]?.moved ?? 0) - before >= 1000 * 64 * KiB, 'without a limit at once');
});

t.test(
  'a limit that is raised holds at once, and one that is set again, as by a login, gives nothing',
  async (t) => {
    const clock = new ManualClock();
    const pace = new Pace(new Line(makeLine(1), 0), clock);
    pace.own = 64 * KiB;
    pace.moved(16 * 1024 * KiB);
    const mover = new Mover(pace, 16 * KiB);
    pace.own = 1000 * KiB;
    run(clock, [mover], 10);
    const [raised = 0] = rates([mover], 10);
    t.ok(raised >= 990 && raised <= 1070, `${raised} KiB/s`);
    const before = mover.moved;
    for (let ms = 0; ms < 10_000; ms++) {
      pace.own = 1000 * KiB;
      run(clock, [mover], 0.001);
    }
    const again = (mover.moved - before) / KiB / 10;
    t.ok(again <= 1050, `${again} KiB/s`);
  },
);

t.test('so does the limit of all', async (t) => {
  const clock = new ManualClock();
  const cells = makeLine(1);
  setLineRate(cells, 64 * KiB);
  const pace = new Pace(new Line(cells, 0), clock);
  const mover = new Mover(pace, 16 * KiB);
  pace.moved(16 * 1024 * KiB);
  clock.pass(5000);
  setLineRate(cells, 1000 * KiB);
  run(clock, [mover], 10);
  const [raised = 0] = rates([mover], 10);
  t.ok(raised >= 990 && raised <= 1070, `${raised} KiB/s`);
});

t.test('what is little does not wait', async (t) => {
  const clock = new ManualClock();
  const pace = new Pace(new Line(makeLine(1), 0), clock);
  pace.own = 100 * KiB;
  const mover = new Mover(pace, KiB);
  for (let second = 0; second < 30; second++) {
    for (let call = 0; call < 40; call++) mover.turn();
    clock.pass(1000);
  }
  t.equal(mover.moved, 30 * 40 * KiB);
});

t.test('a session is not read from meanwhile, and told that the server lives', async (t) => {
  const place = new Place(t, { bytes: 0, files: 0 });
  const home = await place.open();
  const clock = new ManualClock();
  const pace = new Pace(new Line(makeLine(1), 0), clock);
  pace.own = 2 * MAX_DATA;
  const peer = await Peer.connect(t, home, place, { pace });
  await peer.paths.put('f', randomBytes(MAX_DATA / 2));
  const isBusy = (): boolean => peer.told.some(([name]) => name === 'busy');
  t.notOk(isBusy());
  await peer.paths.write('f', MAX_DATA / 2, randomBytes(MAX_DATA / 2));
  let answered = false;
  const ping = peer.call('ping', []).then(() => {
    answered = true;
  });
  while (!isBusy()) await new Promise(setImmediate);
  t.notOk(answered);
  clock.pass(1000);
  await ping;
  await peer.cut();
});
