/*
 * Jobs side by side: no more than there are lanes, and none after a fatal failure.
 */
import t from 'tap';
import { allFinished, Lanes } from '../../../ctl/transfer/lanes.js';

t.test('so many jobs run at once, and the next begins when one has ended', async (t) => {
  const lanes = new Lanes(2);
  const started: number[] = [];
  const ends: (() => void)[] = [];
  const job = (n: number) => (): Promise<void> => {
    started.push(n);
    return new Promise((resolve) => ends.push(resolve));
  };
  await lanes.run(job(1));
  await lanes.run(job(2));
  const third = lanes.run(job(3));
  t.same(started, [1, 2]);
  ends[0]?.();
  await third;
  t.same(started, [1, 2, 3]);
  for (const end of ends) end();
  await lanes.finished();
});

t.test('after a fatal failure no job begins, and it is told when all have ended', async (t) => {
  const lanes = new Lanes(1);
  let ended = false;
  await lanes.run(() => Promise.reject(new Error('lost')));
  await t.rejects(
    lanes.run(() => {
      ended = true;
      return Promise.resolve();
    }),
    { message: 'lost' },
  );
  await t.rejects(lanes.finished(), { message: 'lost' });
  t.notOk(ended);
});

t.test('nothing runs any more when all lanes have finished, also where some failed', async (t) => {
  const [failing, others] = [new Lanes(1), new Lanes(1)];
  let ended = false;
  let end = (): void => undefined;
  await failing.run(() => Promise.reject(new Error('lost')));
  await others.run(async () => {
    await new Promise<void>((resolve) => {
      end = resolve;
    });
    ended = true;
  });
  const finished = allFinished(failing, others);
  setImmediate(() => end());
  await t.rejects(finished, { message: 'lost' });
  t.ok(ended);
});
