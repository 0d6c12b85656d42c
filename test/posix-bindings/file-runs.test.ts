/* Which parts of a file are holes; short ones count as data. */
import fs from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { fd } from '../../posix/fd.js';
import { FileRuns } from '../../posix/file-runs.js';
import { temporaryDirectory } from '../lib/directory.js';

const KiB = 1024;
const directory = temporaryDirectory(t);

/** The runs of a file of `size` bytes with 4 KiB of data at each of these places, as [end, whether it is a hole]. */
function runs(size: number, ...data: readonly number[]): unknown[] {
  const file = fs.openSync(join(directory, 'f'), 'w+');
  try {
    fs.ftruncateSync(file, size);
    for (const at of data) fs.writeSync(file, Buffer.alloc(4 * KiB, 'x'), 0, 4 * KiB, at);
    const found = new FileRuns(fd(file));
    const told: unknown[] = [];
    for (let at = 0; at < size;) {
      const { end, isHole } = found.at(at);
      told.push([end, isHole]);
      at = end;
    }
    return told;
  } finally {
    fs.closeSync(file);
  }
}

const MiB = 1024 * KiB;
t.same(runs(MiB), [[Infinity, true]]);
t.same(runs(4 * KiB, 0), [[4 * KiB, false]]);
t.same(runs(4 * MiB, MiB, MiB + 4 * KiB, 3 * MiB), [
  ...[
    [MiB, true],
    [MiB + 8 * KiB, false],
    [3 * MiB, true],
  ],
  ...[
    [3 * MiB + 4 * KiB, false],
    [Infinity, true],
  ],
]);
t.same(runs(MiB, 32 * KiB, 64 * KiB), [
  [68 * KiB, false],
  [Infinity, true],
]);
const comb = Array.from({ length: 64 }, (_, i) => 8 * KiB * i);
t.same(runs(MiB, ...comb).at(-1), [Infinity, true]);
t.equal(runs(MiB, ...comb).length, 3, 'what has many short holes is told piece by piece');
