/* Flushing behind a transfer: one at a time, and an error of the disk is not lost. */
import t from 'tap';
import { Flusher } from '../../../ctl/transfer/flusher.js';

function fakeFile() {
  const flushes: { resolve: () => void; reject: (error: Error) => void }[] = [];
  const file = {
    datasync: () => new Promise<void>((resolve, reject) => flushes.push({ resolve, reject })),
  };
  return { flushes, flusher: new Flusher(file) };
}

t.test('one flush at a time', async (t) => {
  const { flushes, flusher } = fakeFile();
  await flusher.idle();
  flusher.start();
  flusher.start();
  t.equal(flushes.length, 1);
  flushes[0]?.resolve();
  await flusher.idle();
  flusher.start();
  t.equal(flushes.length, 2);
  flushes[1]?.resolve();
  await flusher.idle();
});

t.test('an error is told at the end, though nobody waited when it happened', async (t) => {
  const { flushes, flusher } = fakeFile();
  flusher.start();
  flushes[0]?.reject(new Error('EIO'));
  await t.rejects(flusher.idle(), { message: 'EIO' });
  flusher.start();
  t.equal(flushes.length, 1, 'a later flush would not know of it');
  await t.rejects(flusher.idle(), { message: 'EIO' });
});
