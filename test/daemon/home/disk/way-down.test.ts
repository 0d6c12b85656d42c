/*
 * A deep tree that is walked depth first.
 */
import { mkdirSync, readdirSync } from 'node:fs';
import t from 'tap';
import { statxFd } from '../../../../posix/status.js';
import { O_PATH } from '../../../../posix/flags.js';
import { mkdirat } from '../../../../posix/names.js';
import { close } from '../../../../posix/files.js';
import { ConfinedTree } from '../../../../daemon/home/disk/confined.js';
import { WayDown, type Step } from '../../../../daemon/home/disk/way-down.js';
import { temporaryDirectory } from '../../../lib/directory.js';

const DEPTH = 1000;
const NAME = Buffer.from('n'.repeat(50));
const BESIDE = Buffer.from('beside');

t.test('down and up again, each directory is the one that is meant, for few names walked', async (t) => {
  const home = `${temporaryDirectory(t)}/home`;
  mkdirSync(home);
  const tree = ConfinedTree.open(home);
  const open = readdirSync('/proc/self/fd').length;
  const way = new WayDown(tree);
  const root: Step = { above: undefined, name: Buffer.alloc(0) };
  const inodes = new Map<Step, bigint>();
  const steps: Step[] = [];
  for (let above = root; steps.length < DEPTH;) {
    const directory = way.enter(above);
    for (const name of [NAME, BESIDE]) mkdirat(directory, name, 0o700);
    const [next, beside] = [NAME, BESIDE].map((name) => {
      const fd = tree.openDirectory(directory, name, O_PATH);
      const step = { above, name };
      inodes.set(step, statxFd(fd).ino);
      close(fd);
      return step;
    });
    if (next === undefined || beside === undefined) throw new Error('two names');
    steps.push(beside);
    above = next;
  }
  const before = way.passed;
  for (const step of steps.toReversed()) {
    if (statxFd(way.enter(step)).ino !== inodes.get(step)) t.fail('another directory');
    way.leave(step);
  }
  t.ok(way.passed - before < 20 * DEPTH, `${way.passed - before} names were walked`);
  t.ok(readdirSync('/proc/self/fd').length - open <= 64);
  way.close();
  t.equal(readdirSync('/proc/self/fd').length, open);
  tree.close();
});
