import t from 'tap';
import { Failure } from '../../../protocol/failure.js';
import type { Result } from '../../../protocol/methods.js';
import type { FileId } from '../../../protocol/references.js';
import { Grants, type Room } from '../../../mount/lease/grants.js';
import { failing } from '../../lib/failing.js';

const MiB = 1024 * 1024;

interface Asked {
  readonly params: readonly number[];
  readonly done: (failure: Failure | undefined, result: Result<'grant'> | undefined) => void;
}

/** Grants of a server with a quota, which answers when a test says so. */
class Setup {
  /** What is left of the quota at the server. */
  quota: Room = { bytes: Number.POSITIVE_INFINITY, files: Number.POSITIVE_INFINITY };
  /** Whether it has inode numbers to give. */
  ids = true;
  charged: Room = { bytes: 0, files: 0 };
  busy = false;
  now = 0;
  readonly asked: Asked[] = [];
  readonly grants = new Grants({
    request: (params, done) => this.asked.push({ params: params as number[], done }),
    charged: () => this.charged,
    busy: () => this.busy,
    now: () => this.now,
  });
  #lastId = 0;

  /** The next request, answered. Returns what it asks for. */
  answer(): readonly number[] {
    const { params, done } = this.#next();
    const [bytes = 0, files = 0, regular = 0, directories = 0] = params;
    const given = { bytes: Math.min(bytes, this.quota.bytes), files: Math.min(files, this.quota.files) };
    this.quota = { bytes: this.quota.bytes - given.bytes, files: this.quota.files - given.files };
    done(undefined, [
      Math.max(0, given.bytes),
      Math.max(0, given.files),
      this.#make(regular),
      this.#make(directories),
    ]);
    return params.slice(0, 4);
  }

  fail(failure: Failure): void {
    this.#next().done(failure, undefined);
  }

  #next(): Asked {
    const next = this.asked.shift();
    if (next === undefined) throw new Error('nothing was asked for');
    return next;
  }

  #make(count: number): FileId[] {
    return Array.from({ length: this.ids ? count : 0 }, () => ({
      ino: BigInt((this.#lastId += 1)),
      birth: 0n,
    }));
  }
}

t.test('what is about to be needed is asked for in one request', async (t) => {
  const s = new Setup();
  s.grants.refill();
  s.grants.refill();
  t.equal(s.asked.length, 1);
  t.same(s.answer(), [4 * MiB, 256, 16, 16]);
  t.same(s.grants.available(), { bytes: 4 * MiB, files: 256 });
  t.not(s.grants.takeFile()?.ino, s.grants.takeDirectory()?.ino);
  t.same(s.asked, [], 'there is enough');
});

t.test('ids are asked for before they are used up', async (t) => {
  const s = new Setup();
  s.grants.refill();
  s.answer();
  for (let i = 0; i < 8; i++) t.ok(s.grants.takeFile());
  t.same(s.asked[0]?.params, [0, 0, 248, 0, 0, 0, 32]);
  const id = s.grants.takeFile();
  if (id === undefined) throw new Error('there are seven more');
  s.grants.returnFile(id);
  t.equal(s.grants.takeFile()?.ino, id.ino, 'one that was not used');
});

t.test('the server is told how many ids have arrived: what it gave beyond was lost', (t) => {
  const s = new Setup();
  const received = (): unknown => s.asked[0]?.params[6];
  s.grants.refill();
  t.equal(received(), 0);
  s.answer();
  while (s.asked.length === 0) s.grants.takeFile();
  t.equal(received(), 32);
  s.fail(new Failure('ECONNRESET'));
  s.grants.connected();
  s.grants.refill();
  t.equal(received(), 32);
  while (s.asked.length > 0) s.answer();
  s.grants.lost();
  s.grants.refill();
  t.equal(received(), 0, 'of what a server gives that knows nothing of others');
  t.end();
});

t.test('who needs an id waits for it', async (t) => {
  const s = new Setup();
  t.equal(s.grants.takeFile(), undefined);
  const [file, directory] = [s.grants.whenFile(), s.grants.whenDirectory()];
  s.answer();
  await Promise.all([file, directory]);
  t.ok(s.grants.takeFile());
  t.ok(s.grants.takeDirectory());
});

