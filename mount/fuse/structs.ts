/**
 * The kernel's structs, field by field (include/uapi/linux/fuse.h, protocol 7.31 to 7.45; their layouts are the
 * same throughout). Each function is named after its struct. Requests are read, replies are written.
 *
 * Invariant: a writer writes exactly the size of its struct, so that a message's length follows from its struct.
 */
import { Failure } from '../../protocol/failure.js';
import { F_RDLCK, F_UNLCK, F_WRLCK, LAST_BYTE, type Lock } from '../../protocol/file-locks.js';
import { handleId, nodeId, type HandleId, type NodeId } from '../../protocol/ids.js';
import type {
  AttributesAnswer,
  DirectoryEntry,
  Entry,
  FilesystemStatus,
  NegativeEntry,
  NodeAttributes,
  OpenAnswer,
  Time,
} from '../operations.js';
import type { Reader, Writer } from './cursor.js';

/** sizeof(struct fuse_out_header), fuse_entry_out, and the part of fuse_dirent before its name. */
export const OUT_HEADER_SIZE = 16;
const ENTRY_OUT_SIZE = 128;
const DIRENT_NAME_OFFSET = 24;

/** FOPEN_*: what the reply to OPEN, OPENDIR and CREATE tells about the handle. */
const FOPEN_DIRECT_IO = 1 << 0;
const FOPEN_KEEP_CACHE = 1 << 1;
const FOPEN_CACHE_DIR = 1 << 3;

/** FATTR_*: which fields of fuse_setattr_in count. */
export const FATTR = {
  MODE: 1 << 0,
  UID: 1 << 1,
  GID: 1 << 2,
  SIZE: 1 << 3,
  ATIME: 1 << 4,
  MTIME: 1 << 5,
  FH: 1 << 6,
  ATIME_NOW: 1 << 7,
  MTIME_NOW: 1 << 8,
  KILL_SUIDGID: 1 << 11,
} as const;

/** The kernel caps a validity at MAX_JIFFY_OFFSET; this many seconds (68 years) stand for "until told otherwise". */
const MAX_VALID_SECONDS = 2 ** 31 - 1;

/** st_blksize: what programs take as a good size for one read or write. */
const BLOCK_SIZE = 128 * 1024;

/** struct fuse_in_header: begins every request. */
export interface InHeader {
  /** Of the whole message, in bytes. */
  readonly len: number;
  readonly opcode: number;
  /** The request's number: the reply carries it. Even, counted up from 2 by the kernel. */
  readonly unique: number;
  readonly nodeId: NodeId;
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
}

export function readInHeader(from: Reader): InHeader {
  const header = {
    len: from.u32(),
    opcode: from.u32(),
    unique: from.u64(),
    nodeId: nodeId(from.u64()),
    uid: from.u32(),
    gid: from.u32(),
    pid: from.u32(),
  };
  from.skip(4); // total_extlen (extensions are not negotiated) and padding
  return header;
}

/** struct fuse_out_header. `errno` is positive, 0 for success; notifications have their code in its place, negated. */
export function writeOutHeader(to: Writer, length: number, errno: number, unique: number): void {
  to.u32(length);
  to.i32(-errno);
  to.u64(unique);
}

/** FUSE_INIT_EXT: the struct has flags2. */
export const INIT_EXT = 1 << 30;

/** The part of struct fuse_init_in that counts here. */
export interface InitIn {
  readonly major: number;
  readonly minor: number;
  readonly maxReadahead: number;
  readonly flags: number;
  /** Flags from the 33rd bit on. */
  readonly flags2: number;
}

export function readInitIn(from: Reader): InitIn {
  const major = from.u32();
  const minor = from.u32();
  const maxReadahead = from.u32();
  const flags = from.u32();
  return { major, minor, maxReadahead, flags, flags2: (flags & INIT_EXT) === 0 ? 0 : from.u32() };
}

/** struct fuse_init_out, without what is always zero. */
export interface InitOut {
  readonly major: number;
  readonly minor: number;
  readonly maxReadahead: number;
  readonly flags: number;
  readonly maxBackground: number;
  readonly congestionThreshold: number;
  readonly maxWrite: number;
  /** Nanoseconds: the granularity of times. */
  readonly timeGran: number;
  readonly maxPages: number;
  readonly flags2: number;
}

