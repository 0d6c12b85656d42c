/*
 * The named workloads. Each prepares what it needs where that is missing, so one alone (`--only`) can run as well as
 * all in order, and then does the work that is timed. They run in a process of their own (workload-process.ts), never
 * in one that serves a mount; times end when the work is as durable as close(2) makes it, or fsync(2) where it is called.
 */
import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { BLOCK, FILE_BYTES, SMALL_BLOCK, type Counts } from './counts.js';
import type { Fixtures } from './fixtures.js';
import { makeNoise } from './noise.js';

export interface Workload {
  readonly name: string;
  readonly title: (counts: Counts) => string;
  /** Whether a second mount of the same home is there; otherwise the first one is alone. */
  readonly second?: true;
  /** Makes what the work needs in the target's directory. */
  readonly prepare?: (directory: string, fixtures: Fixtures, second: string) => void;
  /**
   * When the work follows: `settled` (default): when the disk has what was prepared; `at once`; `cold`: settled, and when
   * the client's side has forgotten all.
   */
  readonly after?: 'settled' | 'at once' | 'cold';
  readonly work: (directory: string, fixtures: Fixtures, second: string) => void | Promise<void>;
}

const MiB = 1024 * 1024;

export const workloads: readonly Workload[] = [
  {
    name: 'write',
    title: ({ big }) => `write ${big / MiB} MiB and fsync`,
    prepare: (directory) => remove(directory, 'big'),
    work: (directory, { counts }) => write(path.join(directory, 'big'), BLOCK, counts.big / BLOCK, true),
  },
  {
    name: 'read',
    title: ({ big }) => `read ${big / MiB} MiB, cold`,
    prepare: makeBig,
    after: 'cold',
    work: (directory, { counts }) => readAll(path.join(directory, 'big'), counts.big),
  },
  {
    name: 'random-reads',
    title: ({ randomReads }) => `${randomReads} random 4 KiB reads, cold`,
    prepare: makeBig,
    after: 'cold',
    work: (directory, { counts }) => readAtRandom(path.join(directory, 'big'), counts),
  },
  {
    name: 'small-writes',
    title: ({ smallWrites }) => `${smallWrites} writes of 4 KiB`,
    prepare: (directory) => remove(directory, 'small-writes'),
    work: (directory, { counts }) =>
      write(path.join(directory, 'small-writes'), SMALL_BLOCK, counts.smallWrites, false),
  },
  {
    name: 'create',
    title: ({ files }) => `create ${files} files of 1 KiB`,
    prepare: (directory) => {
      remove(directory, 'files');
      fs.mkdirSync(path.join(directory, 'files'));
    },
    work: createFiles,
  },
  {
    name: 'stat',
    title: ({ files }) => `stat ${files} files, first time after`,
    prepare: (directory, fixtures) => {
      remove(directory, 'files');
      fs.mkdirSync(path.join(directory, 'files'));
      createFiles(directory, fixtures);
    },
    after: 'at once',
    work: (directory, { counts }) => {
      for (let i = 0; i < counts.files; i++) fs.statSync(fileOf(directory, i));
    },
  },
  {
    name: 'untar',
    title: ({ entries }) => `untar ${entries} entries`,
    prepare: (directory) => remove(directory, 'tree'),
    work: untar,
  },
  {
    name: 'ls-cold',
    title: () => 'ls -lR of them, cold',
    prepare: makeTree,
    after: 'cold',
    work: (directory) => command(directory, 'ls', '-lR', 'tree'),
  },
  {
    name: 'ls-warm',
    title: () => 'ls -lR of them, warm',
    prepare: (directory, fixtures) => {
      makeTree(directory, fixtures);
      command(directory, 'ls', '-lR', 'tree');
    },
    after: 'at once',
    work: (directory) => command(directory, 'ls', '-lR', 'tree'),
  },
  {
    name: 'tar-cold',
    title: () => 'tar -c of them, cold',
    prepare: makeTree,
    after: 'cold',
    work: readTree,
  },
  {
    name: 'tar-warm',
    title: () => 'tar -c of them, warm',
    prepare: (directory, fixtures) => {
      makeTree(directory, fixtures);
      readTree(directory);
    },
    after: 'at once',
    work: readTree,
  },
  {
    name: 'git-commit',
    title: () => 'git init, add, commit',
    prepare: (directory, fixtures) => {
      makeTree(directory, fixtures);
      remove(directory, 'tree/.git');
    },
    work: commitTree,
  },
  {
    name: 'git-status-cold',
    title: () => 'git status, cold',
    prepare: makeRepository,
    after: 'cold',
    work: (directory) => git(directory, 'status'),
  },
  {
    name: 'git-status',
    title: () => 'git status, warm',
    prepare: (directory, fixtures) => {
      makeRepository(directory, fixtures);
      git(directory, 'status');
    },
    after: 'at once',
    work: (directory) => git(directory, 'status'),
  },
  {
    name: 'sqlite',
    title: ({ transactions }) => `${transactions} SQLite transactions`,
    prepare: (directory) => remove(directory, 'database'),
    work: (directory, { counts }) => fillDatabase(directory, counts.transactions),
  },
  {
    name: 'rm',
    title: ({ files }) => `rm -rf of tree, .git and ${files} files`,
    prepare: (directory, fixtures) => {
      makeRepository(directory, fixtures);
      fs.mkdirSync(path.join(directory, 'files'), { recursive: true });
      createFiles(directory, fixtures);
    },
    work: (directory) => command(directory, 'rm', '-rf', 'tree', 'files'),
  },
];

