/*
 * A real daemon and a user who is logged in and calls its methods with whatever is wrong: types, sizes, names, handles,
 * uploads. Each is answered with an error, nothing outside of the home is touched, and the charge stays exact.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { isErrnoName } from '../../protocol/errno.js';
import { MAX_DATA } from '../../protocol/limits.js';
import { METHODS, OPEN_READ, OPEN_WRITE } from '../../protocol/methods.js';
import type { Attacker, RawAnswer } from '../lib/attacker.js';
import { Target } from '../lib/target.js';

/** What the daemon may have grown by after an attack (kilobytes): pools of buffers that fill once, and the collector's slack. */
const BOUND = 112 * 1024;

/** One daemon for all: what an attack leaves behind would harm those after it. */
const target = await Target.start(t, { quotaBytes: 10 * MAX_DATA });

/** Values that no parameter of a method is, one way or another. */
const ODD: readonly unknown[] = [
  null,
  true,
  -1,
  0,
  1,
  0.5,
  -0,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  0xffff_ffff,
  2 ** 32,
  2 ** 53 - 1,
  2 ** 53,
  2n ** 64n - 1n,
  -(2n ** 63n),
  '',
  'text',
  [],
  [null, 2 ** 53 - 1, null, null],
  [null, null, [1, 2 ** 53 - 1, 999_999_999], [0]],
  [[[[]]]],
  Buffer.alloc(0),
  Buffer.alloc(16),
  Buffer.alloc(32),
  Buffer.from('dir'),
  Buffer.from('dir/file'),
  Buffer.from('none/file'),
  Buffer.from('..'),
  Buffer.from('../alice'),
  Buffer.from('/etc/passwd'),
  Buffer.from('a\0b'),
  Buffer.from('.ftpmount'),
  Buffer.alloc(256, 'n'),
  Buffer.alloc(4095, 'a/'),
  Buffer.alloc(5000, 'a/'),
  Buffer.alloc(100_000, 1),
];

/** Numbers in [0, bound) that are the same in every run. */
function numbers(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % bound;
  };
}