export function writeInitOut(to: Writer, init: InitOut): void {
  to.u32(init.major);
  to.u32(init.minor);
  to.u32(init.maxReadahead);
  to.u32(init.flags);
  to.u16(init.maxBackground);
  to.u16(init.congestionThreshold);
  to.u32(init.maxWrite);
  to.u32(init.timeGran);
  to.u16(init.maxPages);
  to.zeros(2); // map_alignment
  to.u32(init.flags2);
  to.zeros(7 * 4); // unused
}

/** struct fuse_attr. */
function writeAttr(to: Writer, attributes: NodeAttributes): void {
  to.u64Big(attributes.ino);
  to.u64(attributes.size);
  to.u64(attributes.blocks);
  to.i64(attributes.atime.sec);
  to.i64(attributes.mtime.sec);
  to.i64(attributes.ctime.sec);
  to.u32(attributes.atime.nsec);
  to.u32(attributes.mtime.nsec);
  to.u32(attributes.ctime.nsec);
  to.u32(attributes.mode);
  to.u32(attributes.nlink);
  to.u32(attributes.uid);
  to.u32(attributes.gid);
  to.u32(attributes.rdev);
  to.u32(BLOCK_SIZE);
  to.u32(0); // flags: no submount, no DAX
}

/** STATX_*: what the answer to STATX tells. */
const STATX_BASIC_STATS = 0x7ff;
const STATX_BTIME = 0x800;

/** struct fuse_statx_out, with its struct fuse_statx. */
export function writeStatxOut(to: Writer, { attributes, validMs }: AttributesAnswer): void {
  to.u64(validSeconds(validMs));
  to.u32(validNanoseconds(validMs));
  to.zeros(4 + 2 * 8); // flags, spare
  const { birth } = attributes;
  to.u32(birth === undefined ? STATX_BASIC_STATS : STATX_BASIC_STATS | STATX_BTIME);
  to.u32(BLOCK_SIZE);
  to.u64(0); // attributes
  to.u32(attributes.nlink);
  to.u32(attributes.uid);
  to.u32(attributes.gid);
  to.u16(attributes.mode);
  to.zeros(2);
  to.u64Big(attributes.ino);
  to.u64(attributes.size);
  to.u64(attributes.blocks);
  to.u64(0); // attributes_mask
  writeStatxTime(to, attributes.atime);
  writeStatxTime(to, birth === undefined ? { sec: 0, nsec: 0 } : timeOf(birth));
  writeStatxTime(to, attributes.ctime);
  writeStatxTime(to, attributes.mtime);
  to.u32((attributes.rdev >>> 8) & 0xfff);
  to.u32((attributes.rdev & 0xff) | ((attributes.rdev >>> 12) & 0xfff00));
  to.zeros(2 * 4 + 14 * 8); // dev, spare
}

/** struct fuse_sx_time. */
function writeStatxTime(to: Writer, { sec, nsec }: Time): void {
  to.i64(sec);
  to.u32(nsec);
  to.zeros(4);
}

function timeOf(nanoseconds: bigint): Time {
  return { sec: Number(nanoseconds / 1_000_000_000n), nsec: Number(nanoseconds % 1_000_000_000n) };
}

function validSeconds(ms: number): number {
  return Math.min(Math.floor(ms / 1000), MAX_VALID_SECONDS);
}

function validNanoseconds(ms: number): number {
  return ms < MAX_VALID_SECONDS * 1000 ? Math.floor((ms % 1000) * 1e6) : 0;
}

/** struct fuse_attr_out. */
export function writeAttrOut(to: Writer, answer: AttributesAnswer): void {
  to.u64(validSeconds(answer.validMs));
  to.u32(validNanoseconds(answer.validMs));
  to.u32(0);
  writeAttr(to, answer.attributes);
}

/** struct fuse_entry_out. A nodeid of zero tells that the name does not exist, for as long as entry_valid says. */
export function writeEntryOut(to: Writer, entry: Entry | NegativeEntry): void {
  const found = entry.nodeId !== undefined;
  to.u64(found ? entry.nodeId : 0);
  to.u64Big(found ? entry.generation : 0n);
  to.u64(validSeconds(entry.entryValidMs));
  to.u64(found ? validSeconds(entry.validMs) : 0);
  to.u32(validNanoseconds(entry.entryValidMs));
  to.u32(found ? validNanoseconds(entry.validMs) : 0);
  if (found) writeAttr(to, entry.attributes);
  else to.zeros(88);
}

