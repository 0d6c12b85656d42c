/**
 * The npm package fuse-native 2.2.6 (libfuse 2.9 behind callbacks that get paths): its types, how it is loaded, and
 * what is mended of it here. It is an optional dependency, loaded when it is asked for and not before.
 *
 * The package carries an addon and a libfuse.so.2, both built for x86-64 and glibc, but nothing tells the addon where
 * that library is. It loads where the system has one (package libfuse2 or libfuse2t64), and else with its own
 * loaded first. Nothing has to be compiled, so that its install script may be left out.
 */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Failure } from '../../protocol/failure.js';
import { loadSharedLibrary } from '../../posix/shared-library.js';

/** Ends an operation with 0 or a count of bytes and what belongs to it, or with a negative errno. */
export type Done<Values extends unknown[] = []> = (...results: [number, ...Values] | [number]) => void;

/** As the package takes stat(2); times are milliseconds since 1970, never before. Inode numbers are libfuse's own. */
export interface NativeStat {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly nlink: number;
  readonly rdev: number;
  readonly size: number;
  /** 512-byte units. */
  readonly blocks: number;
  readonly atime: number;
  readonly mtime: number;
  readonly ctime: number;
}

/** As the package takes statvfs(3): each figure is cut to 32 bits. */
export interface NativeStatfs {
  readonly bsize: number;
  readonly frsize: number;
  readonly blocks: number;
  readonly bfree: number;
  readonly bavail: number;
  readonly files: number;
  readonly ffree: number;
  readonly favail: number;
  readonly namemax: number;
}

/**
 * What libfuse asks. Paths start with a slash at the mount point. `file` is what open or create answered: a positive
 * 31-bit number. Operations that are left out here have a default in libfuse: fgetattr is getattr.
 */
export interface NativeOperations {
  statfs(path: string, done: Done<[NativeStatfs]>): void;
  getattr(path: string, done: Done<[NativeStat]>): void;
  access(path: string, mask: number, done: Done): void;
  open(path: string, flags: number, done: Done<[number]>): void;
  /** Opens, too. The flags of open(2) are not handed over. */
  create(path: string, mode: number, done: Done<[number]>): void;
  /** Answers the bytes put in `data`, which is gone afterwards. */
  read(path: string, file: number, data: Buffer, length: number, offset: number, done: Done): void;
  /** Answers the bytes taken from `data`, which is gone afterwards. */
  write(path: string, file: number, data: Buffer, length: number, offset: number, done: Done): void;
  flush(path: string, file: number, done: Done): void;
  fsync(path: string, dataOnly: number, file: number, done: Done): void;
  release(path: string, file: number, done: Done): void;
  fsyncdir(path: string, dataOnly: number, file: number, done: Done): void;
  /** Answers all names at once, and for each a stat whose type is used. */
  readdir(path: string, done: Done<[string[], NativeStat[]]>): void;
  truncate(path: string, size: number, done: Done): void;
  ftruncate(path: string, file: number, size: number, done: Done): void;
  chmod(path: string, mode: number, done: Done): void;
  /** 2^32 - 1 leaves an id as it is. */
  chown(path: string, uid: number, gid: number, done: Done): void;
  /** Milliseconds since 1970; before that 2^64 is added. */
  utimens(path: string, atime: number, mtime: number, done: Done): void;
  mknod(path: string, mode: number, rdev: number, done: Done): void;
  mkdir(path: string, mode: number, done: Done): void;
  rmdir(path: string, done: Done): void;
  unlink(path: string, done: Done): void;
  rename(from: string, to: string, done: Done): void;
  link(existing: string, path: string, done: Done): void;
  symlink(target: string, path: string, done: Done): void;
  readlink(path: string, done: Done<[string]>): void;
}

/** A mount of the package. */
export interface NativeMount {
  mount(done: (error: Error | null) => void): void;
  /** Lets go of the event loop, once the mount has ended. */
  close(done: (error: Error | null) => void): void;
}

