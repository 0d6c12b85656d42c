/** What becomes of a request whatever the file system does: late answers, failures, bugs, interrupts. */
import t from 'tap';
import type { Caller } from '../../../mount/operations.js';
import { Dispatcher } from '../../../mount/fuse/dispatch.js';
import { Failure } from '../../../protocol/failure.js';
import { CALLER, name, reply, request, u32, u64, UNIQUE, zeros } from './messages.js';
import { recordingFilesystem, recordingLog, recordingSink, type Answers } from './recording-filesystem.js';

function start(answers: Answers) {
  const { filesystem } = recordingFilesystem(answers);
  const sink = recordingSink();
  const log = recordingLog();
  const dispatcher = new Dispatcher({ filesystem, sink, log, onInit() {} });
  const handle = (message: Buffer) => dispatcher.handle(message, message.length);
  return { handle, sent: sink.sent, faults: log.faults, sink };
}

const UNLINK = request(10, name('x'));
const READ = request(15, u64(77), u64(0), u32(4096), zeros(20));
const INTERRUPT = request(36, u64(UNIQUE));

/** Until the promises that are settled have had their consequences. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

t.test('the file system learns who asks', async (t) => {
  let seen: Partial<Caller> = {};
  const { handle } = start({
    unlink: (_parent: unknown, _name: unknown, { uid, gid, pid }: Caller) => {
      seen = { uid, gid, pid };
    },
  });
  handle(UNLINK);
  t.strictSame(seen, CALLER);
});

t.test('an answer that is known is sent before handle returns', async (t) => {
  const { handle, sent } = start({});
  handle(UNLINK);
  t.strictSame(sent, [reply(0)]);
});

t.test('an answer that comes later is sent then', async (t) => {
  let finish = () => {};
  const { handle, sent } = start({ unlink: () => new Promise<void>((resolve) => (finish = resolve)) });
  handle(UNLINK);
  await turn();
  t.strictSame(sent, []);
  finish();
  await turn();
  t.strictSame(sent, [reply(0)]);
});

t.test('a Failure is answered by its errno, thrown or rejected', async (t) => {
  for (const fail of [
    () => {
      throw new Failure('EDQUOT');
    },
    () => Promise.reject(new Failure('EDQUOT')),
  ]) {
    const { handle, sent, faults } = start({ unlink: fail });
    handle(UNLINK);
    await turn();
    t.strictSame(sent, [reply(122 /* EDQUOT */)]);
    t.strictSame(faults, []);
  }
});

t.test('a bug is answered EIO and logged', async (t) => {
  for (const fail of [
    () => {
      throw new TypeError('bug');
    },
    () => Promise.reject(new TypeError('bug')),
  ]) {
    const { handle, sent, faults } = start({ unlink: fail });
    handle(UNLINK);
    await turn();
    t.strictSame(sent, [reply(5 /* EIO */)]);
    t.equal(faults.length, 1);
  }
});

t.test('a result that does not fit its struct is a bug', async (t) => {
  const { handle, sent, faults } = start({ readlink: () => Buffer.alloc(100_000) });
  handle(request(5));
  t.strictSame(sent, [reply(5 /* EIO */)]);
  t.equal(faults.length, 1);
});

t.test(
  'a read that settles without data is answered EIO, one that fails after its data is answered once',
  async (t) => {
    const silent = start({ read: () => Promise.resolve() });
    silent.handle(READ);
    await turn();
    t.strictSame(silent.sent, [reply(5 /* EIO */)]);
    t.equal(silent.faults.length, 1);

    const late = start({
      read: (
        _node: unknown,
        _handle: unknown,
        _offset: unknown,
        _size: unknown,
        answer: (p: Buffer[]) => void,
      ) => {
        answer([Buffer.from('data')]);
        return Promise.reject(new Failure('EIO'));
      },
    });
    late.handle(READ);
    await turn();
    t.strictSame(late.sent, [reply(0, Buffer.from('data'))]);
  },
);

t.test('a listing may be filled later', async (t) => {
  const { handle, sent } = start({ readdir: () => Promise.resolve() });
  handle(request(28, u64(77), u64(0), u32(4096), zeros(20)));
  await turn();
  t.strictSame(sent, [reply(0)]);
});

t.test('an interrupt aborts the signal of its request, taken before or after', async (t) => {
  for (const when of ['before', 'after'] as const) {
    let caller: Caller | undefined;
    const signals: Caller['signal'][] = [];
    const { handle, sent } = start({
      unlink: (_parent: unknown, _name: unknown, asking: Caller) => {
        caller = asking;
        if (when === 'before') signals.push(asking.signal);
        return new Promise<void>((_, reject) => {
          asking.signal?.addEventListener('abort', () => reject(new Failure('EINTR')));
        });
      },
    });
    handle(UNLINK);
    t.notOk(caller?.signal?.aborted);
    handle(INTERRUPT);
    t.ok(caller?.signal?.aborted);
    for (const signal of signals) t.ok(signal?.aborted);
    await turn();
    t.strictSame(sent, [reply(4 /* EINTR */)], 'the interrupt itself is not answered');
  }
});

t.test('an interrupt of a request that was answered is nothing', async (t) => {
  const { handle, sent, faults } = start({ unlink: () => Promise.resolve() });
  handle(UNLINK);
  await turn();
  handle(INTERRUPT);
  await turn();
  t.strictSame(sent, [reply(0)]);
  t.strictSame(faults, []);
});

t.test('an answer that the kernel refuses becomes EIO', async (t) => {
  const { handle, sink, sent, faults } = start({ readlink: () => Buffer.from('target') });
  const send = sink.send.bind(sink);
  sink.send = (message, length) => {
    if (length > 16) throw Object.assign(new Error('write: EINVAL'), { code: 'EINVAL' });
    send(message, length);
  };
  handle(request(5));
  t.strictSame(sent, [reply(5 /* EIO */)]);
  t.equal(faults.length, 1);
});
