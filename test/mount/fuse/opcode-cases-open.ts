/**
 * Messages about open files and directories, and those that came late to the protocol.
 */
import type { WantedLock } from '../../../mount/operations.js';
import {
  F_RDLCK,
  F_UNLCK,
  F_WRLCK,
  LOCK_FLOCK,
  LOCK_POSIX,
  type LockKind,
  type LockType,
} from '../../../protocol/file-locks.js';
import t from 'tap';
import type { EntrySink } from '../../../mount/operations.js';
import { handleId } from '../../../protocol/ids.js';
import { name, NODE, u32, u64, zeros } from './messages.js';
import { entry, entryOut, openOut, opened, type Case } from './opcode-case.js';

/** struct fuse_lk_in. */
function lkIn(type: number, flags: number): Buffer[] {
  return [
    u64(77), // fh
    u64(0xffff_ffff_ffff_fff1n), // owner
    u64(5), // start
    u64(2n ** 63n - 1n), // end
    u32(type),
    u32(4711), // pid
    u32(flags), // lk_flags
    u32(0), // padding
  ];
}

function wanted(type: LockType, kind: LockKind): WantedLock {
  const lock = { type, start: 5n, end: 2n ** 63n - 1n, pid: 4711 };
  return { owner: 0xffff_ffff_ffff_fff1n, kind, lock };
}

