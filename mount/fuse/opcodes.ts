/**
 * The FUSE operations this driver serves: number, name, what a request's body means, how a reply's body is
 * written. Bytes in, bytes out: no device, no file system.
 *
 * What is not in the table is answered ENOSYS, which for these is the kernel's own way of saying "do it without":
 * it then never asks again for POLL, BMAP and SYNCFS in this mount, and does its generic best (fs/fuse: fc->no_*).
 *
 * Only IOCTL comes again whatever is answered (up to Linux 6.18; fuse_send_ioctl tells the program ENOTTY, and keeps
 * nothing in mind): one request, answered here, for each file that Python, Perl, bash or sed asks whether it is a terminal.
 */
import { LOCK_FLOCK, LOCK_POSIX, type Lock } from '../../protocol/file-locks.js';
import { handleId, nodeId, type HandleId, type NodeId } from '../../protocol/ids.js';
import type {
  AttributeChanges,
  AttributesAnswer,
  Entry,
  FilesystemStatus,
  NegativeEntry,
  OpenAnswer,
  WantedLock,
} from '../operations.js';
import type { Reader, Writer } from './cursor.js';
import {
  FATTR,
  readFileLock,
  readInitIn,
  readSetattrIn,
  writeAttrOut,
  writeEntryOut,
  writeFileLock,
  writeGetxattrOut,
  writeInitOut,
  writeOpenOut,
  writeStatxOut,
  writeStatfsOut,
  type InHeader,
  type InitIn,
  type InitOut,
} from './structs.js';

/** One row of the table. */
export interface Operation<Request, Reply> {
  readonly opcode: number;
  /** As in enum fuse_opcode, without FUSE_. */
  readonly name: string;
  /** Reads the body behind the header. Views in the result are valid as long as the message's buffer. */
  decode(body: Reader, header: InHeader): Request;
  /** Writes the reply's body. */
  encode(to: Writer, reply: Reply): void;
}

function operation<Request, Reply>(
  opcode: number,
  name: string,
  decode: (body: Reader, header: InHeader) => Request,
  encode: (to: Writer, reply: Reply) => void,
): Operation<Request, Reply> {
  return { opcode, name, decode, encode };
}

/** A reply without a body, and operations that are not answered or whose body is not written by an encoder. */
function nothing(): void {}

function writeBytes(to: Writer, bytes: Buffer): void {
  to.bytes(bytes);
}

/** FUSE_WRITE_CACHE: a page of the kernel's cache is written back, by whatever handle it found. */
const WRITE_CACHE = 1 << 0;
/** FUSE_WRITE_KILL_SUIDGID, FUSE_OPEN_KILL_SUIDGID: only with FUSE_HANDLE_KILLPRIV_V2. */
const WRITE_KILL_SUIDGID = 1 << 2;
const OPEN_KILL_SUIDGID = 1 << 0;

interface WriteRequest {
  readonly handle: HandleId;
  readonly offset: number;
  readonly data: Buffer;
  readonly fromCache: boolean;
  readonly clearSetId: boolean;
}

/** struct fuse_write_out. */
function writeWriteOut(to: Writer, written: number): void {
  to.u32(written);
  to.u32(0);
}

/** The reply to CREATE: fuse_entry_out, then fuse_open_out. */
function writeCreateOut(to: Writer, reply: { entry: Entry; opened: OpenAnswer }): void {
  writeEntryOut(to, reply.entry);
  writeOpenOut(to, reply.opened);
}

function readName(body: Reader): Buffer {
  return body.name();
}

/** fuse_open_in, of OPEN and OPENDIR. */
function readOpenIn(body: Reader): { flags: number; clearSetId: boolean } {
  const flags = asX86Flags(body.u32());
  return { flags, clearSetId: (body.u32() & OPEN_KILL_SUIDGID) !== 0 };
}