await t.test('every method with every wrong parameter', async (t) => {
  const canary = path.join(target.daemon.homes, 'canary');
  writeFileSync(canary, 'alive');
  const mallory = await target.mallory({ wantsNotifications: true });
  await mallory.call('mkdir', ['dir', 0o755]);
  await mallory.call('create', ['dir/file', OPEN_READ | OPEN_WRITE, 0o644]);
  const next = numbers(42);
  const odd = (): unknown => ODD[next(ODD.length)];
  const methods = Object.keys(METHODS).filter((name) => name !== 'login' && name !== 'ping');
  const kinds = new Map<string, number>();
  for (let round = 0; round < 60; round++) {
    const answers: Promise<RawAnswer>[] = [];
    for (const method of methods) {
      const params = Array.from({ length: next(8) }, odd);
      answers.push(mallory.answer(mallory.request(method, next(20) === 0 ? odd() : params)));
    }
    for (const { kind } of await Promise.all(answers)) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  t.ok(
    [...kinds.keys()].every((kind) => kind === 'ok' || isErrnoName(kind)),
    [...kinds.keys()].join(' '),
  );
  t.equal(kinds.get('EIO'), undefined, 'nothing failed in a way that nobody expected');
  t.ok((kinds.get('EINVAL') ?? 0) > 500);
  t.equal((await mallory.call('ping', [])).kind, 'ok', 'the session goes on');
  t.equal(readFileSync(canary, 'utf8'), 'alive');
  t.notMatch(target.log, /a call failed/);
  await mallory.close();
  const check = await target.daemon.ftpctl(['quota', 'check', 'mallory']);
  t.equal(check.code, 0, `the charge is what the home holds: ${check.stdout}${check.stderr}`);
  await target.unharmed(t, 'wrong parameters', BOUND);
});

await t.test('sizes and offsets beyond all measure', async (t) => {
  const mallory = await target.mallory();
  const [handle] = (await mallory.call('create', ['f', OPEN_READ | OPEN_WRITE, 0o644])).result as [number];
  const refusals = new Map<number, readonly string[]>([
    [2 ** 53 - 1, ['EFBIG', 'EDQUOT']],
    [2 ** 40, ['EDQUOT']],
    [2 ** 53, ['EINVAL']],
    [2 ** 63, ['EINVAL']],
    [-1, ['EINVAL']],
    [0.5, ['EINVAL']],
    [Number.NaN, ['EINVAL']],
    [Number.NEGATIVE_INFINITY, ['EINVAL']],
  ]);
  for (const [value, kinds] of refusals) {
    const attempts = [
      mallory.call('setattr', ['f', [null, value, null, null]]),
      mallory.call('fsetattr', [handle, [null, value, null, null]]),
      mallory.call('write', [handle, value], Buffer.alloc(1000)),
    ];
    for (const { kind } of await Promise.all(attempts)) t.ok(kinds.includes(kind), `${value}: ${kind}`);
    const read = await mallory.call('read', [handle, value, 10]);
    t.equal(read.kind, kinds.includes('EINVAL') ? 'EINVAL' : 'ok');
  }
  t.equal((await mallory.call('read', [handle, 0, MAX_DATA + 1])).kind, 'EINVAL');
  t.equal((await mallory.call('write', [handle, 0], Buffer.alloc(MAX_DATA + 1))).kind, 'EINVAL');
  const [, , , , size] = (await mallory.call('fgetattr', [handle])).result as number[];
  t.equal(size, 0, 'nothing was changed');
  await mallory.call('unlink', ['f']);
  await mallory.close();
  await target.unharmed(t, 'sizes', BOUND);
});

await t.test('names that lead elsewhere', async (t) => {
  const mallory = await target.mallory();
  const outside = '/etc/passwd';
  const before = readFileSync(outside, 'utf8');
  await mallory.call('mkdir', ['dir', 0o755]);
  await mallory.call('symlink', ['link', Buffer.from('/etc')]);
  await mallory.call('symlink', ['up', Buffer.from('../alice')]);
  const bad = [
    '..',
    '.',
    '../alice/x',
    '/',
    '/etc/passwd',
    'dir/../../alice',
    'dir//x',
    'dir/',
    './dir',
    'a\0b',
    'dir/..',
  ];
  const through = ['link/passwd', 'up/x', 'link/../alice'];
  const long = ['n'.repeat(256), `dir/${'n'.repeat(256)}`, 'n/'.repeat(3000)];
  for (const place of bad) await everyMethod(t, mallory, place, ['EINVAL']);
  for (const place of through) await everyMethod(t, mallory, place, ['ELOOP', 'EINVAL']);
  for (const place of long) await everyMethod(t, mallory, place, ['ENAMETOOLONG', 'EINVAL']);
  for (const place of ['.ftpmount', '.ftpmount/x'])
    await everyMethod(t, mallory, place, ['ENOENT', 'EACCES']);
  const listed = (await mallory.call('readdir', [''])).result as [unknown, [Buffer, unknown][]];
  t.strictSame(new Set(listed[1].map(([name]) => String(name))), new Set(['dir', 'link', 'up']));
  t.equal((await mallory.call('rename', ['dir', 'dir/dir', 0])).kind, 'EINVAL', 'a directory into itself');
  t.equal((await mallory.call('rename', ['', 'x', 0])).kind, 'EBUSY', 'the home');
  t.equal((await mallory.call('rename', ['dir', '', 0])).kind, 'EBUSY', 'onto the home');
  t.equal(
    (await mallory.call('rename', ['dir', 'link', 3])).kind,
    'EINVAL',
    'two flags that exclude each other',
  );
  for (const text of ['x'.repeat(4096), '', 'a\0b'])
    t.not((await mallory.call('symlink', ['s', text])).kind, 'ok', 'a target that is none');
  t.equal(
    (await mallory.call('setattr', ['link', [0o777, null, null, null]])).kind,
    'EOPNOTSUPP',
    'chmod of a link',
  );
  t.not((await mallory.call('setattr', ['link', [null, 0, null, null]])).kind, 'ok', 'truncate of a link');
  for (const mode of [0o020666, 0o060666])
    t.equal((await mallory.call('mknod', ['dev', mode])).kind, 'EPERM');
  t.equal(readFileSync(outside, 'utf8'), before);
  await target.unharmed(t, 'names', BOUND);
});

/** Calls every method that takes a path with this one, wherever it takes one: each has to fail so. */
async function everyMethod(
  t: Test,
  mallory: Attacker,
  place: string,
  kinds: readonly string[],
): Promise<void> {
  const found = new Set<string>();
  const calls: [string, unknown[]][] = [
    ['getattr', [place]],
    ['setattr', [place, [0o777, 0, [0], [0]]]],
    ['readdir', [place]],
    ['readlink', [place]],
    ['mkdir', [place, 0o777]],
    ['mknod', [place, 0o100666]],
    ['symlink', [place, 'target']],
    ['link', [place, 'new']],
    ['link', ['link', place]],
    ['unlink', [place]],
    ['rmdir', [place]],
    ['rename', [place, 'new', 0]],
    ['rename', ['link', place, 0]],
    ['rename', [place, 'link', 2]],
    ['open', [place, OPEN_READ, 100]],
    ['create', [place, OPEN_WRITE, 0o644]],
    ['fsyncdir', [place]],
    ['uploadBegin', [place, 1, 0o644, 0, 0, Buffer.alloc(32)]],
    ['download', [place]],
  ];
  for (const [method, params] of calls) {
    const { kind } = await mallory.call(method, params);
    if (!kinds.includes(kind)) found.add(`${method}: ${kind}`);
  }
  t.strictSame([...found], [], `${JSON.stringify(place.slice(0, 20))} gives ${kinds.join(' or ')}`);
}

await t.test("another user's client id, handles and answers", async (t) => {
  const clientId = randomBytes(16);
  const alice = await target.mallory({ user: 'alice', clientId });
  const [handle] = (await alice.call('create', ['secret', OPEN_READ | OPEN_WRITE, 0o600])).result as [number];
  await alice.call('write', [handle, 0, Buffer.from('of alice')]);
  const mallory = await target.mallory({ clientId });
  for (let number = 0; number < 20; number++)
    t.equal((await mallory.call('read', [number, 0, 100])).kind, 'EBADF', `handle ${number} is not hers`);
  // Ids that alice used: an answer that is kept for her would come back.
  for (let id = 1; id < 10; id++) {
    mallory.request('unlink', [Buffer.from('secret')], 100 + id);
    t.equal((await mallory.answer(100 + id)).kind, 'ENOENT');
  }
  const again = await target.mallory({ user: 'alice' });
  t.equal(
    (await again.call('read', [handle, 0, 100])).kind,
    'EBADF',
    'nor of another client of the same user',
  );
  const read = await alice.call('read', [handle, 0, 100]);
  t.equal(String(read.result), 'of alice', 'alice noticed nothing');
  await alice.call('unlink', ['secret']);
  for (const session of [alice, again, mallory]) await session.close();
  await target.unharmed(t, 'client ids', BOUND);
});

await t.test('uploads that are not what was announced', async (t) => {
  const mallory = await target.mallory();
  const begin = async (name: string, size: unknown): Promise<RawAnswer> =>
    mallory.call('uploadBegin', [name, size, 0o644, 0, 0, Buffer.alloc(32, 1)]);
  const md5 = Buffer.alloc(16);
  for (const size of [-1, 0.5, Number.NaN, 2 ** 53]) t.equal((await begin('odd', size)).kind, 'EINVAL');
  for (const size of [2 ** 53 - 1, 10 * MAX_DATA + 1]) t.equal((await begin('large', size)).kind, 'EDQUOT');
  const [handle] = (await begin('short', 10)).result as [number];
  t.equal(
    (await mallory.call('uploadWrite', [handle, 0, Buffer.alloc(11)])).kind,
    'EINVAL',
    'more than announced',
  );
  t.equal((await mallory.call('uploadWrite', [handle, 5, Buffer.alloc(1)])).kind, 'EINVAL', 'a hole');
  t.equal((await mallory.call('uploadWrite', [handle, 0, Buffer.alloc(0)])).kind, 'EINVAL', 'nothing');
  t.equal((await mallory.call('uploadWrite', [handle, 0, Buffer.alloc(4)])).kind, 'ok');
  t.equal((await mallory.call('uploadWrite', [handle, 0, Buffer.alloc(4)])).kind, 'EINVAL', 'the same again');
  for (const method of ['read', 'write', 'digest', 'readdirNext', 'fsync'])
    t.not((await mallory.call(method, [handle, 0, Buffer.alloc(1)])).kind, 'ok', `${method} of an upload`);
  t.equal((await begin('short', 10)).kind, 'EBUSY', 'a second one to the same path');
  t.equal((await mallory.call('uploadFinish', [handle, md5])).kind, 'EBADMSG', 'less than announced');
  t.equal((await mallory.call('uploadFinish', [handle, md5])).kind, 'EBADF', 'it is gone');
  const [empty] = (await begin('empty', 0)).result as [number];
  t.equal((await mallory.call('uploadWrite', [empty, 0, Buffer.alloc(1)])).kind, 'EINVAL');
  t.equal((await mallory.call('uploadFinish', [empty, md5])).kind, 'EBADMSG', 'a wrong MD5');
  t.strictSame(
    (await mallory.call('statfs', [])).result?.toString().split(',').at(2),
    '0',
    'nothing is charged',
  );
  await mallory.close();
  await target.unharmed(t, 'uploads', BOUND);
});