t.test(
  'a server that has no ids says so; while operations are on their way it may have some behind them',
  async (t) => {
    const s = new Setup();
    s.ids = false;
    s.busy = true;
    const waiting = s.grants.whenFile();
    s.answer();
    t.same(s.asked, []);
    s.busy = false;
    s.grants.left({ bytes: 4 * MiB, files: 256 });
    s.answer();
    await t.rejects(waiting, failing('ENOSPC'));
  },
);

t.test('what the log charges is not available, and what its operations free is', async (t) => {
  const s = new Setup();
  s.busy = true;
  s.grants.left({ bytes: 10 * MiB, files: 1_000 });
  t.same(s.grants.available({ bytes: MiB, files: 1 }), { bytes: 9 * MiB, files: 999 });
  t.same(s.grants.available({ bytes: -MiB, files: -1 }), { bytes: 11 * MiB, files: 1_001 });
  s.charged = { bytes: 10 * MiB, files: 0 };
  s.grants.left({ bytes: 10 * MiB, files: 1_000 });
  t.equal(s.grants.available().bytes, 0);
});

t.test('steps grow with use', async (t) => {
  const s = new Setup();
  s.busy = true;
  s.grants.refill();
  const steps: number[] = [];
  for (let i = 0; i < 9; i++) {
    steps.push((s.answer()[0] ?? 0) / MiB);
    s.grants.left({ bytes: 0, files: 1_000 });
  }
  t.same(steps, [4, 8, 16, 32, 64, 128, 256, 256, 256]);
});

t.test('who needs room gets it, or what there is', async (t) => {
  const s = new Setup();
  s.quota = { bytes: 6 * MiB, files: 1_000 };
  const first = s.grants.ensure(MiB, 0);
  // One request is under way: these wait for the next one.
  const second = s.grants.ensure(5 * MiB, 0);
  const third = s.grants.ensure(MiB, 1);
  t.equal(s.asked.length, 1);
  s.answer();
  t.equal((await first).bytes, 4 * MiB);
  t.equal(s.asked[0]?.params[0], 8 * MiB, 'a step, or what both need');
  s.answer();
  t.equal((await second).bytes, 6 * MiB);
  await third;
  const more = s.grants.ensure(10, 0);
  t.equal(s.asked[0]?.params[0], 10, 'no more than what is needed, where there is little');
  s.answer();
  await more;
  await s.grants.ensure(0, -1);
});

t.test('over a lost connection what was wanted is asked for again', async (t) => {
  const s = new Setup();
  const room = s.grants.ensure(MiB, 1);
  const file = s.grants.whenFile();
  s.fail(new Failure('ECONNRESET'));
  s.grants.takeFile();
  t.same(s.asked, [], 'not before there is a connection');
  s.grants.connected();
  s.answer();
  await Promise.all([room, file]);
  for (let i = 0; i < 8; i++) s.grants.takeFile();
  s.fail(new Failure('ECONNRESET'));
  s.grants.connected();
  t.same(s.asked, [], 'nobody waits');
});

t.test('a server that was restarted has nothing for us', async (t) => {
  const s = new Setup();
  s.grants.refill();
  s.answer();
  s.charged = { bytes: MiB, files: 1 };
  s.grants.lost();
  s.grants.connected();
  t.equal(s.grants.available().bytes, -MiB);
  const room = s.grants.ensure(10, 0);
  t.same(s.answer(), [9 * MiB, 513, 16, 16], 'also what the log has charged');
  t.same(await room, { bytes: 8 * MiB, files: 512 });
});

t.test('a refusal is told to who waits', async (t) => {
  const s = new Setup();
  const file = s.grants.whenFile();
  s.fail(new Failure('EIO', 'the disk is broken'));
  await t.rejects(file, failing('EIO'));
  const room = s.grants.ensure(1, 0);
  s.fail(new Failure('EIO', 'the disk is broken'));
  await t.rejects(room, failing('EIO'));
});

t.test('what is not used is given back when others need it', async (t) => {
  const s = new Setup();
  s.busy = true;
  s.grants.left({ bytes: 10 * MiB, files: 1_000 });
  s.charged = { bytes: MiB, files: 1 };
  s.answer();
  s.grants.left({ bytes: 10 * MiB, files: 1_000 });
  s.grants.giveBack();
  await nextTurn();
  t.same(s.grants.available(), { bytes: 0, files: 0 }, 'not used from now on');
  // An answer that was on its way.
  s.charged = { bytes: 0, files: 0 };
  s.grants.left({ bytes: 9 * MiB, files: 999 });
  t.same(s.grants.available(), { bytes: 0, files: 0 });
  t.same(s.answer(), [-9 * MiB, -999, 0, 0]);
  t.same(s.grants.available(), { bytes: 0, files: 0 });
  t.same(s.asked, [], 'and not asked for again');
  s.grants.giveBack();
  await nextTurn();
  t.same(s.answer(), [0, 0, 0, 0], 'there is nothing more to give, and the server is told so');
});