/** fuse_read_in, of READ, READDIR and READDIRPLUS, but for the offset, which is a number there and a cookie here. */
function readReadIn<Offset>(
  body: Reader,
  readOffset: (body: Reader) => Offset,
): { handle: HandleId; offset: Offset; size: number } {
  const handle = handleId(body.u64());
  const offset = readOffset(body);
  const size = body.u32();
  body.skip(4 + 8 + 4 + 4); // read_flags, lock_owner, flags, padding
  return { handle, offset, size };
}

const readFileIn = (body: Reader) => readReadIn(body, (from) => from.u64());
const readDirectoryIn = (body: Reader) => readReadIn(body, (from) => from.u64Big());

/** fuse_release_in. What was locked through the handle is known by it, so lock_owner says nothing new. */
function readReleaseIn(body: Reader): { handle: HandleId } {
  const handle = handleId(body.u64());
  body.skip(4 + 4 + 8); // flags, release_flags, lock_owner
  return { handle };
}

/** fuse_flush_in. */
function readFlushIn(body: Reader): { handle: HandleId; lockOwner: bigint } {
  const handle = handleId(body.u64());
  body.skip(4 + 4); // unused, padding
  return { handle, lockOwner: body.u64Big() };
}

/** FUSE_LK_FLOCK */
const LK_FLOCK = 1 << 0;

interface LockRequest {
  readonly handle: HandleId;
  readonly wanted: WantedLock;
}

/** fuse_lk_in. */
function readLkIn(body: Reader): LockRequest {
  const handle = handleId(body.u64());
  const owner = body.u64Big();
  const lock = readFileLock(body);
  const kind = (body.u32() & LK_FLOCK) === 0 ? LOCK_POSIX : LOCK_FLOCK;
  body.skip(4); // padding
  return { handle, wanted: { owner, kind, lock } };
}

/** fuse_fsync_in; FUSE_FSYNC_FDATASYNC is bit 0. */
function readFsyncIn(body: Reader): { handle: HandleId; dataOnly: boolean } {
  const handle = handleId(body.u64());
  const dataOnly = (body.u32() & 1) !== 0;
  body.skip(4);
  return { handle, dataOnly };
}

/** One node and how many of its lookups the kernel gives back (struct fuse_forget_one). */
export interface Forget {
  readonly node: NodeId;
  readonly count: bigint;
}

function readForgets(body: Reader): Forget[] {
  const count = body.u32();
  body.skip(4); // dummy
  const forgets: Forget[] = [];
  // Each costs 16 bytes of the message, so that a wrong count ends in a short message, not in a large array.
  for (let i = 0; i < count; i++) forgets.push({ node: nodeId(body.u64()), count: body.u64Big() });
  return forgets;
}

interface SetattrRequest {
  readonly handle: HandleId | undefined;
  readonly changes: AttributeChanges;
  readonly clearSetId: boolean;
}

function readSetattr(body: Reader): SetattrRequest {
  const setattr = readSetattrIn(body);
  const { valid } = setattr;
  const changes: { -readonly [K in keyof AttributeChanges]: AttributeChanges[K] } = {};
  // The kernel sends chmod's mode with the type of the file in it.
  if (valid & FATTR.MODE) changes.mode = setattr.mode & 0o7777;
  if (valid & FATTR.UID) changes.uid = setattr.uid;
  if (valid & FATTR.GID) changes.gid = setattr.gid;
  if (valid & FATTR.SIZE) changes.size = setattr.size;
  if (valid & FATTR.ATIME) changes.atime = valid & FATTR.ATIME_NOW ? 'now' : setattr.atime;
  if (valid & FATTR.MTIME) changes.mtime = valid & FATTR.MTIME_NOW ? 'now' : setattr.mtime;
  const clearSetId = (valid & FATTR.KILL_SUIDGID) !== 0;
  return { handle: valid & FATTR.FH ? setattr.fh : undefined, changes, clearSetId };
}

