/**
 * Requests and replies of the kernel as bytes, written out from the structs of include/uapi/linux/fuse.h: what the
 * file system is asked, what the kernel is answered, and that a request cut off anywhere is refused.
 */
import t from 'tap';
import type { Entry, EntrySink, NodeAttributes } from '../../../mount/filesystem/operations.js';
import { Dispatcher } from '../../../mount/fuse/dispatch.js';
import { asX86Flags } from '../../../mount/fuse/opcodes.js';
import { handleId, nodeId } from '../../../protocol/ids.js';
import { i64, name, NODE, reply, request, u32, u64, zeros } from './messages.js';
import { recordingFilesystem, recordingLog, recordingSink, type Answers } from './recording-filesystem.js';

const attributes: NodeAttributes = {
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

const attrOut = [
  u64(1), // attr_valid
  u32(500_000_000), // attr_valid_nsec
  u32(0), // dummy
  attr,
];
const attributesAnswer = { attributes, validMs: 1500 };

const entry: Entry = { attributes, validMs: 1500, nodeId: nodeId(8), generation: 6n, entryValidMs: Infinity };
const entryOut = [
  u64(8), // nodeid
  u64(6), // generation
  u64(2 ** 31 - 1), // entry_valid: for ever
  u64(1), // attr_valid
  u32(0), // entry_valid_nsec
  u32(500_000_000), // attr_valid_nsec
  attr,
];

const openOut = [
  u64(77), // fh
  u32(2), // open_flags: FOPEN_KEEP_CACHE
  u32(0), // padding
];
const opened = { handle: handleId(77), keepCache: true };

const LONG_AGO = { sec: -1, nsec: 7 };

interface Case {
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

const cases: Case[] = [
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
    call: { operation: 'write', parameters: [NODE, 77, 0x1_0000_0000, Buffer.from('hello')] },
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
    call: { operation: 'statfs', parameters: [] },
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
    call: { operation: 'flush', parameters: [NODE, 77] },
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

function dispatch(message: Buffer, answers: Answers) {
  const { filesystem, calls } = recordingFilesystem(answers);
  const sink = recordingSink();
  const log = recordingLog();
  const dispatcher = new Dispatcher({ filesystem, sink, log, onInit() {} });
  // In a larger buffer full of something else, as the device's is.
  const buffer = Buffer.alloc(message.length + 64, 0xee);
  message.copy(buffer);
  dispatcher.handle(buffer, message.length);
  return { calls, sent: sink.sent, faults: log.faults };
}

for (const { title, opcode, body, answers = {}, call, reply: expected } of cases) {
  t.test(title, async (t) => {
    const message = request(opcode, ...body);
    const { calls, sent, faults } = dispatch(message, answers);
    if (call !== undefined) t.strictSame(calls, [call]);
    t.strictSame(sent, expected === undefined ? [] : [reply(0, ...expected)]);
    t.strictSame(faults, []);

    for (let length = 40; length < message.length; length++) {
      const cut = Buffer.from(message.subarray(0, length));
      cut.writeUInt32LE(length, 0);
      const short = dispatch(cut, answers);
      t.strictSame(short.calls, [], `nothing is done when cut to ${length} bytes`);
      t.strictSame(short.sent, expected === undefined ? [] : [reply(71 /* EPROTO */)]);
      t.equal(short.faults.length, 1);
    }
  });
}

t.test('a message that is not as long as it says is refused', async (t) => {
  const message = request(1, name('some'));
  message.writeUInt32LE(message.length + 1, 0);
  const { calls, sent } = dispatch(message, {});
  t.strictSame(calls, []);
  t.strictSame(sent, [reply(71 /* EPROTO */)]);
});

t.test('a message cut within its header is not answered', async (t) => {
  const message = request(1, name('some'));
  for (let length = 0; length < 40; length++) {
    const { calls, sent, faults } = dispatch(message.subarray(0, length), {});
    t.strictSame([calls, sent, faults.length], [[], [], 1]);
  }
});

t.test('a BATCH_FORGET that claims more than it holds does nothing', async (t) => {
  const { calls, faults } = dispatch(request(42, u32(0xffff_ffff), u32(0), u64(8), u64(2)), {});
  t.strictSame(calls, []);
  t.equal(faults.length, 1);
});

t.test('operations that are not in the table are answered ENOSYS', async (t) => {
  for (const opcode of [21, 22, 23, 24, 31, 39, 43, 46, 47, 50, 52, 4096, 0xffff_ffff]) {
    t.strictSame(dispatch(request(opcode, zeros(40)), {}).sent, [reply(38 /* ENOSYS */)]);
  }
});

t.test('offsets beyond 2^53', async (t) => {
  const beyond = u64(2n ** 62n);
  const rest = zeros(8 + 8 + 4);
  const write = dispatch(request(16, u64(77), beyond, u32(0), zeros(20)), {});
  t.strictSame(write.sent, [reply(27 /* EFBIG */)]);
  t.strictSame(dispatch(request(15, u64(77), beyond, u32(16), rest), {}).sent, [reply(0)], 'nothing to read');
  const truncate = request(4, u32(1 << 3), u32(0), u64(0), beyond, zeros(64));
  t.strictSame(dispatch(truncate, {}).sent, [reply(27 /* EFBIG */)]);
});

t.test('open flags of arm64 become those of x86-64', async (t) => {
  t.equal(asX86Flags(0o740000 | 0o1002, 'arm64'), 0o740000 | 0o1002, 'all four stay all four');
  t.equal(asX86Flags(0o040000, 'arm64'), 0o200000, 'O_DIRECTORY');
  t.equal(asX86Flags(0o100000, 'arm64'), 0o400000, 'O_NOFOLLOW');
  t.equal(asX86Flags(0o200000, 'arm64'), 0o040000, 'O_DIRECT');
  t.equal(asX86Flags(0o400000, 'arm64'), 0o100000, 'O_LARGEFILE');
  t.equal(asX86Flags(0o100002, 'x64'), 0o100002);
});
