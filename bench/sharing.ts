/*
 * Workloads of two mounts of one home, in the terms of workloads.ts: what they share costs asking and giving back, what
 * they do not share must cost nothing. The contents are looked at, too: a fast answer that is old would be worth nothing.
 */
import fs from 'node:fs';
import path from 'node:path';
import { FILE_BYTES, SMALL_BLOCK } from './counts.js';
import type { Fixtures } from './fixtures.js';
import { command, createFiles, extract, remove, untar, type Workload } from './workloads.js';

/** The work of workloads that take a second mount's directory. */
export const sharing: readonly Workload[] = [
  {
    name: 'pass-blocks',
    title: ({ passes }) => `${passes} times write 4 KiB in place, read it at the other`,
    second: true,
    prepare: (here) => fs.writeFileSync(path.join(here, 'blocks'), Buffer.alloc(BLOCKS * SMALL_BLOCK)),
    work: passBlocks,
  },
  {
    name: 'pass-lines',
    title: ({ passes }) => `${passes} times append a line, read all at the other`,
    second: true,
    prepare: (here) => fs.writeFileSync(path.join(here, 'lines'), ''),
    work: passLines,
  },
  {
    name: 'pass-files',
    title: ({ passes }) => `${passes} times create, stat and unlink at the other`,
    second: true,
    prepare: (here) => {
      remove(here, 'passed');
      fs.mkdirSync(path.join(here, 'passed'));
    },
    work: passFiles,
  },
  {
    name: 'pass-in-crowd',
    title: ({ passes, files }) => `${passes} times save a file, read it at the other, among ${files}`,
    second: true,
    prepare: (here, fixtures, there) => {
      const crowd = path.join(here, 'files');
      fs.mkdirSync(crowd, { recursive: true });
      createFiles(here, fixtures);
      for (const directory of [here, there]) command(directory, 'ls', '-l', 'files');
    },
    work: saveInCrowd,
  },
  {
    name: 'untar-beside-idle',
    title: ({ entries }) => `untar ${entries} entries, other has listed all`,
    second: true,
    prepare: (here, fixtures, there) => {
      remove(here, 'tree');
      if (!fs.existsSync(path.join(here, 'listed'))) {
        fs.mkdirSync(path.join(here, 'listed'));
        untar(path.join(here, 'listed'), fixtures);
      }
      command(there, 'ls', '-lR', '.');
    },
    work: untar,
  },
  {
    name: 'untar-at-both',
    title: ({ entries }) => `untar ${entries} entries at each, in two directories`,
    second: true,
    prepare: (here, _, there) => {
      for (const directory of [path.join(here, 'one'), path.join(there, 'two')]) {
        fs.rmSync(directory, { recursive: true, force: true });
        fs.mkdirSync(directory);
      }
    },
    work: async (here, fixtures, there) => {
      await Promise.all([
        extract(path.join(here, 'one'), fixtures),
        extract(path.join(there, 'two'), fixtures),
      ]);
    },
  },
];

/** Blocks of the file that is changed in place. */
const BLOCKS = 16;

/** Who writes and who reads takes turns, so both do both. */
function passBlocks(here: string, { counts }: Fixtures, there: string): void {
  const [one, other] = [here, there].map((directory) =>
    fs.openSync(path.join(directory, 'blocks'), 'r+'),
  ) as [number, number];
  const got = Buffer.alloc(SMALL_BLOCK);
  for (let i = 0; i < counts.passes; i++) {
    const [writer, reader] = i % 2 === 0 ? [one, other] : [other, one];
    const position = (i % BLOCKS) * SMALL_BLOCK;
    const block = Buffer.alloc(SMALL_BLOCK, i + 1);
    fs.writeSync(writer, block, 0, SMALL_BLOCK, position);
    fs.readSync(reader, got, 0, SMALL_BLOCK, position);
    if (!got.equals(block)) throw new Error(`block ${i} was read as it was before`);
  }
  fs.closeSync(one);
  fs.closeSync(other);
}

function passLines(here: string, { counts }: Fixtures, there: string): void {
  let written = '';
  for (let i = 0; i < counts.passes; i++) {
    const [writer, reader] = i % 2 === 0 ? [here, there] : [there, here];
    const line = `line ${i}\n`;
    fs.appendFileSync(path.join(writer, 'lines'), line);
    written += line;
    if (fs.readFileSync(path.join(reader, 'lines'), 'utf8') !== written)
      throw new Error(`line ${i} is missing`);
  }
}

function passFiles(here: string, { counts }: Fixtures, there: string): void {
  const content = Buffer.alloc(FILE_BYTES, 'x');
  for (let i = 0; i < counts.passes; i++) {
    const name = path.join('passed', `file-${i}`);
    fs.writeFileSync(path.join(here, name), content);
    const { size } = fs.statSync(path.join(there, name));
    if (size !== FILE_BYTES) throw new Error(`${name} has ${size} bytes`);
    fs.unlinkSync(path.join(there, name));
  }
}

function saveInCrowd(here: string, { counts }: Fixtures, there: string): void {
  for (let i = 0; i < counts.passes; i++) {
    const [writer, reader] = i % 2 === 0 ? [here, there] : [there, here];
    fs.writeFileSync(path.join(writer, 'files', 'saved'), `save ${i}`);
    const got = fs.readFileSync(path.join(reader, 'files', 'saved'), 'utf8');
    if (got !== `save ${i}`) throw new Error(`save ${i} is missing`);
  }
}