/** fuse_getattr_in; FUSE_GETATTR_FH is bit 0. */
function readGetattr(body: Reader): { handle: HandleId | undefined } {
  const flags = body.u32();
  body.skip(4); // dummy
  const handle = handleId(body.u64());
  return { handle: flags & 1 ? handle : undefined };
}

/** fuse_statx_in. Which fields are asked for does not matter: all are answered. */
function readStatx(body: Reader): { handle: HandleId | undefined } {
  const request = readGetattr(body);
  body.skip(8); // sx_flags, sx_mask
  return request;
}

/** fuse_getxattr_in: how long an answer is taken, 0: only its length. */
function readGetxattrIn(body: Reader): number {
  const size = body.u32();
  body.skip(4); // padding
  return size;
}

/** fuse_create_in, and the name. */
function readCreateIn(body: Reader): CreateRequest {
  const flags = asX86Flags(body.u32());
  const mode = body.u32();
  const umask = body.u32();
  body.skip(4); // open_flags
  return { flags, mode, umask, name: body.name() };
}

/** fuse_copy_file_range_in. */
function readCopyIn(body: Reader): CopyRequest {
  const handle = handleId(body.u64());
  const offset = body.u64();
  body.skip(8); // nodeid_out: the handle says it
  const targetHandle = handleId(body.u64());
  const targetOffset = body.u64();
  const length = body.u64();
  const flags = body.u64();
  return { handle, offset, targetHandle, targetOffset, length, flags };
}

