/*
 * What a disk can keep is found out as touch(1) and truncate(1) would find it out on that disk.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { ConfinedTree } from '../../../../daemon/home/disk/confined.js';
import { limitsOfDisk } from '../../../../daemon/home/disk/disk-limits.js';
import { PosixError } from '../../../../posix/error.js';
import { UNLIMITED_DISK } from '../../../../protocol/disk-limits.js';
import { limitedTime } from '../../../../protocol/time-limits.js';
import { temporaryDirectory } from '../../../lib/directory.js';

t.test('what the limits make of a time is what the disk makes of it', (t) => {
  const directory = temporaryDirectory(t);
  const home = join(directory, 'home');
  mkdirSync(home);
  const tree = ConfinedTree.open(home);
  t.teardown(() => tree.close());
  const limits = limitsOfDisk(tree).times;
  const file = join(directory, 'file');
  writeFileSync(file, '');
  for (const [sec, nsec] of [
    [2 ** 53 - 2, 999_999_999],
    [2 ** 40, 5],
    [15_032_385_535, 1],
    [15_032_385_536, 0],
    [2 ** 31, 123_456_789],
    [0, 999_999_999],
    [-1, 0],
    [-(2 ** 31), 0],
    [-(2 ** 31) - 1, 0],
    [-(2 ** 53) + 2, 0],
  ] as const) {
    execFileSync('touch', ['-d', `@${sec}.${String(nsec).padStart(9, '0')}`, file]);
    const { mtimeNs } = statSync(file, { bigint: true });
    const limited = limitedTime({ sec, nsec }, limits);
    t.equal(BigInt(limited.sec) * 1_000_000_000n + BigInt(limited.nsec), mtimeNs, `${sec}.${nsec}`);
  }
  t.end();
});

t.test('the largest file is what truncate(2) makes, and no byte more', (t) => {
  const home = join(temporaryDirectory(t), 'home');
  mkdirSync(home);
  const tree = ConfinedTree.open(home);
  t.teardown(() => tree.close());
  const { largestFile } = limitsOfDisk(tree);
  const file = join(home, 'file');
  writeFileSync(file, '');
  truncateSync(file, largestFile);
  t.equal(statSync(file).size, largestFile);
  if (largestFile < Number.MAX_SAFE_INTEGER)
    t.throws(() => truncateSync(file, largestFile + 1), { code: 'EFBIG' });
  t.strictSame(readdirSync(join(home, '.ftpmount')), [], 'nothing is left of the trial');
  t.end();
});

t.test('a disk that refuses large files in its own way has its limits of times nevertheless', (t) => {
  const home = join(temporaryDirectory(t), 'home');
  mkdirSync(home);
  const tree = ConfinedTree.open(home);
  t.teardown(() => tree.close());
  const { times } = limitsOfDisk(tree);
  const refusing = limitsOfDisk(tree, () => {
    throw new PosixError(constants.errno.EINVAL, 'ftruncate');
  });
  t.strictSame(refusing, { times, largestFile: UNLIMITED_DISK.largestFile });
  t.end();
});

t.test('where it cannot be tried nothing is limited, and the home goes on', (t) => {
  const home = join(temporaryDirectory(t), 'home');
  mkdirSync(join(home, '.ftpmount', 'limits'), { recursive: true });
  chmodSync(join(home, '.ftpmount'), 0o700);
  const tree = ConfinedTree.open(home);
  t.teardown(() => tree.close());
  const time = { sec: 2 ** 50, nsec: 7 };
  t.same(limitedTime(time, limitsOfDisk(tree).times), time);
  t.end();
});