t.test(
  'a server that asks for room again and again, and answers nothing, is answered once more',
  async (t) => {
    const s = new Setup();
    s.grants.left({ bytes: 8 * MiB, files: 500 });
    s.answer(); // inode numbers
    for (let asked = 0; asked < 1000; asked++) {
      s.grants.giveBack();
      if (asked % 100 === 0) await nextTurn();
    }
    await nextTurn();
    t.equal(s.asked.length, 1);
    t.same(s.answer(), [-8 * MiB, -500, 0, 0]);
    await nextTurn();
    t.equal(s.asked.length, 1, 'what was asked behind the answer that was on its way');
    t.same(s.answer(), [0, 0, 0, 0]);
    await nextTurn();
    t.same(s.asked, []);
  },
);

t.test('what somebody waits for is said to be needed, and so is what the log has charged', async (t) => {
  const s = new Setup();
  s.grants.refill();
  t.same(s.asked[0]?.params.slice(4, 6), [0, 0], 'nobody waits for what is asked for ahead');
  s.answer();
  const room = s.grants.ensure(10, 1);
  t.same(s.asked[0]?.params.slice(4, 6), [10, 1]);
  s.answer();
  await room;
  s.charged = { bytes: MiB, files: 2 };
  s.grants.lost();
  s.grants.refill();
  t.same(s.asked[0]?.params.slice(4, 6), [MiB, 2]);
});

t.test('who was just given room keeps it when others need some in the same turn', async (t) => {
  const s = new Setup();
  s.quota = { bytes: 10, files: 0 };
  const used = s.grants.ensure(10, 0).then(({ bytes }) => {
    s.charged = { bytes, files: 0 };
    return bytes;
  });
  s.answer();
  s.grants.giveBack();
  t.equal(await used, 10);
  await nextTurn();
  const last = s.asked.at(-1)?.params;
  t.same(last, [0, 0, 0, 0]);
});

t.test('a mount that does nothing keeps little of what it has', async (t) => {
  const s = new Setup();
  s.busy = true;
  s.grants.left({ bytes: 60 * MiB, files: 5_000 });
  s.answer(); // inode numbers
  t.same(s.asked, [], 'while there is work all is kept');
  s.busy = false;
  s.grants.left({ bytes: 60 * MiB, files: 5_000 });
  await nextTurn();
  t.same(s.grants.available(), { bytes: 4 * MiB, files: 256 });
  t.same(s.answer(), [-56 * MiB, -4_744, 0, 0]);
  s.grants.left({ bytes: 4 * MiB, files: 256 });
  await nextTurn();
  t.same(s.asked, [], 'and not asked for again');
});

t.test(
  'who was just given room has it, also when an answer says in the same turn that nothing is under way',
  async (t) => {
    const s = new Setup();
    const given = s.grants.ensure(5 * 1024 * MiB, 0).then(() => s.grants.available().bytes);
    s.answer();
    s.grants.left(s.grants.available());
    t.ok((await given) >= 5 * 1024 * MiB);
  },
);

/** When all has run that was to run in this turn. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

t.test('nothing is asked for before what is said again over a new connection', async (t) => {
  const s = new Setup();
  s.grants.disconnected();
  s.grants.refill();
  t.equal(s.asked.length, 0, 'a lease came');
  s.grants.connected();
  t.equal(s.asked.length, 1);
});

t.test('nor is anything given back before that', async (t) => {
  const s = new Setup();
  s.grants.disconnected();
  s.grants.left({ bytes: 2 ** 30, files: 2 ** 20 });
  await new Promise((resolve) => setImmediate(resolve));
  t.equal(s.asked.length, 0);
  s.grants.connected();
  s.grants.left({ bytes: 2 ** 30, files: 2 ** 20 });
  await new Promise((resolve) => setImmediate(resolve));
  t.ok(s.asked.some(({ params: [bytes = 0] }) => bytes < 0));
});