/** The table. The keys are the names of enum fuse_opcode. */
export const OPERATIONS = {
  LOOKUP: operation<Buffer, Entry | NegativeEntry>(1, 'LOOKUP', readName, writeEntryOut),
  FORGET: operation<bigint, void>(2, 'FORGET', (body) => body.u64Big(), nothing),
  GETATTR: operation<{ handle: HandleId | undefined }, AttributesAnswer>(
    3,
    'GETATTR',
    readGetattr,
    writeAttrOut,
  ),
  SETATTR: operation<SetattrRequest, AttributesAnswer>(4, 'SETATTR', readSetattr, writeAttrOut),
  READLINK: operation<void, Buffer>(5, 'READLINK', nothing, writeBytes),
  SYMLINK: operation<{ name: Buffer; target: Buffer }, Entry>(
    6,
    'SYMLINK',
    (body) => ({ name: body.name(), target: body.name() }),
    writeEntryOut,
  ),
  MKNOD: operation<{ mode: number; umask: number; rdev: number; name: Buffer }, Entry>(
    8,
    'MKNOD',
    (body) => {
      const mode = body.u32();
      const rdev = body.u32();
      const umask = body.u32();
      body.skip(4); // padding
      return { mode, umask, rdev, name: body.name() };
    },
    writeEntryOut,
  ),
  MKDIR: operation<{ mode: number; umask: number; name: Buffer }, Entry>(
    9,
    'MKDIR',
    (body) => {
      const mode = body.u32();
      const umask = body.u32();
      return { mode, umask, name: body.name() };
    },
    writeEntryOut,
  ),
  UNLINK: operation<Buffer, void>(10, 'UNLINK', readName, nothing),
  RMDIR: operation<Buffer, void>(11, 'RMDIR', readName, nothing),
  RENAME: operation<RenameRequest, void>(
    12,
    'RENAME',
    (body) => ({ newParent: nodeId(body.u64()), flags: 0, name: body.name(), newName: body.name() }),
    nothing,
  ),
  LINK: operation<{ node: NodeId; newName: Buffer }, Entry>(
    13,
    'LINK',
    (body) => ({ node: nodeId(body.u64()), newName: body.name() }),
    writeEntryOut,
  ),
  OPEN: operation<{ flags: number; clearSetId: boolean }, OpenAnswer>(14, 'OPEN', readOpenIn, writeOpenOut),
  READ: operation<{ handle: HandleId; offset: number; size: number }, void>(15, 'READ', readFileIn, nothing),
  WRITE: operation<WriteRequest, number>(
    16,
    'WRITE',
    (body) => {
      const handle = handleId(body.u64());
      const offset = body.u64();
      const size = body.u32();
      const flags = body.u32();
      const fromCache = (flags & WRITE_CACHE) !== 0;
      const clearSetId = (flags & WRITE_KILL_SUIDGID) !== 0;
      body.skip(8 + 4 + 4); // lock_owner, flags, padding
      return { handle, offset, data: body.view(size), fromCache, clearSetId };
    },
    writeWriteOut,
  ),
  STATFS: operation<void, FilesystemStatus>(17, 'STATFS', nothing, writeStatfsOut),
  RELEASE: operation<{ handle: HandleId }, void>(18, 'RELEASE', readReleaseIn, nothing),
  FSYNC: operation<{ handle: HandleId; dataOnly: boolean }, void>(20, 'FSYNC', readFsyncIn, nothing),
  SETXATTR: operation<{ name: Buffer; value: Buffer; flags: number }, void>(
    21,
    'SETXATTR',
    (body) => {
      // Without FUSE_SETXATTR_EXT there is nothing else in fuse_setxattr_in.
      const size = body.u32();
      const flags = body.u32();
      return { name: body.name(), value: body.view(size), flags };
    },
    nothing,
  ),
  GETXATTR: operation<{ name: Buffer; size: number }, number>(
    22,
    'GETXATTR',
    (body) => {
      const size = readGetxattrIn(body);
      return { name: body.name(), size };
    },
    writeGetxattrOut,
  ),
  LISTXATTR: operation<number, number>(23, 'LISTXATTR', readGetxattrIn, writeGetxattrOut),
  REMOVEXATTR: operation<Buffer, void>(24, 'REMOVEXATTR', readName, nothing),
  FLUSH: operation<{ handle: HandleId; lockOwner: bigint }, void>(25, 'FLUSH', readFlushIn, nothing),
  INIT: operation<InitIn, InitOut>(26, 'INIT', readInitIn, writeInitOut),
  OPENDIR: operation<{ flags: number; clearSetId: boolean }, OpenAnswer>(
    27,
    'OPENDIR',
    readOpenIn,
    writeOpenOut,
  ),
  READDIR: operation<{ handle: HandleId; offset: bigint; size: number }, void>(
    28,
    'READDIR',
    readDirectoryIn,
    nothing,
  ),
  RELEASEDIR: operation<{ handle: HandleId }, void>(29, 'RELEASEDIR', readReleaseIn, nothing),
  FSYNCDIR: operation<{ handle: HandleId }, void>(30, 'FSYNCDIR', readFsyncIn, nothing),
  GETLK: operation<LockRequest, Lock | undefined>(31, 'GETLK', readLkIn, writeFileLock),
  SETLK: operation<LockRequest, void>(32, 'SETLK', readLkIn, nothing),
  SETLKW: operation<LockRequest, void>(33, 'SETLKW', readLkIn, nothing),
  ACCESS: operation<number, void>(
    34,
    'ACCESS',
    (body) => {
      const mask = body.u32();
      body.skip(4);
      return mask;
    },
    nothing,
  ),
  CREATE: operation<CreateRequest, { entry: Entry; opened: OpenAnswer }>(
    35,
    'CREATE',
    readCreateIn,
    writeCreateOut,
  ),
  /** The request is the `unique` of the request to interrupt. */
  INTERRUPT: operation<number, void>(36, 'INTERRUPT', (body) => body.u64(), nothing),
  BATCH_FORGET: operation<Forget[], void>(42, 'BATCH_FORGET', readForgets, nothing),
  FALLOCATE: operation<AllocateRequest, void>(
    43,
    'FALLOCATE',
    (body) => {
      const handle = handleId(body.u64());
      const offset = body.u64();
      const length = body.u64();
      const mode = body.u32();
      body.skip(4); // padding
      return { handle, offset, length, mode };
    },
    nothing,
  ),
  READDIRPLUS: operation<{ handle: HandleId; offset: bigint; size: number }, void>(
    44,
    'READDIRPLUS',
    readDirectoryIn,
    nothing,
  ),
  RENAME2: operation<RenameRequest, void>(
    45,
    'RENAME2',
    (body) => {
      const newParent = nodeId(body.u64());
      const flags = body.u32();
      body.skip(4);
      return { newParent, flags, name: body.name(), newName: body.name() };
    },
    nothing,
  ),
  STATX: operation<{ handle: HandleId | undefined }, AttributesAnswer>(52, 'STATX', readStatx, writeStatxOut),
  LSEEK: operation<SeekRequest, number>(
    46,
    'LSEEK',
    (body) => {
      const handle = handleId(body.u64());
      const offset = body.u64();
      const whence = body.u32();
      body.skip(4); // padding
      return { handle, offset, whence };
    },
    (to, offset) => to.u64(offset),
  ),
  COPY_FILE_RANGE: operation<CopyRequest, number>(47, 'COPY_FILE_RANGE', readCopyIn, writeWriteOut),
  /** Linux 6.1. The name is that of no file. */
  TMPFILE: operation<CreateRequest, { entry: Entry; opened: OpenAnswer }>(
    51,
    'TMPFILE',
    readCreateIn,
    writeCreateOut,
  ),
  /** Linux 6.18. */
  COPY_FILE_RANGE_64: operation<CopyRequest, number>(53, 'COPY_FILE_RANGE_64', readCopyIn, (to, copied) =>
    to.u64(copied),
  ),
} as const;

