/**
 * Requests and replies of the kernel as bytes, written out from the structs of include/uapi/linux/fuse.h: what the
 * file system is asked, what the kernel is answered, and that a request cut off anywhere is refused.
 */
import t from 'tap';
import { Dispatcher } from '../../../mount/fuse/dispatch.js';
import { INIT_FLAGS } from '../../../mount/fuse/negotiate.js';
import { asX86Flags } from '../../../mount/fuse/opcodes.js';
import { name, NODE, reply, request, u32, u64, zeros } from './messages.js';
import { NAME_CASES } from './opcode-cases-names.js';
import { OPEN_CASES } from './opcode-cases-open.js';
import { recordingFilesystem, recordingLog, recordingSink, type Answers } from './recording-filesystem.js';

/** The kernel that asks offers all that is wanted of it. */
const INIT = request(26, u32(7), u32(45), u32(131_072), u32(0xffff_ffff), u32(0xffff_ffff), zeros(44));

function dispatch(message: Buffer, answers: Answers, init = INIT) {
  const { filesystem, calls } = recordingFilesystem(answers);
  const sink = recordingSink();
  const log = recordingLog();
  const dispatcher = new Dispatcher({ filesystem, sink, log, onInit() {} });
  dispatcher.handle(init, init.length);
  sink.sent.length = 0;
  // In a larger buffer full of something else, as the device's is.
  const buffer = Buffer.alloc(message.length + 64, 0xee);
  message.copy(buffer);
  dispatcher.handle(buffer, message.length);
  return { calls, sent: sink.sent, faults: log.faults };
}

for (const { title, opcode, body, answers = {}, call, reply: expected } of [...NAME_CASES, ...OPEN_CASES]) {
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
  for (const opcode of [39, 50, 4096, 0xffff_ffff]) {
    t.strictSame(dispatch(request(opcode, zeros(40)), {}).sent, [reply(38 /* ENOSYS */)]);
  }
});

t.test('a kernel that would ask for an attribute at each write is told that there are none', async (t) => {
  const flags = 0xffff_ffff & ~INIT_FLAGS.HANDLE_KILLPRIV_V2;
  const init = request(26, u32(7), u32(31), u32(131_072), u32(flags >>> 0), zeros(48));
  for (const opcode of [21, 22, 23, 24]) {
    t.strictSame(dispatch(request(opcode, zeros(40)), {}, init).sent, [reply(38 /* ENOSYS */)]);
  }
});

t.test('a value that is longer than asked for', async (t) => {
  const value = Buffer.from('value');
  const get = (size: number) => request(22, u32(size), u32(0), name('user.a'));
  t.strictSame(dispatch(get(4), { getxattr: () => value }).sent, [reply(34 /* ERANGE */)]);
  t.strictSame(dispatch(get(5), { getxattr: () => value }).sent, [reply(0, value)]);
  t.strictSame(dispatch(request(23, u32(4), u32(0)), { listxattr: () => value }).sent, [reply(34)]);
});

t.test('set-id bits go before what takes them', async (t) => {
  const operations = (message: Buffer) => {
    const { calls } = dispatch(message, { write: () => 2, open: () => ({}), setattr: () => ({}) });
    return calls.map(({ operation }) => operation);
  };
  const write = (flags: number) =>
    request(16, u64(77), u64(0), u32(2), u32(flags), zeros(16), Buffer.from('hi'));
  t.strictSame(operations(write(0)), ['write']);
  t.strictSame(operations(write(1 << 2)), ['clearSetId', 'write']);
  t.strictSame(operations(request(14, u32(0o1001), u32(1))), ['clearSetId', 'open']);
  t.strictSame(operations(request(4, u32((1 << 3) | (1 << 11)), zeros(84))), ['clearSetId', 'setattr']);
});

t.test('offsets beyond 2^53', async (t) => {
  const beyond = u64(2n ** 62n);
  const rest = zeros(8 + 8 + 4);
  const write = dispatch(request(16, u64(77), beyond, u32(0), zeros(20)), {});
  t.strictSame(write.sent, [reply(27 /* EFBIG */)]);
  t.strictSame(dispatch(request(15, u64(77), beyond, u32(16), rest), {}).sent, [reply(0)], 'nothing to read');
  const truncate = request(4, u32(1 << 3), u32(0), u64(0), beyond, zeros(64));
  t.strictSame(dispatch(truncate, {}).sent, [reply(27 /* EFBIG */)]);
  const copy = (opcode: number, offset: Buffer, to: Buffer, flags = 0) =>
    request(opcode, u64(77), offset, u64(9), u64(78), to, beyond, u64(flags));
  t.strictSame(dispatch(copy(53, beyond, u64(0)), {}).sent, [reply(0, u64(0))], 'nothing to copy');
  t.strictSame(dispatch(copy(53, u64(0), beyond), {}).sent, [reply(27 /* EFBIG */)]);
  t.strictSame(dispatch(copy(53, u64(0), u64(0), 1), {}).sent, [reply(22 /* EINVAL */)]);
  const most = dispatch(copy(47, u64(0), u64(0)), { copy: () => 2 ** 32 - 1 });
  t.strictSame(most.calls, [{ operation: 'copy', parameters: [77, 0, 78, 0, 2 ** 32 - 1] }]);
  const seek = (offset: Buffer, whence: number) => request(46, u64(77), offset, u32(whence), u32(0));
  t.strictSame(dispatch(seek(beyond, 3), {}).sent, [reply(6 /* ENXIO */)]);
  t.strictSame(
    dispatch(seek(u64(0), 2), {}).sent,
    [reply(22 /* EINVAL */)],
    'the kernel knows the end itself',
  );
  const allocate = (mode: number) => request(43, u64(77), u64(5), u64(2n ** 62n), u32(mode), u32(0));
  t.strictSame(dispatch(allocate(0), {}).sent, [reply(27 /* EFBIG */)]);
  const { calls, sent } = dispatch(allocate(3), { allocate: () => undefined });
  t.strictSame(calls, [{ operation: 'allocate', parameters: [NODE, 77, 3, 5, Number.MAX_SAFE_INTEGER - 5] }]);
  t.strictSame(sent, [reply(0)], 'what is punched beyond is nothing');
});

t.test('open flags of arm64 become those of x86-64', async (t) => {
  t.equal(asX86Flags(0o740000 | 0o1002, 'arm64'), 0o740000 | 0o1002, 'all four stay all four');
  t.equal(asX86Flags(0o040000, 'arm64'), 0o200000, 'O_DIRECTORY');
  t.equal(asX86Flags(0o100000, 'arm64'), 0o400000, 'O_NOFOLLOW');
  t.equal(asX86Flags(0o200000, 'arm64'), 0o040000, 'O_DIRECT');
  t.equal(asX86Flags(0o400000, 'arm64'), 0o100000, 'O_LARGEFILE');
  t.equal(asX86Flags(0o100002, 'x64'), 0o100002);
});
