import t from 'tap';
import { Dispatcher } from '../../../mount/fuse/dispatch.js';
import { INIT_FLAGS, negotiate, type Negotiation } from '../../../mount/fuse/negotiate.js';
import type { Failure } from '../../../protocol/failure.js';
import { reply, request, u16, u32, zeros } from './messages.js';
import { recordingFilesystem, recordingLog, recordingSink } from './recording-filesystem.js';

/** What Linux 6.18 offers: everything. */
const LINUX = { major: 7, minor: 45, maxReadahead: 131_072, flags: 0xffff_ffff, flags2: 0xffff_ffff };

/** Only where the options say so. */
const ASKED_FOR: ReadonlySet<string> = new Set(['WRITEBACK_CACHE', 'POSIX_ACL', 'DONT_MASK']);

t.test('takes what is wanted of what is offered, and no more', async (t) => {
  const { reply: answer, settled, mapsDirect } = negotiate(LINUX);
  t.ok(settled);
  t.equal(answer.flags2, 1 << 4, 'FUSE_DIRECT_IO_ALLOW_MMAP');
  t.equal(mapsDirect, true);
  t.match(negotiate({ ...LINUX, flags2: 0 }), { mapsDirect: false, reply: { flags2: 0 } });
  t.equal(answer.major, 7);
  t.equal(answer.maxWrite, 1024 * 1024);
  t.equal(answer.maxPages, 256);
  for (const [flag, bit] of Object.entries(INIT_FLAGS)) {
    t.equal((answer.flags & bit) !== 0, !ASKED_FOR.has(flag), flag);
  }
  t.not(answer.flags & (1 << 1), 0, 'FUSE_POSIX_LOCKS');
  t.not(answer.flags & (1 << 10), 0, 'FUSE_FLOCK_LOCKS');
  t.equal(answer.flags & (1 << 15), 0, 'FUSE_ASYNC_DIO');
  t.equal(answer.flags & (1 << 24), 0, 'FUSE_NO_OPENDIR_SUPPORT');

  t.equal(negotiate(LINUX).xattrs, true);
  t.equal(negotiate({ ...LINUX, flags: LINUX.flags & ~INIT_FLAGS.HANDLE_KILLPRIV_V2 }).xattrs, false);

  const fewer = LINUX.flags & ~INIT_FLAGS.PARALLEL_DIROPS;
  t.equal(negotiate({ ...LINUX, flags: fewer }).reply.flags & INIT_FLAGS.PARALLEL_DIROPS, 0);
});

t.test('writeback is an option', async (t) => {
  const { flags } = negotiate(LINUX, { writeback: true }).reply;
  t.not(flags & INIT_FLAGS.WRITEBACK_CACHE, 0);
});

t.test('ACLs are an option, of kernels that are served extended attributes', async (t) => {
  const acls = INIT_FLAGS.POSIX_ACL | INIT_FLAGS.DONT_MASK;
  t.equal(negotiate(LINUX, { acls: true }).reply.flags & acls, acls);
  const before = { ...LINUX, flags: LINUX.flags & ~INIT_FLAGS.HANDLE_KILLPRIV_V2 };
  t.equal(negotiate(before, { acls: true }).reply.flags & acls, 0);
});

t.test('refuses kernels that are too old', async (t) => {
  t.throws(() => negotiate({ ...LINUX, minor: 30 }), { code: 'EPROTO' });
  t.throws(() => negotiate({ ...LINUX, major: 6 }), { code: 'EPROTO' });
  t.throws(() => negotiate({ ...LINUX, flags: LINUX.flags & ~INIT_FLAGS.MAX_PAGES }), { code: 'EPROTO' });
});

t.test('a newer major version is told ours, and asks again', async (t) => {
  const { reply: answer, settled } = negotiate({ ...LINUX, major: 8, minor: 0 });
  t.notOk(settled);
  t.equal(answer.major, 7);
});

function initialize(message: Buffer) {
  const { filesystem } = recordingFilesystem({});
  const sink = recordingSink();
  const outcomes: (Negotiation | Failure)[] = [];
  const dispatcher = new Dispatcher({
    filesystem,
    sink,
    log: recordingLog(),
    onInit: (outcome) => outcomes.push(outcome),
  });
  dispatcher.handle(message, message.length);
  return { sent: sink.sent, outcomes };
}

const initIn = [
  u32(7), // major
  u32(45), // minor
  u32(131_072), // max_readahead
  u32(INIT_FLAGS.ATOMIC_O_TRUNC | INIT_FLAGS.MAX_PAGES | INIT_FLAGS.INIT_EXT), // flags
  u32(0x18), // flags2
  zeros(44), // unused
];

t.test('INIT as bytes', async (t) => {
  const { sent, outcomes } = initialize(request(26, ...initIn));
  t.match(outcomes, [{ settled: true, mapsDirect: true }]);
  t.strictSame(sent, [
    reply(
      0,
      u32(7), // major
      u32(39), // minor
      u32(1_048_576), // max_readahead
      u32((1 << 3) | (1 << 22) | (1 << 30)), // flags
      u16(64), // max_background
      u16(48), // congestion_threshold
      u32(1_048_576), // max_write
      u32(1), // time_gran
      u16(256), // max_pages
      u16(0), // map_alignment
      u32(1 << 4), // flags2
      zeros(28), // unused
    ),
  ]);
});

t.test('INIT cut off is refused', async (t) => {
  const whole = request(26, ...initIn);
  for (let length = 40; length < 60; length++) {
    const cut = Buffer.from(whole.subarray(0, length));
    cut.writeUInt32LE(length, 0);
    const { sent, outcomes } = initialize(cut);
    t.strictSame(sent, [reply(71 /* EPROTO */)]);
    t.match(outcomes, [{ kind: 'PROTOCOL' }]);
  }
});
