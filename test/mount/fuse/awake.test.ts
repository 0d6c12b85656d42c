/*
 * Staying awake: for a while after a request that waits, and after its answer, as long as answers come soon.
 */
import t from 'tap';
import { Awake } from '../../../mount/fuse/awake.js';

class Loop {
  now = 0;
  turn: (() => void) | undefined;
  readonly awake = new Awake({
    now: () => this.now,
    look: (act) => {
      this.turn = act;
    },
  });

  /** The event loop looks once more, at a time. */
  lookAt(now: number): void {
    this.now = now;
    const { turn } = this;
    this.turn = undefined;
    turn?.();
  }

  get looks(): boolean {
    return this.turn !== undefined;
  }
}

t.test('after a request that waits, and after its answer, it looks for a while', async (t) => {
  const loop = new Loop();
  t.notOk(loop.looks, 'it sleeps when idle');
  loop.awake.waits();
  loop.lookAt(0.15);
  t.ok(loop.looks);
  loop.awake.answered();
  loop.lookAt(0.3);
  t.ok(loop.looks, 'the next request is near');
  loop.lookAt(0.4);
  t.notOk(loop.looks);
});

t.test('what takes long is slept through, until an answer comes soon again', async (t) => {
  const loop = new Loop();
  loop.awake.waits();
  loop.lookAt(0.5);
  t.notOk(loop.looks);
  loop.now = 20;
  loop.awake.answered();
  t.notOk(loop.looks);
  loop.awake.waits();
  t.notOk(loop.looks, 'as the last one took long');
  loop.now = 20.5;
  loop.awake.answered();
  t.ok(loop.looks);
});
