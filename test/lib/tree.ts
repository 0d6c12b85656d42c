/*
 * A tree like a small project's, made anew for each test: several levels, empty and executable files, files around
 * the sizes where requests are split, symlinks, names with spaces and bytes beyond ASCII.
 */
import { chmodSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const SIZES = [0, 1, 100, 4095, 4096, 4097, 20_000, 131_072, 131_073];
const PARTS = 12;
const FILES_A_PART = 20;

/** Makes the tree in `root`, which is created; returns how many regular files are in it. */
export function makeTree(root: string): number {
  let files = 0;
  mkdirSync(root);
  for (let part = 0; part < PARTS; part++) {
    const directory = path.join(root, `part ${part % 4}`, `módule-${part}`);
    mkdirSync(directory, { recursive: true });
    for (let n = 0; n < FILES_A_PART; n++) {
      // Large files are few.
      const size = SIZES[n < SIZES.length ? n : n % 4] ?? 0;
      const file = path.join(directory, `file-${n}.txt`);
      writeFileSync(file, `${part} ${n} `.repeat(size).slice(0, size));
      if (n % 7 === 0) chmodSync(file, 0o755);
      utimesSync(file, 1_500_000_000 + n, 1_600_000_000 + part * 1000 + n + 0.125);
      files++;
    }
    symlinkSync('file-1.txt', path.join(directory, 'link'));
    symlinkSync('../missing/target', path.join(directory, 'dangling'));
  }
  return files;
}
