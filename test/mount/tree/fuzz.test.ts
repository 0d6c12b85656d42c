/*
 * The tree against a disk: random changes are made in both, and both must give the same result or errno, and show the
 * same names, types, link counts and sizes.
 *
 * Once with everything known, and once with a tree that may keep few names and forgets, and learns again from the disk.
 * The seed is printed: SEED=... repeats a run, STEPS=... makes it longer.
 */
import t from 'tap';
import { temporaryDirectory } from '../../lib/directory.js';
import { randomFrom, seedOfRun } from '../../lib/random.js';
import { TreeAndDisk } from './tree-and-disk.js';

const seed = seedOfRun();
const steps = Number(process.env['STEPS'] ?? 2000);
/** Both are compared as a whole after so many changes. */
const COMPARE_EVERY = 250;

for (const [what, maxNames, forgetful] of [
  ['everything known', 100_000, false],
  ['a tree that forgets', 40, true],
] as const) {
  t.test(`${what}, seed ${seed}`, async (t) => {
    const both = new TreeAndDisk(temporaryDirectory(t), randomFrom(seed), maxNames, forgetful);
    t.teardown(() => both.close());
    // The root is empty, and known to be.
    both.tree.pageOf(both.tree.root, [], true, true);
    const outcomes = new Map<string, number>();
    for (let step = 1; step <= steps; step++) {
      const { tree, disk } = both.step();
      outcomes.set(disk, (outcomes.get(disk) ?? 0) + 1);
      if (tree !== disk) return t.equal(tree, disk, `step ${step}: ${both.text.slice(-5).join('; ')}`);
      if (step % COMPARE_EVERY !== 0 && step !== steps) continue;
      const [shown, expected] = both.shown();
      if (!t.same(shown, expected, `as a whole after ${step} steps`))
        return t.comment(both.text.slice(-COMPARE_EVERY).join('\n'));
      t.same({ bytes: both.bytes, files: both.files }, both.charged(), 'and what is charged');
    }
    t.comment([...outcomes].map(([outcome, count]) => `${outcome} ${count}`).join(', '));
    for (const errno of ['ENOENT', 'EEXIST', 'ENOTEMPTY', 'EINVAL', 'EISDIR', 'ENOTDIR', 'ENAMETOOLONG']) {
      if (steps >= 2000) t.ok(outcomes.has(errno), `${errno} was among the outcomes`);
    }
  });
}
