import t from 'tap';
import { LineWatch } from '../../../mount/remote/line-watch.js';

const now = (): number => performance.now();

/** Resolves with what a watch does first. */
function firstOf(
  options: { probeAfterMs: number; probeMs: number },
  act: (watch: LineWatch) => void,
): Promise<string[]> {
  return new Promise((resolve) => {
    const done: string[] = [];
    const watch = new LineWatch({
      ...options,
      now,
      probe: () => done.push('probe'),
      dead: () => resolve([...done, 'dead']),
    });
    act(watch);
  });
}

t.test('what waits makes a probe, and who does not answer it is dead', async (t) => {
  const began = now();
  const done = await firstOf({ probeAfterMs: 5, probeMs: 5 }, (watch) => watch.sent(0));
  t.same(done, ['probe', 'dead']);
  t.ok(now() - began >= 10);
});

t.test('a word from the server is enough', async (t) => {
  let probes = 0;
  await new Promise<void>((resolve) => {
    const watch = new LineWatch({
      probeAfterMs: 1,
      probeMs: 10_000,
      suspectMs: 0,
      now,
      probe: () => {
        probes += 1;
        setImmediate(() => {
          t.ok(watch.suspect);
          watch.heard();
          t.notOk(watch.suspect);
          if (probes < 3) return;
          watch.stop();
          resolve();
        });
      },
      dead: () => t.fail('it is alive'),
    });
    watch.sent(0);
  });
  t.equal(probes, 3, 'as long as something waits');
});

t.test('data that are on their way take time', async (t) => {
  let time = 0;
  const watch = new LineWatch({
    probeAfterMs: 1,
    probeMs: 1,
    now: () => time,
    probe: () => undefined,
    dead: () => t.fail('1 MiB in 8 s is a slow line, and not a dead one'),
  });
  watch.sent(1_048_576);
  time = 100;
  await new Promise<void>((resolve) => {
    setTimeout(resolve, 5);
  });
  time = 7_000;
  t.notOk(watch.suspect);
  time = 9_000;
  t.ok(watch.suspect);
  watch.stop();
});

t.test('where nothing waits nothing happens', async (t) => {
  const watch = new LineWatch({
    probeAfterMs: 1,
    probeMs: 1,
    now,
    probe: () => t.fail('nobody waits'),
    dead: () => t.fail('nobody waits'),
  });
  watch.sent(10);
  watch.answered(10);
  const { quietSince } = watch;
  t.ok(quietSince > 0);
  await firstOf({ probeAfterMs: 3, probeMs: 3 }, (other) => other.sent(0));
});
