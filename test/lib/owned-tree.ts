/*
 * A tree like a root file system's: files of many owners with any mode, set-id bits, devices, FIFOs, sockets, symbolic links of
 * others, hard links, extended attributes. For root, on a disk that keeps all of it.
 */
import {
  chmodSync,
  chownSync,
  closeSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { fd } from '../../posix/fd.js';
import { S_IFBLK, S_IFCHR, S_IFIFO, S_IFSOCK } from '../../posix/flags.js';
import { mknodat } from '../../posix/names.js';
import { getXattr, listXattrs, setXattr, type XattrPlace } from '../../posix/xattrs.js';
import { randomFrom, type Random } from './random.js';

const IDS = [0, 1, 33, 100, 1000, 65_534, 70_000, 2 ** 32 - 2];
const DIRECTORIES = 25;
const FILES = 300;
/** Half of them are regular. */
const TYPES = ['file', 'file', 'file', 'file', 'link', 'name', 'p', 's', 'c', 'b'] as const;
const SPECIAL = { p: S_IFIFO, s: S_IFSOCK, c: S_IFCHR, b: S_IFBLK };
/** As mknod(2) has it: 12 bits of major, 20 of minor. */
const DEVICES = [0x103, 0x800, 0xfff0_ffff, 0xffff_ffff];

/** Makes it in `root`, which is created. */
export function makeOwnedTree(root: string, seed: number): void {
  const random = randomFrom(seed);
  const directories = [root];
  const files: string[] = [];
  mkdirSync(root);
  for (let n = 0; n < DIRECTORIES; n++) {
    const directory = path.join(one(random, directories), `d${n}`);
    mkdirSync(directory);
    directories.push(directory);
  }
  for (let n = 0; n < FILES; n++) {
    const file = path.join(one(random, directories), `f${n}`);
    makeFile(random, file, files);
    own(random, file);
    lutimesSync(file, 1_000_000_000, 1_100_000_000 + n + 0.25);
  }
  // What is below first: a directory's times change with its names.
  for (const directory of directories.toReversed()) {
    own(random, directory);
    lutimesSync(directory, 1_000_000_000, 1_200_000_000);
  }
}

function makeFile(random: Random, file: string, files: string[]): void {
  const type = one(random, TYPES);
  if (type === 'link') symlinkSync('../to/nowhere', file);
  else if (type === 'name' && files.length > 0) linkSync(one(random, files), file);
  else if (type === 'file' || type === 'name') {
    writeFileSync(file, Buffer.alloc(one(random, [0, 1, 100, 5000]), file));
    if (random(4) === 0)
      withPlace(file, (place) => setXattr(place, Buffer.from('user.k'), Buffer.from('v'), 0));
    files.push(file);
  } else {
    const directory = openSync(path.dirname(file), 'r');
    const rdev = type === 'c' || type === 'b' ? one(random, DEVICES) : 0;
    mknodat(fd(directory), Buffer.from(path.basename(file)), SPECIAL[type] | 0o600, rdev);
    closeSync(directory);
  }
}

function own(random: Random, file: string): void {
  const [uid, gid] = [one(random, IDS), one(random, IDS)];
  if (lstatSync(file).isSymbolicLink()) return lchownSync(file, uid, gid);
  chownSync(file, uid, gid);
  chmodSync(file, random(0o10000));
}

function one<T>(random: Random, from: readonly T[]): T {
  return from[random(from.length)] as T;
}

function withPlace<T>(file: string, act: (place: XattrPlace) => T): T {
  const directory = openSync(path.dirname(file), 'r');
  try {
    return act({ directory: fd(directory), name: Buffer.from(path.basename(file)) });
  } finally {
    closeSync(directory);
  }
}

/** What a tree is, a line for each file; of hard links the first name stands for all. */
export function describeTree(root: string): string[] {
  const names = readdirSync(root, { recursive: true, encoding: 'utf8' }).toSorted();
  const first = new Map<bigint, string>();
  return ['', ...names].map((name) => {
    const file = path.join(root, name);
    const status = lstatSync(file, { bigint: true });
    const { mode, uid, gid, rdev, size, mtimeNs, ino, nlink } = status;
    const isFile = status.isFile();
    const isDevice = status.isCharacterDevice() || status.isBlockDevice();
    if (!first.has(ino)) first.set(ino, name);
    return [
      name,
      mode.toString(8),
      `${uid}:${gid}`,
      `${mtimeNs}`,
      ...(isDevice ? [`device ${rdev.toString(16)}`] : []),
      ...(status.isSymbolicLink() ? [readlinkSync(file)] : []),
      ...(isFile ? [`${size} bytes`, `${nlink} names`, `is ${first.get(ino) ?? ''}`] : []),
      ...(isFile ? [readFileSync(file, 'latin1'), ...xattrsOf(file)] : []),
    ].join(' ');
  });
}

function xattrsOf(file: string): string[] {
  return withPlace(file, (place) =>
    listXattrs(place)
      .filter((name) => name.toString().startsWith('user.'))
      .map((name) => `${name.toString()}=${getXattr(place, name)?.toString() ?? ''}`)
      .toSorted(),
  );
}