function makeBig(directory: string, { counts }: Fixtures): void {
  const file = path.join(directory, 'big');
  if (!fs.existsSync(file)) write(file, BLOCK, counts.big / BLOCK, false);
}

export function untar(directory: string, { tarball }: Fixtures): void {
  command(directory, 'tar', '-xf', tarball);
}

/** Like `untar`, while others work. */
export async function extract(cwd: string, { tarball }: Fixtures): Promise<void> {
  const [code] = await once(spawn('tar', ['-xf', tarball], { cwd, stdio: 'inherit' }), 'exit');
  if (code !== 0) throw new Error(`tar in ${cwd} failed`);
}

function makeTree(directory: string, fixtures: Fixtures): void {
  if (!fs.existsSync(path.join(directory, 'tree'))) untar(directory, fixtures);
}

function makeRepository(directory: string, fixtures: Fixtures): void {
  makeTree(directory, fixtures);
  if (!fs.existsSync(path.join(directory, 'tree/.git'))) commitTree(directory);
}

function commitTree(directory: string): void {
  git(directory, 'init', '-q', '-b', 'main');
  git(directory, 'add', '.');
  git(directory, 'commit', '-q', '-m', 'The whole tree');
}

function git(directory: string, ...args: string[]): void {
  const who = ['-c', 'user.name=bench', '-c', 'user.email=bench@localhost', '-c', 'commit.gpgsign=false'];
  command(path.join(directory, 'tree'), 'git', ...who, '-c', 'safe.directory=*', ...args);
}

/** Through a pipe: tar reads no data where it sees that it writes to /dev/null. */
function readTree(directory: string): void {
  command(directory, 'sh', '-c', 'tar -cf - tree | cat >/dev/null');
}

/** Each insertion is a transaction: with a journal of its own, and three fsyncs. */
function fillDatabase(directory: string, transactions: number): void {
  const text = 'x'.repeat(100);
  const insertions = Array.from(
    { length: transactions },
    (_, i) => `INSERT INTO t VALUES (${i}, '${text}');`,
  );
  const script = ['CREATE TABLE t (a, b);', ...insertions].join('\n');
  finish('sqlite3', spawnSync('sqlite3', ['-bail', path.join(directory, 'database')], { input: script }));
}

function fileOf(directory: string, index: number): string {
  return path.join(directory, 'files', `file-${index}`);
}

export function createFiles(directory: string, { counts }: Fixtures): void {
  const content = Buffer.alloc(FILE_BYTES, 'x');
  for (let i = 0; i < counts.files; i++) fs.writeFileSync(fileOf(directory, i), content);
}

/** Bytes that do not compress, as ssh may. */
function write(file: string, block: number, blocks: number, durable: boolean): void {
  const data = randomBytes(block);
  const fd = fs.openSync(file, 'w');
  try {
    for (let written = 0; written < blocks; written++) fs.writeSync(fd, data);
    if (durable) fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

function readAll(file: string, size: number): void {
  const data = Buffer.allocUnsafe(BLOCK);
  const fd = fs.openSync(file, 'r');
  try {
    let total = 0;
    for (let got = -1; got !== 0; total += got) got = fs.readSync(fd, data);
    if (total !== size) throw new Error(`read ${total} of ${size} bytes`);
  } finally {
    fs.closeSync(fd);
  }
}

function readAtRandom(file: string, { big, randomReads }: Counts): void {
  const noise = makeNoise(3);
  const data = Buffer.allocUnsafe(SMALL_BLOCK);
  const fd = fs.openSync(file, 'r');
  try {
    for (let i = 0; i < randomReads; i++)
      fs.readSync(fd, data, 0, SMALL_BLOCK, (noise() % (big / SMALL_BLOCK)) * SMALL_BLOCK);
  } finally {
    fs.closeSync(fd);
  }
}

export function remove(directory: string, name: string): void {
  command(directory, 'rm', '-rf', name);
}

export function command(cwd: string, program: string, ...args: string[]): void {
  finish(
    [program, ...args].join(' '),
    spawnSync(program, args, { cwd, stdio: ['ignore', 'ignore', 'pipe'] }),
  );
}

/** Throws what a program complained of that did not succeed. */
function finish(program: string, { status, error, stderr }: ReturnType<typeof spawnSync>): void {
  if (status !== 0) throw error ?? new Error(`${program}: ${stderr.toString()}`);
}