type NativeHandler = (thread: Buffer, opcode: number, ...parameters: unknown[]) => void;

/** The package's class with those of its inner methods that are replaced. */
interface NativeClass {
  new (mountpoint: string, operations: NativeOperations, options: { timeout: false }): NativeMount & Inner;
  unmount(mountpoint: string, done: (error: Error | null) => void): void;
}
interface Inner {
  _fuseOptions(): string;
  _makeHandlerArray(): NativeHandler[];
}

/** The addon copies the mount point and the options into arrays of this many bytes, and cuts off what is more. */
const MAX_NATIVE_STRING = 1023;

/** The version whose inner workings are known here. */
const VERSION = '2.2.6';

/** In its fuse-native.c: the number of utimens, and where fuse_thread_locals_t (LP64) has the new mtime. */
const OP_UTIMENS = 12;
const THREAD_MTIME = 112;

/**
 * Prepares a mount; `options` are those of libfuse's `-o`, values escaped. Throws a Failure that says what to install
 * where the package cannot be loaded.
 *
 * The package is changed in four ways:
 * - Its own options lack most of libfuse's, so that all are given here.
 * - Operations have no time limit: after its limit of 15 s the package would go on using freed memory.
 * - It hands utimens the access time twice; the modification time is read from the memory of the calling thread.
 * - Closing does not unmount, which the package does through a shell that would expand the mount point's name.
 */
export function prepareMount(
  mountpoint: string,
  operations: NativeOperations,
  options: readonly string[],
): NativeMount {
  const optionText = `-o${options.join(',')}`;
  for (const text of [mountpoint, optionText]) {
    if (Buffer.byteLength(text) > MAX_NATIVE_STRING) {
      throw new Failure('ENAMETOOLONG', `fuse-native takes at most ${MAX_NATIVE_STRING} bytes: '${text}'`);
    }
  }
  const Fuse = loadPackage();
  Fuse.unmount = (_mountpoint, done) => done(null);
  class Mount extends Fuse {
    override _fuseOptions(): string {
      return optionText;
    }

    override _makeHandlerArray(): NativeHandler[] {
      const handlers = super._makeHandlerArray();
      const utimens = handlers[OP_UTIMENS];
      if (utimens === undefined) throw new Error('fuse-native has no handler of utimens');
      handlers[OP_UTIMENS] = (thread, opcode, path, atimeLow, atimeHigh) => {
        const mtimeLow = thread.readUInt32LE(THREAD_MTIME);
        const mtimeHigh = thread.readUInt32LE(THREAD_MTIME + 4);
        utimens(thread, opcode, path, atimeLow, atimeHigh, mtimeLow, mtimeHigh);
      };
      return handlers;
    }
  }
  return new Mount(mountpoint, operations, { timeout: false });
}

const requirePackage = createRequire(import.meta.url);

/** Throws a Failure that says what to install. */
function loadPackage(): NativeClass {
  let directory: string;
  try {
    const manifest = requirePackage.resolve('fuse-native/package.json');
    const { version } = requirePackage(manifest) as { version: string };
    if (version !== VERSION) throw new Error(`its version is ${version}`);
    directory = dirname(manifest);
  } catch (error) {
    throw new Failure(
      'ENOSYS',
      `the driver fuse-native is not installed: npm install fuse-native@${VERSION}, or use the default driver`,
      { cause: error },
    );
  }
  try {
    return requirePackage('fuse-native') as NativeClass;
  } catch {
    return loadWithOwnLibrary(directory);
  }
}

function loadWithOwnLibrary(directory: string): NativeClass {
  try {
    loadSharedLibrary(join(directory, 'prebuilds', `linux-${process.arch}`, 'libfuse.so'));
    return requirePackage('fuse-native') as NativeClass;
  } catch (error) {
    throw new Failure(
      'ENOSYS',
      'the driver fuse-native cannot be loaded: install libfuse2 (libfuse2t64), or use the default driver',
      { cause: error },
    );
  }
}