export const OPEN_CASES: Case[] = [
  {
    title: 'OPEN',
    opcode: 14,
    body: [
      u32(0o1002), // flags: O_RDWR | O_TRUNC
      u32(0), // open_flags
    ],
    answers: { open: () => opened },
    call: { operation: 'open', parameters: [NODE, 0o1002] },
    reply: openOut,
  },
  {
    title: 'READ',
    opcode: 15,
    body: [
      u64(77), // fh
      u64(0x1_0000_0000), // offset
      u32(4096), // size
      u32(0), // read_flags
      u64(0), // lock_owner
      u32(0), // flags
      u32(0), // padding
    ],
    answers: {
      read: (
        _node: unknown,
        _handle: unknown,
        _offset: unknown,
        _size: unknown,
        answer: (pieces: Buffer[]) => void,
      ) => answer([Buffer.from('two '), Buffer.from('pieces')]),
    },
    call: { operation: 'read', parameters: [NODE, 77, 0x1_0000_0000, 4096] },
    reply: [Buffer.from('two pieces')],
  },
  {
    title: 'WRITE',
    opcode: 16,
    body: [
      u64(77), // fh
      u64(0x1_0000_0000), // offset
      u32(5), // size
      u32(0), // write_flags
      u64(0), // lock_owner
      u32(0), // flags
      u32(0), // padding
      Buffer.from('hello'),
    ],
    answers: { write: () => 5 },
    call: { operation: 'write', parameters: [NODE, 77, 0x1_0000_0000, Buffer.from('hello'), false] },
    reply: [
      u32(5), // size
      u32(0), // padding
    ],
  },
  {
    title: 'FALLOCATE',
    opcode: 43,
    body: [
      u64(77), // fh
      u64(0x1_0000_0000), // offset
      u64(0x2_0000_0000), // length
      u32(3), // mode
      u32(0), // padding
    ],
    answers: { allocate: () => undefined },
    call: { operation: 'allocate', parameters: [NODE, 77, 3, 0x1_0000_0000, 0x2_0000_0000] },
    reply: [],
  },
  ...(
    [
      [3, 'data'],
      [4, 'hole'],
    ] as const
  ).map(([whence, what]) => ({
    title: `LSEEK to ${what}`,
    opcode: 46,
    body: [
      u64(77), // fh
      u64(0x1_0000_0000), // offset
      u32(whence),
      u32(0), // padding
    ],
    answers: { seek: () => 0x1_0000_0005 },
    call: { operation: 'seek', parameters: [NODE, 77, 0x1_0000_0000, what] },
    reply: [u64(0x1_0000_0005)],
  })),
  ...[
    { title: 'COPY_FILE_RANGE', opcode: 47, reply: [u32(5), u32(0)] }, // size, padding
    { title: 'COPY_FILE_RANGE_64', opcode: 53, reply: [u64(5)] },
  ].map((each) => ({
    ...each,
    body: [
      u64(77), // fh_in
      u64(0x1_0000_0000), // off_in
      u64(9), // nodeid_out
      u64(78), // fh_out
      u64(0x2_0000_0000), // off_out
      u64(6), // len
      u64(0), // flags
    ],
    answers: { copy: () => 5 },
    call: { operation: 'copy', parameters: [77, 0x1_0000_0000, 78, 0x2_0000_0000, 6] },
  })),
  {
    title: 'TMPFILE',
    opcode: 51,
    body: [
      u32(0o2), // flags: O_RDWR
      u32(0o100600), // mode
      u32(0o022), // umask
      u32(0), // open_flags
      name('/'),
    ],
    answers: { tmpfile: () => ({ entry, opened }) },
    call: { operation: 'tmpfile', parameters: [NODE, 0o2, 0o100600] },
    reply: [...entryOut, ...openOut],
  },
  {
    title: 'OPEN past the page cache',
    opcode: 14,
    body: [
      u32(0), // flags: O_RDONLY
      u32(0), // open_flags
    ],
    answers: { open: () => ({ handle: handleId(77), keepCache: false, direct: true }) },
    call: { operation: 'open', parameters: [NODE, 0] },
    reply: [
      u64(77), // fh
      u32(1), // open_flags: FOPEN_DIRECT_IO
      u32(0), // padding
    ],
  },
  {
    title: 'WRITE of a page of the cache',
    opcode: 16,
    body: [
      u64(77), // fh
      u64(4096), // offset
      u32(5), // size
      u32(1), // write_flags: FUSE_WRITE_CACHE
      u64(0), // lock_owner
      u32(0), // flags
      u32(0), // padding
      Buffer.from('hello'),
    ],
    answers: { write: () => 5 },
    call: { operation: 'write', parameters: [NODE, 77, 4096, Buffer.from('hello'), true] },
    reply: [
      u32(5), // size
      u32(0), // padding
    ],
  },
  {
    title: 'STATFS',
    opcode: 17,
    body: [],
    answers: {
      statfs: () => ({
        blockSize: 4096,
        blocks: 10n,
        blocksFree: 4n,
        files: 20n,
        filesFree: 5n,
        nameMax: 255,
      }),
    },
    call: { operation: 'statfs', parameters: [NODE] },
    reply: [
      u64(10), // blocks
      u64(4), // bfree
      u64(4), // bavail
      u64(20), // files
      u64(5), // ffree
      u32(4096), // bsize
      u32(255), // namelen
      u32(4096), // frsize
      u32(0), // padding
      zeros(24), // spare
    ],
  },
  {
    title: 'RELEASE',
    opcode: 18,
    body: [
      u64(77), // fh
      u32(0o2), // flags
      u32(0), // release_flags
      u64(0), // lock_owner
    ],
    call: { operation: 'release', parameters: [NODE, 77] },
    reply: [],
  },
  {
    title: 'FSYNC of data only',
    opcode: 20,
    body: [
      u64(77), // fh
      u32(1), // fsync_flags: FUSE_FSYNC_FDATASYNC
      u32(0), // padding
    ],
    call: { operation: 'fsync', parameters: [NODE, 77, true] },
    reply: [],
  },
  {
    title: 'FLUSH',
    opcode: 25,
    body: [
      u64(77), // fh
      u32(0), // unused
      u32(0), // padding
      u64(5), // lock_owner
    ],
    call: { operation: 'flush', parameters: [NODE, 77, 5n] },
    reply: [],
  },
  {
    title: 'GETLK, and one is in the way',
    opcode: 31,
    body: lkIn(F_WRLCK, 0),
    answers: { getlk: () => ({ type: F_RDLCK, start: 3n, end: 2n ** 63n - 1n, pid: 9 }) },
    call: { operation: 'getlk', parameters: [NODE, 77, wanted(F_WRLCK, LOCK_POSIX)] },
    reply: [
      u64(3), // start
      u64(2n ** 63n - 1n), // end
      u32(0), // type: F_RDLCK
      u32(9), // pid
    ],
  },
  {
    title: 'GETLK, and none is',
    opcode: 31,
    body: lkIn(F_RDLCK, 0),
    answers: { getlk: () => undefined },
    reply: [
      u64(0), // start
      u64(0), // end
      u32(2), // type: F_UNLCK
      u32(0), // pid
    ],
  },
  {
    title: 'SETLK',
    opcode: 32,
    body: lkIn(F_UNLCK, 0),
    call: { operation: 'setlk', parameters: [NODE, 77, wanted(F_UNLCK, LOCK_POSIX), false] },
    reply: [],
  },
  {
    title: 'SETLKW of a flock',
    opcode: 33,
    body: lkIn(F_WRLCK, 1),
    call: { operation: 'setlk', parameters: [NODE, 77, wanted(F_WRLCK, LOCK_FLOCK), true] },
    reply: [],
  },
  {
    title: 'OPENDIR',
    opcode: 27,
    body: [
      u32(0), // flags
      u32(0), // open_flags
    ],
    answers: { opendir: () => ({ handle: handleId(77), keepCache: true, cacheDirectory: true }) },
    call: { operation: 'opendir', parameters: [NODE] },
    reply: [
      u64(77), // fh
      u32(2 | 8), // open_flags: FOPEN_KEEP_CACHE, FOPEN_CACHE_DIR
      u32(0), // padding
    ],
  },
  {
    title: 'READDIR until the reply is full',
    opcode: 28,
    body: [
      u64(77), // fh
      u64(0xffff_ffff_ffff_fff1n), // offset: a cookie
      u32(64), // size
      u32(0), // read_flags
      u64(0), // lock_owner
      u32(0), // flags
      u32(0), // padding
    ],
    answers: { readdir: listTwo },
    call: { operation: 'readdir', parameters: [NODE, 77, 0xffff_ffff_ffff_fff1n, false] },
    reply: [
      u64(5), // ino
      u64(0xffff_ffff_ffff_fff2n), // off
      u32(1), // namelen
      u32(4), // type: DT_DIR
      Buffer.from('.'), // name
      zeros(7), // to a multiple of 8
      u64(6), // ino
      u64(12), // off
      u32(8), // namelen
      u32(8), // type: DT_REG
      Buffer.from('fullname'), // name
    ],
  },
  {
    title: 'READDIRPLUS',
    opcode: 44,
    body: [
      u64(77), // fh
      u64(0), // offset
      u32(4096), // size
      u32(0), // read_flags
      u64(0), // lock_owner
      u32(0), // flags
      u32(0), // padding
    ],
    answers: { readdir: listTwo },
    call: { operation: 'readdir', parameters: [NODE, 77, 0n, true] },
    reply: [
      zeros(128), // entry_out: nothing told of '.'
      u64(5), // ino
      u64(0xffff_ffff_ffff_fff2n), // off
      u32(1), // namelen
      u32(4), // type: DT_DIR
      Buffer.from('.'), // name
      zeros(7),
      ...entryOut,
      u64(6), // ino
      u64(12), // off
      u32(8), // namelen
      u32(8), // type: DT_REG
      Buffer.from('fullname'), // name
      ...entryOut,
      u64(7), // ino
      u64(13), // off
      u32(4), // namelen
      u32(10), // type: DT_LNK
      Buffer.from('last'), // name
      zeros(4),
    ],
  },
  {
    title: 'RELEASEDIR',
    opcode: 29,
    body: [
      u64(77), // fh
      u32(0), // flags
      u32(0), // release_flags
      u64(0), // lock_owner
    ],
    call: { operation: 'releasedir', parameters: [NODE, 77] },
    reply: [],
  },
  {
    title: 'FSYNCDIR',
    opcode: 30,
    body: [
      u64(77), // fh
      u32(0), // fsync_flags
      u32(0), // padding
    ],
    call: { operation: 'fsyncdir', parameters: [NODE, 77] },
    reply: [],
  },
  {
    title: 'ACCESS',
    opcode: 34,
    body: [
      u32(4), // mask
      u32(0), // padding
    ],
    call: { operation: 'access', parameters: [NODE, 4] },
    reply: [],
  },
  {
    title: 'CREATE',
    opcode: 35,
    body: [
      u32(0o301), // flags: O_WRONLY | O_CREAT | O_EXCL
      u32(0o100644), // mode
      u32(0o022), // umask
      u32(0), // open_flags
      name('new'),
    ],
    answers: { create: () => ({ entry, opened }) },
    call: { operation: 'create', parameters: [NODE, Buffer.from('new'), 0o301, 0o100644] },
    reply: [...entryOut, ...openOut],
  },
  {
    title: 'RENAME2',
    opcode: 45,
    body: [
      u64(9), // newdir
      u32(2), // flags: RENAME_EXCHANGE
      u32(0), // padding
      name('from'),
      name('to'),
    ],
    call: { operation: 'rename', parameters: [NODE, Buffer.from('from'), 9, Buffer.from('to'), 2] },
    reply: [],
  },
  {
    title: 'FORGET',
    opcode: 2,
    body: [u64(0x1_0000_0003)], // nlookup
    call: { operation: 'forget', parameters: [NODE, 0x1_0000_0003n] },
  },
  {
    title: 'BATCH_FORGET',
    opcode: 42,
    body: [
      u32(1), // count
      u32(0), // dummy
      u64(8), // nodeid
      u64(2), // nlookup
    ],
    call: { operation: 'forget', parameters: [8, 2n] },
  },
];

function listTwo(_node: unknown, _handle: unknown, _offset: unknown, plus: boolean, sink: EntrySink): void {
  const told = plus ? entry : undefined;
  const listed =
    sink({ name: Buffer.from('.'), ino: 5n, type: 0o040000, offset: 0xffff_ffff_ffff_fff2n }) &&
    sink({ name: Buffer.from('fullname'), ino: 6n, type: 0o100000, offset: 12n }, told) &&
    sink({ name: Buffer.from('last'), ino: 7n, type: 0o120000, offset: 13n }, told);
  t.equal(listed, plus, 'the sink says when the reply is full');
}
