/*
 * What the workloads read: a tree like a source package's and a large file. The tree is generated from fixed
 * numbers, so every run on every machine works on the same names, sizes and bytes.
 */
import { createWriteStream, mkdirSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import path from 'node:path';
import { succeed } from '../test/lib/run.js';
import { LARGE, SMALL_BLOCK, type Counts } from './counts.js';
import { makeNoise } from './noise.js';

const FILES_A_DIRECTORY = 16;

/** What the workloads read and how much they do; made once, outside of every target. */
export interface Fixtures {
  readonly counts: Counts;
  /** A tar file with one tree in it, in the directory `tree`. */
  readonly tarball: string;
  /** A file of LARGE bytes for put and get, where it is wanted. */
  readonly large: string;
  /** A directory of MANY files of SMALL_BLOCK bytes for put and get, where it is wanted. */
  readonly many: string;
}

/** Makes the fixtures in `directory`; what is transferred only where it is needed. */
export async function makeFixtures(
  directory: string,
  counts: Counts,
  forTransfers: boolean,
): Promise<Fixtures> {
  writeTree(path.join(directory, 'tree'), counts.entries);
  const tarball = path.join(directory, 'tree.tar');
  await succeed('tar', ['-cf', tarball, '-C', directory, 'tree']);
  const large = path.join(directory, 'large');
  const many = path.join(directory, 'many');
  if (forTransfers) {
    await writeNoise(large, LARGE);
    mkdirSync(many);
    for (let n = 0; n < counts.many; n++)
      writeFileSync(path.join(many, `file-${n}`), randomBytes(SMALL_BLOCK));
  }
  return { counts, tarball, large, many };
}

/**
 * A tree three directories deep, of so many entries with itself, with files of 100 bytes to 80 KiB, most of them small:
 * mean 11 KiB, as in /usr/include.
 */
function writeTree(root: string, entries: number): void {
  const noise = makeNoise(1);
  mkdirSync(root);
  let made = 1;
  for (let d = 0; made < entries; d++) {
    const outer = path.join(root, `part-${Math.floor(d / 10)}`);
    const inner = path.join(outer, `module-${d % 10}`);
    if (d % 10 === 0) {
      mkdirSync(outer);
      made++;
    }
    mkdirSync(inner);
    made++;
    for (let f = 0; f < FILES_A_DIRECTORY && made < entries; f++, made++) {
      const size = Math.floor(100 + 80_000 * (noise() / 2 ** 32) ** 6);
      const lines = Array.from({ length: Math.ceil(size / 9) }, () => noise().toString(16).padStart(8, '0'));
      writeFileSync(path.join(inner, `source-${f}.txt`), `${lines.join('\n')}\n`);
    }
  }
}

/** Bytes that do not compress (ssh may), as fast as the disk takes them. */
async function writeNoise(file: string, size: number): Promise<void> {
  const noise = makeNoise(2);
  const piece = new Uint32Array(1024 * 1024);
  for (let i = 0; i < piece.length; i++) piece[i] = noise();
  const stream = createWriteStream(file);
  for (let written = 0, n = 0; written < size; written += piece.byteLength, n++) {
    piece[0] = n; // No two pieces alike.
    if (!stream.write(Buffer.from(new Uint8Array(piece.buffer).slice()))) await once(stream, 'drain');
  }
  stream.end();
  await once(stream, 'close');
}
