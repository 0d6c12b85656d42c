/*
 * The turns of one user: who is heard when, and that others have theirs in between.
 */
import t, { type Test } from 'tap';
import { setImmediate as nextRound } from 'node:timers/promises';
import { Turns, type TurnTaker } from '../../../../daemon/home/calls/turns.js';

/** Turns of two pieces, which take a millisecond each. */
class Desk {
  now = 0;
  /** Who did the pieces. */
  done = '';
  readonly turns = new Turns(2, () => this.now);

  piece(name: string): void {
    this.now += 1;
    this.done += name;
  }

  /** What was done in each round of the event loop, until nothing more is. */
  async rounds(): Promise<string[]> {
    const rounds: string[] = [];
    for (let idle = 0; idle < 3; idle = this.done === '' ? idle + 1 : 0) {
      if (this.done !== '') rounds.push(this.done);
      this.done = '';
      await nextRound();
    }
    return rounds;
  }
}

/** A session that was sent so many pieces of work. */
class Taker implements TurnTaker {
  readonly #desk: Desk;
  readonly #name: string;
  #left: number;
  #rests = false;

  constructor(desk: Desk, name: string, sent: number) {
    this.#desk = desk;
    this.#name = name;
    this.#left = sent;
    desk.turns.join(this);
  }

  rest(): void {
    this.#rests = true;
  }

  goOn(): void {
    this.#rests = false;
    process.nextTick(() => this.hear());
  }

  hear(): void {
    while (!this.#rests && this.#left > 0) {
      this.#left -= 1;
      this.#desk.turns.spend(() => this.#desk.piece(this.#name), this);
    }
  }
}

function takers(desk: Desk, sent: Record<string, number>): void {
  const all = Object.entries(sent).map(([name, count]) => new Taker(desk, name, count));
  for (const taker of all) taker.hear();
}

void t.test(
  'all the sessions of a user share a turn, and have theirs one after the other',
  async (t: Test) => {
    const desk = new Desk();
    takers(desk, { a: 6, b: 4, c: 2, d: 0 });
    t.strictSame(await desk.rounds(), ['aa', 'bb', 'aa', 'cc', 'bb', 'aa']);
  },
);

void t.test('who has little to do is heard before who used up a turn', async (t: Test) => {
  const desk = new Desk();
  takers(desk, { a: 4, b: 1, c: 1 });
  t.strictSame(await desk.rounds(), ['aa', 'bc', 'aa']);
});

void t.test('who leaves holds up nobody', async (t: Test) => {
  const desk = new Desk();
  const leaving = new Taker(desk, 'a', 0);
  const other = new Taker(desk, 'b', 3);
  desk.turns.spend(() => {
    desk.now += 2;
    desk.turns.leave(leaving);
  }, leaving);
  other.hear();
  t.strictSame(await desk.rounds(), ['bb', 'b']);
});

void t.test('what is put off comes in its order, some of it in each turn', async (t: Test) => {
  const desk = new Desk();
  const putOff = (name: string, place?: 'first'): Promise<void> =>
    desk.turns.putOff(() => desk.piece(name), place);
  const all = [putOff('1'), putOff('2'), putOff('3'), putOff('0', 'first')];
  takers(desk, { a: 4 });
  t.strictSame(await desk.rounds(), ['aa', '01', '23', 'aa']);
  await Promise.all(all);
  const failure = new Error('it failed');
  await t.rejects(
    desk.turns.putOff(() => {
      throw failure;
    }),
    failure,
  );
});
