/*
 * The named workloads. Each prepares what it needs where that is missing, so one alone (`--only`) can run as well as
 * all in order, and then does the work that is timed. They run in a process of their own (workload-process.ts), never
 * in one that serves a mount; times end when the work is as durable as close(2) makes it.
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

const KiB = 1024;
const MiB = 1024 * KiB;
const GiB = 1024 * MiB;

export interface Workload {
  readonly name: string;
  readonly title: (fixtures: Fixtures) => string;
  /** Makes what the work needs in the target's directory. */
  readonly prepare?: (directory: string, fixtures: Fixtures) => void;
  /** After preparing and before the work: remount, and drop the kernel's caches. */
  readonly cold?: boolean;
  readonly work: (directory: string, fixtures: Fixtures) => void;
}

/** What the workloads read; made once, outside of every target. */
export interface Fixtures {
  /** A tar file with one tree in it, in the directory `tree`. */
  readonly tarball: string;
  /** Files and directories in it. */
  readonly entries: number;
  /** A file of LARGE bytes for put and get. */
  readonly large: string;
}

export const LARGE = 1 * GiB;
const BIG = 256 * MiB;
const SMALL_WRITES = 16 * MiB;
const FILES = 1_000;

export const workloads: readonly Workload[] = [
  {
    name: 'write',
    title: () => `write ${BIG / MiB} MiB`,
    prepare: (directory) => fs.rmSync(path.join(directory, 'big'), { force: true }),
    work: (directory) => writeFile(path.join(directory, 'big'), BIG, 1 * MiB),
  },
  {
    name: 'read',
    title: () => `read ${BIG / MiB} MiB, cold`,
    prepare: (directory) => {
      const file = path.join(directory, 'big');
      if (!fs.existsSync(file)) writeFile(file, BIG, 1 * MiB);
    },
    cold: true,
    work: (directory) => readFile(path.join(directory, 'big'), BIG),
  },
  {
    name: 'small-writes',
    title: () => `write ${SMALL_WRITES / MiB} MiB by 4 KiB`,
    prepare: (directory) => fs.rmSync(path.join(directory, 'small-writes'), { force: true }),
    work: (directory) => writeFile(path.join(directory, 'small-writes'), SMALL_WRITES, 4 * KiB),
  },
  {
    name: 'create',
    title: () => `create ${FILES} files of 1 KiB`,
    prepare: (directory) => {
      command(directory, 'rm', '-rf', 'files');
      fs.mkdirSync(path.join(directory, 'files'));
    },
    work: (directory) => {
      const content = Buffer.alloc(1 * KiB, 'x');
      for (let i = 0; i < FILES; i++) fs.writeFileSync(path.join(directory, 'files', `file-${i}`), content);
    },
  },
  {
    name: 'untar',
    title: ({ entries }) => `untar ${entries} entries`,
    prepare: (directory) => command(directory, 'rm', '-rf', 'tree'),
    work: (directory, { tarball }) => command(directory, 'tar', '-xf', tarball),
  },
  {
    name: 'ls-cold',
    title: () => 'ls -lR of them, cold',
    prepare: makeTree,
    cold: true,
    work: (directory) => command(directory, 'ls', '-lR', 'tree'),
  },
  {
    name: 'ls-warm',
    title: () => 'ls -lR of them, warm',
    prepare: (directory, fixtures) => {
      makeTree(directory, fixtures);
      command(directory, 'ls', '-lR', 'tree');
    },
    work: (directory) => command(directory, 'ls', '-lR', 'tree'),
  },
  {
    name: 'git-commit',
    title: () => 'git init, add, commit',
    prepare: (directory, fixtures) => {
      makeTree(directory, fixtures);
      command(directory, 'rm', '-rf', 'tree/.git');
    },
    work: commitTree,
  },
  {
    name: 'git-status',
    title: () => 'git status',
    prepare: (directory, fixtures) => {
      makeTree(directory, fixtures);
      if (!fs.existsSync(path.join(directory, 'tree/.git'))) commitTree(directory);
    },
    work: (directory) => git(directory, 'status'),
  },
  {
    name: 'rm',
    title: () => 'rm -rf',
    prepare: makeTree,
    work: (directory) => command(directory, 'rm', '-rf', 'tree'),
  },
];

function makeTree(directory: string, { tarball }: Fixtures): void {
  if (!fs.existsSync(path.join(directory, 'tree'))) command(directory, 'tar', '-xf', tarball);
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

function writeFile(file: string, size: number, piece: number): void {
  const data = Buffer.alloc(piece, 'ftpmount');
  const fd = fs.openSync(file, 'w');
  try {
    for (let written = 0; written < size; written += piece) fs.writeSync(fd, data);
  } finally {
    fs.closeSync(fd);
  }
}

function readFile(file: string, size: number): void {
  const data = Buffer.allocUnsafe(1 * MiB);
  const fd = fs.openSync(file, 'r');
  try {
    let total = 0;
    for (let got = -1; got !== 0; total += got) got = fs.readSync(fd, data);
    if (total !== size) throw new Error(`read ${total} of ${size} bytes`);
  } finally {
    fs.closeSync(fd);
  }
}

function command(cwd: string, program: string, ...args: string[]): void {
  const { status, error, stderr } = spawnSync(program, args, { cwd, stdio: ['ignore', 'ignore', 'pipe'] });
  if (status !== 0) throw error ?? new Error(`${program} ${args.join(' ')}: ${stderr.toString()}`);
}
