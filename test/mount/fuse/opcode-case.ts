/**
 * A message of the kernel as a case of a test, and the structs that many answers share, field by field as in
 * include/uapi/linux/fuse.h.
 */
import type { Entry, NodeAttributes } from '../../../mount/operations.js';
import { handleId, nodeId } from '../../../protocol/ids.js';
import { i64, u16, u32, u64, zeros } from './messages.js';
import type { Answers } from './recording-filesystem.js';

export const attributes: NodeAttributes = {
  ino: 0xffff_ffff_ffff_fff0n,
  mode: 0o100644,
  nlink: 3,
  uid: 1000,
  gid: 1001,
  rdev: 0x0801,
  size: 0x1_0000_0005,
  blocks: 9,
  atime: { sec: -2, nsec: 1 },
  mtime: { sec: 0x1_0000_0000, nsec: 2 },
  ctime: { sec: 5, nsec: 999_999_999 },
  birth: 1_700_000_000_123_456_789n,
};

const attr = Buffer.concat([
  u64(0xffff_ffff_ffff_fff0n), // ino
  u64(0x1_0000_0005), // size
  u64(9), // blocks
  i64(-2), // atime
  i64(0x1_0000_0000), // mtime
  i64(5), // ctime
  u32(1), // atimensec
  u32(2), // mtimensec
  u32(999_999_999), // ctimensec
  u32(0o100644), // mode
  u32(3), // nlink
  u32(1000), // uid
  u32(1001), // gid
  u32(0x0801), // rdev
  u32(131_072), // blksize
  u32(0), // flags
]);

export const attrOut = [
  u64(1), // attr_valid
  u32(500_000_000), // attr_valid_nsec
  u32(0), // dummy
  attr,
];
export const statxOut = [
  u64(1), // attr_valid
  u32(500_000_000), // attr_valid_nsec
  u32(0), // flags
  zeros(16), // spare
  u32(0xfff), // mask: STATX_BASIC_STATS, STATX_BTIME
  u32(131_072), // blksize
  u64(0), // attributes
  u32(3), // nlink
  u32(1000), // uid
  u32(1001), // gid
  u16(0o100644), // mode
  zeros(2), // spare0
  u64(0xffff_ffff_ffff_fff0n), // ino
  u64(0x1_0000_0005), // size
  u64(9), // blocks
  u64(0), // attributes_mask
  ...[i64(-2), u32(1), zeros(4)], // atime
  ...[i64(1_700_000_000), u32(123_456_789), zeros(4)], // btime
  ...[i64(5), u32(999_999_999), zeros(4)], // ctime
  ...[i64(0x1_0000_0000), u32(2), zeros(4)], // mtime
  u32(8), // rdev_major
  u32(1), // rdev_minor
  zeros(8 + 14 * 8), // dev_major, dev_minor, spare2
];
export const attributesAnswer = { attributes, validMs: 1500 };

export const entry: Entry = {
  attributes,
  validMs: 1500,
  nodeId: nodeId(8),
  generation: 6n,
  entryValidMs: Infinity,
};
export const entryOut = [
  u64(8), // nodeid
  u64(6), // generation
  u64(2 ** 31 - 1), // entry_valid: for ever
  u64(1), // attr_valid
  u32(0), // entry_valid_nsec
  u32(500_000_000), // attr_valid_nsec
  attr,
];

export const openOut = [
  u64(77), // fh
  u32(2), // open_flags: FOPEN_KEEP_CACHE
  u32(0), // padding
];
export const opened = { handle: handleId(77), keepCache: true };

/** One message of the kernel, what it makes of it, and the answer. */
export interface Case {
  readonly title: string;
  readonly opcode: number;
  /** The body, field by field. */
  readonly body: Buffer[];
  /** Bytes at the end of the body that are not looked at, so that a cut within them is no fault. */
  readonly optional?: number;
  readonly answers?: Answers;
  readonly call?: { operation: string; parameters: unknown[] };
  readonly reply?: Buffer[];
}
