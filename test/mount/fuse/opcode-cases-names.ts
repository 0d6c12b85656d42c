/**
 * Messages about names and attributes.
 */

import { i64, name, NODE, u32, u64, zeros } from './messages.js';
import { attrOut, attributesAnswer, entry, entryOut, statxOut, type Case } from './opcode-case.js';

const LONG_AGO = { sec: -1, nsec: 7 };

export const NAME_CASES: Case[] = [
  {
    title: 'LOOKUP',
    opcode: 1,
    body: [name('caf\xe9')],
    answers: { lookup: () => entry },
    call: { operation: 'lookup', parameters: [NODE, Buffer.from('caf\xe9', 'latin1')] },
    reply: entryOut,
  },
  {
    title: 'LOOKUP of a missing name',
    opcode: 1,
    body: [name('no')],
    answers: { lookup: () => ({ nodeId: undefined, entryValidMs: 2000 }) },
    reply: [
      u64(0), // nodeid
      u64(0), // generation
      u64(2), // entry_valid
      zeros(8 + 4 + 4 + 88), // attr_valid, entry_valid_nsec, attr_valid_nsec, attr
    ],
  },
  {
    title: 'GETATTR',
    opcode: 3,
    body: [
      u32(0), // getattr_flags
      u32(0), // dummy
      u64(99), // fh, not valid
    ],
    answers: { getattr: () => attributesAnswer },
    call: { operation: 'getattr', parameters: [NODE, undefined] },
    reply: attrOut,
  },
  {
    title: 'GETATTR of a handle',
    opcode: 3,
    body: [
      u32(1), // getattr_flags: FUSE_GETATTR_FH
      u32(0), // dummy
      u64(99), // fh
    ],
    answers: { getattr: () => attributesAnswer },
    call: { operation: 'getattr', parameters: [NODE, 99] },
    reply: attrOut,
  },
  {
    title: 'STATX',
    opcode: 52,
    body: [
      u32(1), // getattr_flags: FUSE_GETATTR_FH
      u32(0), // reserved
      u64(99), // fh
      u32(0), // sx_flags
      u32(0x800), // sx_mask: STATX_BTIME
    ],
    answers: { getattr: () => attributesAnswer },
    call: { operation: 'getattr', parameters: [NODE, 99] },
    reply: statxOut,
  },
  {
    title: 'SETATTR of everything',
    opcode: 4,
    body: [
      u32(0b111_1111), // valid: MODE UID GID SIZE ATIME MTIME FH
      u32(0), // padding
      u64(99), // fh
      u64(0x2_0000_0001), // size
      u64(0), // lock_owner
      i64(-1), // atime
      i64(0x1_0000_0001), // mtime
      i64(0), // ctime
      u32(7), // atimensec
      u32(8), // mtimensec
      u32(0), // ctimensec
      u32(0o104755), // mode, with the type
      u32(0), // unused4
      u32(5), // uid
      u32(6), // gid
      u32(0), // unused5
    ],
    answers: { setattr: () => attributesAnswer },
    call: {
      operation: 'setattr',
      parameters: [
        NODE,
        99,
        {
          mode: 0o4755,
          uid: 5,
          gid: 6,
          size: 0x2_0000_0001,
          atime: LONG_AGO,
          mtime: { sec: 0x1_0000_0001, nsec: 8 },
        },
      ],
    },
    reply: attrOut,
  },
  {
    title: 'SETATTR of times to now',
    opcode: 4,
    body: [
      u32((1 << 4) | (1 << 5) | (1 << 7) | (1 << 8)), // valid: ATIME MTIME ATIME_NOW MTIME_NOW
      zeros(84),
    ],
    answers: { setattr: () => attributesAnswer },
    call: { operation: 'setattr', parameters: [NODE, undefined, { atime: 'now', mtime: 'now' }] },
    reply: attrOut,
  },
  {
    title: 'SETXATTR',
    opcode: 21,
    body: [
      u32(5), // size
      u32(1), // flags: XATTR_CREATE
      name('user.a'),
      Buffer.from('value'),
    ],
    answers: { setxattr: () => undefined },
    call: { operation: 'setxattr', parameters: [NODE, Buffer.from('user.a'), Buffer.from('value'), 1] },
    reply: [],
  },
  {
    title: 'GETXATTR',
    opcode: 22,
    body: [
      u32(100), // size
      u32(0), // padding
      name('user.a'),
    ],
    answers: { getxattr: () => Buffer.from('value') },
    call: { operation: 'getxattr', parameters: [NODE, Buffer.from('user.a')] },
    reply: [Buffer.from('value')],
  },
  {
    title: 'GETXATTR of the size',
    opcode: 22,
    body: [u32(0), u32(0), name('user.a')],
    answers: { getxattr: () => Buffer.from('value') },
    call: { operation: 'getxattr', parameters: [NODE, Buffer.from('user.a')] },
    reply: [
      u32(5), // size
      u32(0), // padding
    ],
  },
  {
    title: 'LISTXATTR',
    opcode: 23,
    body: [u32(100), u32(0)],
    answers: { listxattr: () => Buffer.from('user.a\0user.b\0') },
    call: { operation: 'listxattr', parameters: [NODE] },
    reply: [Buffer.from('user.a\0user.b\0')],
  },
  {
    title: 'REMOVEXATTR',
    opcode: 24,
    body: [name('user.a')],
    answers: { removexattr: () => undefined },
    call: { operation: 'removexattr', parameters: [NODE, Buffer.from('user.a')] },
    reply: [],
  },
  {
    title: 'READLINK',
    opcode: 5,
    body: [],
    answers: { readlink: () => Buffer.from('../target') },
    call: { operation: 'readlink', parameters: [NODE] },
    reply: [Buffer.from('../target')],
  },
  {
    title: 'SYMLINK',
    opcode: 6,
    body: [name('link'), name('target')],
    answers: { symlink: () => entry },
    call: { operation: 'symlink', parameters: [NODE, Buffer.from('link'), Buffer.from('target')] },
    reply: entryOut,
  },
  {
    title: 'MKNOD',
    opcode: 8,
    body: [
      u32(0o010600), // mode
      u32(0x0801), // rdev
      u32(0o022), // umask
      u32(0), // padding
      name('fifo'),
    ],
    answers: { mknod: () => entry },
    call: { operation: 'mknod', parameters: [NODE, Buffer.from('fifo'), 0o010600, 0x0801] },
    reply: entryOut,
  },
  {
    title: 'MKDIR',
    opcode: 9,
    body: [
      u32(0o755), // mode
      u32(0o022), // umask
      name('dir'),
    ],
    answers: { mkdir: () => entry },
    call: { operation: 'mkdir', parameters: [NODE, Buffer.from('dir'), 0o755] },
    reply: entryOut,
  },
  {
    title: 'UNLINK',
    opcode: 10,
    body: [name('gone')],
    call: { operation: 'unlink', parameters: [NODE, Buffer.from('gone')] },
    reply: [],
  },
  {
    title: 'RMDIR',
    opcode: 11,
    body: [name('gone')],
    call: { operation: 'rmdir', parameters: [NODE, Buffer.from('gone')] },
    reply: [],
  },
  {
    title: 'RENAME',
    opcode: 12,
    body: [
      u64(9), // newdir
      name('from'),
      name('to'),
    ],
    call: { operation: 'rename', parameters: [NODE, Buffer.from('from'), 9, Buffer.from('to'), 0] },
    reply: [],
  },
  {
    title: 'LINK',
    opcode: 13,
    body: [
      u64(9), // oldnodeid
      name('second'),
    ],
    answers: { link: () => entry },
    call: { operation: 'link', parameters: [9, NODE, Buffer.from('second')] },
    reply: entryOut,
  },
];