/** struct fuse_open_out. */
export function writeOpenOut(to: Writer, opened: OpenAnswer): void {
  to.u64(opened.handle);
  const flags =
    (opened.direct === true ? FOPEN_DIRECT_IO : 0) |
    (opened.keepCache ? FOPEN_KEEP_CACHE : 0) |
    (opened.cacheDirectory === true ? FOPEN_CACHE_DIR : 0);
  to.u32(flags);
  to.u32(0);
}

/** struct fuse_getxattr_out: how long it is. */
export function writeGetxattrOut(to: Writer, size: number): void {
  to.u32(size);
  to.u32(0);
}

/** struct fuse_statfs_out (fuse_kstatfs). */
export function writeStatfsOut(to: Writer, status: FilesystemStatus): void {
  to.u64Big(status.blocks);
  to.u64Big(status.blocksFree);
  to.u64Big(status.blocksFree); // bavail: nobody has more than the user
  to.u64Big(status.files);
  to.u64Big(status.filesFree);
  to.u32(status.blockSize);
  to.u32(status.nameMax);
  to.u32(status.blockSize); // frsize
  to.zeros(4 + 6 * 4);
}

/** struct fuse_dirent, padded to 8 bytes. Returns false, with nothing written, where it does not fit. */
export function writeDirent(to: Writer, entry: DirectoryEntry, prefix?: Entry | 'plus'): boolean {
  const unpadded = DIRENT_NAME_OFFSET + entry.name.length;
  const padding = -unpadded & 7;
  const before = prefix === undefined ? 0 : ENTRY_OUT_SIZE;
  if (before + unpadded + padding > to.room) return false;
  // Zeros as entry_out say "no attributes told", which is right for '.' and '..'.
  if (prefix === 'plus') to.zeros(ENTRY_OUT_SIZE);
  else if (prefix !== undefined) writeEntryOut(to, prefix);
  to.u64Big(entry.ino);
  to.u64Big(entry.offset);
  to.u32(entry.name.length);
  to.u32(entry.type >>> 12); // DT_* are the type bits of st_mode, shifted
  to.bytes(entry.name);
  to.zeros(padding);
  return true;
}

/** struct fuse_file_lock. PROTOCOL where it is none. */
export function readFileLock(from: Reader): Lock {
  const start = from.u64Big();
  const end = from.u64Big();
  const type = from.u32();
  const pid = from.u32();
  const known = type === F_RDLCK || type === F_WRLCK || type === F_UNLCK;
  if (!known || start > end || end > LAST_BYTE) throw new Failure('PROTOCOL', 'no lock in a FUSE request');
  return { type, start, end, pid };
}

/** struct fuse_lk_out; undefined: none is in the way. */
export function writeFileLock(to: Writer, lock: Lock | undefined): void {
  to.u64Big(lock?.start ?? 0n);
  to.u64Big(lock?.end ?? 0n);
  to.u32(lock?.type ?? F_UNLCK);
  to.u32(lock?.pid ?? 0);
}

/** struct fuse_setattr_in. */
export interface SetattrIn {
  readonly valid: number;
  readonly fh: HandleId;
  readonly size: number;
  readonly atime: { readonly sec: number; readonly nsec: number };
  readonly mtime: { readonly sec: number; readonly nsec: number };
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** Times so far away are no disk's: it sets the last one that it has. */
function toldSeconds(seconds: number): number {
  return Math.min(Math.max(seconds, Number.MIN_SAFE_INTEGER), Number.MAX_SAFE_INTEGER);
}

export function readSetattrIn(from: Reader): SetattrIn {
  const valid = from.u32();
  from.skip(4); // padding
  const fh = handleId(from.u64());
  const size = from.u64();
  from.skip(8); // lock_owner
  const atime = toldSeconds(from.i64());
  const mtime = toldSeconds(from.i64());
  from.skip(8); // ctime
  const atimensec = from.u32();
  const mtimensec = from.u32();
  from.skip(4); // ctimensec
  const mode = from.u32();
  from.skip(4); // unused4
  const uid = from.u32();
  const gid = from.u32();
  from.skip(4); // unused5
  return {
    valid,
    fh,
    size,
    atime: { sec: atime, nsec: atimensec },
    mtime: { sec: mtime, nsec: mtimensec },
    mode,
    uid,
    gid,
  };
}
