/* One daemon per directory. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { lockHomes, lockState } from '../../state/lock.js';
import { temporaryDirectory } from '../lib/directory.js';

t.test('a locked state directory names its holder', async (t) => {
  const directory = temporaryDirectory(t);
  const held = lockState(directory);
  t.throws(() => lockState(directory), {
    kind: 'EBUSY',
    message: new RegExp(`process ${process.pid}.*${directory}`),
  });
  t.equal(readFileSync(`${directory}/daemon.lock`, 'utf8'), `${process.pid}\n`);
  held.release();
  lockState(directory).release();
});

t.test('a locked directory of homes', async (t) => {
  const directory = temporaryDirectory(t);
  const held = lockHomes(directory);
  t.throws(() => lockHomes(directory), { kind: 'EBUSY', message: /--home/ });
  held.release();
  lockHomes(directory).release();
});