/** From the file of one handle to that of another. */
/** Of CREATE and TMPFILE. */
export interface CreateRequest {
  readonly flags: number;
  readonly mode: number;
  readonly umask: number;
  readonly name: Buffer;
}

export interface CopyRequest {
  readonly handle: HandleId;
  readonly offset: number;
  readonly targetHandle: HandleId;
  readonly targetOffset: number;
  readonly length: number;
  readonly flags: number;
}

/** `whence` as lseek(2); the kernel asks only where data or a hole are. */
export interface SeekRequest {
  readonly handle: HandleId;
  readonly offset: number;
  readonly whence: number;
}

/** `mode` as fallocate(2). */
export interface AllocateRequest {
  readonly handle: HandleId;
  readonly offset: number;
  readonly length: number;
  readonly mode: number;
}

/** `flags` as renameat2(2). */
export interface RenameRequest {
  readonly newParent: NodeId;
  readonly flags: number;
  readonly name: Buffer;
  readonly newName: Buffer;
}

export type OperationName = keyof typeof OPERATIONS;
type RowOf<Name extends OperationName> = (typeof OPERATIONS)[Name];
export type RequestOf<Name extends OperationName> =
  RowOf<Name> extends Operation<infer Request, infer _Reply> ? Request : never;
export type ReplyOf<Name extends OperationName> =
  RowOf<Name> extends Operation<infer _Request, infer Reply> ? Reply : never;

/**
 * Flags of open(2) as x86-64 numbers them. arm64 moves four of them
 * (arch/arm64/include/uapi/asm/fcntl.h): DIRECTORY, NOFOLLOW, DIRECT, LARGEFILE.
 */
export function asX86Flags(flags: number, architecture: string = process.arch): number {
  if (architecture !== 'arm64') return flags;
  let x86 = flags & ~0o740000;
  if (flags & 0o040000) x86 |= 0o200000;
  if (flags & 0o100000) x86 |= 0o400000;
  if (flags & 0o200000) x86 |= 0o040000;
  if (flags & 0o400000) x86 |= 0o100000;
  return x86;
}
