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
import { LEASE_WRITE, METHODS } from '../../protocol/methods.js';
import type { Attacker, RawAnswer } from '../lib/attacker.js';
import { place as placeOf, raw } from '../lib/raw-operations.js';
import { Target } from '../lib/target.js';

/** What the daemon may have grown by after an attack (kilobytes): pools of buffers that fill once, and the collector's slack. */
const BOUND = 112 * 1024;

t.setTimeout(60_000);

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
  [1, 2],
  [1, 2, Buffer.from('dir')],
  [[1, 2], [Buffer.from('dir/file')], [Buffer.from('dir/file')]],
  raw.create('dir/made'),
  raw.mkdir('../alice/made'),
  raw.write('dir/file', 2 ** 53 - 1, Buffer.alloc(10)),
  raw.rename('dir', 'dir/file/below', 3),
  raw.release(1, 2),
  [raw.unlink('dir/file'), raw.truncate('dir/file', -1), [11], [0]],
  [[0, LEASE_WRITE]],
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
  const mallory = await target.mallory({ leaseWanted: LEASE_WRITE });
  await mallory.change(raw.mkdir('dir'));
  await mallory.change(raw.create('dir/file'));
  const next = numbers(42);
  const odd = (): unknown => ODD[next(ODD.length)];
  const methods = Object.keys(METHODS).filter((name) => !['login', 'ping', 'logout'].includes(name));
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
  await mallory.logOut();
  const check = await target.daemon.ftpctl(['quota', 'check', 'mallory']);
  t.equal(check.code, 0, `the charge is what the home holds: ${check.stdout}${check.stderr}`);
  await target.unharmed(t, 'wrong parameters', BOUND);
});

await t.test('sizes and offsets beyond all measure', async (t) => {
  const mallory = await target.mallory();
  const made = (await mallory.change(raw.create('f'))).result as [readonly number[]];
  const id = made[0].slice(0, 2);
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
      mallory.change(raw.truncate('f', value)),
      mallory.change(raw.write('f', value, Buffer.alloc(1000))),
    ];
    for (const { kind } of await Promise.all(attempts)) t.ok(kinds.includes(kind), `${value}: ${kind}`);
    const read = await mallory.call('read', [id, value, 10]);
    t.equal(read.kind, kinds.includes('EINVAL') ? 'EINVAL' : 'ok');
  }
  t.equal((await mallory.call('read', [id, 0, MAX_DATA + 1])).kind, 'EINVAL');
  t.equal((await mallory.call('fetch', [[id], MAX_DATA + 1])).kind, 'EINVAL');
  t.equal((await mallory.change(raw.write('f', 0, Buffer.alloc(MAX_DATA + 1)))).kind, 'EINVAL');
  const [, , , , size] = (await mallory.call('getattr', [id])).result as number[];
  t.equal(size, 0, 'nothing was changed');
  await mallory.change(raw.unlink('f'));
  await mallory.close();
  await target.unharmed(t, 'sizes', BOUND);
});

await t.test('names that lead elsewhere', async (t) => {
  const mallory = await target.mallory();
  const outside = '/etc/passwd';
  const before = readFileSync(outside, 'utf8');
  await mallory.change(raw.mkdir('dir'));
  await mallory.change(raw.symlink('/etc', 'link'));
  await mallory.change(raw.symlink('../alice', 'up'));
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
  const [listed] = (await mallory.call('list', ['', 1])).result as [[unknown, [Buffer, unknown][]]];
  t.strictSame(new Set(listed[1].map(([name]) => String(name))), new Set(['dir', 'link', 'up']));
  t.equal((await mallory.change(raw.rename('dir', 'dir/dir'))).kind, 'EINVAL', 'a directory into itself');
  t.equal((await mallory.change(raw.rename('', 'x'))).kind, 'EINVAL', 'the home, which has no name');
  t.equal((await mallory.change(raw.rename('dir', ''))).kind, 'EINVAL', 'onto the home');
  t.equal(
    (await mallory.change(raw.rename('dir', 'link', 3))).kind,
    'EINVAL',
    'two flags that exclude each other',
  );
  for (const text of ['x'.repeat(4096), '', 'a\0b'])
    t.not((await mallory.change(raw.symlink(text, 's'))).kind, 'ok', 'a target that is none');
  t.equal((await mallory.change(raw.chmod('link', 0o777))).kind, 'EOPNOTSUPP', 'chmod of a link');
  t.not((await mallory.change(raw.truncate('link', 0))).kind, 'ok', 'truncate of a link');
  for (const mode of [0o020666, 0o060666, 0o120777, 0o040777])
    t.equal((await mallory.change(raw.create('dev', mode))).kind, 'EPERM');
  t.equal(readFileSync(outside, 'utf8'), before);
  await target.unharmed(t, 'names', BOUND);
});

/** Calls every method and makes every change that takes a path with this one: each has to fail so, or to find nothing. */
async function everyMethod(
  t: Test,
  mallory: Attacker,
  place: string,
  kinds: readonly string[],
): Promise<void> {
  const found = new Set<string>();
  const calls: [string, unknown[]][] = [
    ['lookup', placeOf(place)],
    ['getattr', [place]],
    ['readlink', [place]],
    ['list', [place, 10]],
    ['read', [place, 0, 100]],
    ['hold', [place]],
    ['uploadBegin', [place, 1, 0o644, 0, 0, Buffer.alloc(32)]],
    ['download', [place]],
  ];
  for (const [method, params] of calls) {
    const { kind } = await mallory.call(method, params);
    if (!kinds.includes(kind)) found.add(`${method}: ${kind}`);
  }
  const changes = {
    create: raw.create(place),
    mkdir: raw.mkdir(place),
    symlink: raw.symlink('target', place),
    link: raw.link('link', place),
    'link of it': raw.link(place, 'new'),
    unlink: raw.unlink(place),
    rmdir: raw.rmdir(place),
    rename: raw.rename(place, 'new'),
    'rename to it': raw.rename('link', place),
    exchange: raw.rename(place, 'link', 2),
    chmod: raw.chmod(place, 0o777),
    truncate: raw.truncate(place, 0),
    write: raw.write(place, 0, Buffer.from('x')),
  };
  for (const [name, operation] of Object.entries(changes)) {
    const { kind } = await mallory.change(operation);
    if (!kinds.includes(kind)) found.add(`${name}: ${kind}`);
  }
  const fetched = await mallory.call('fetch', [[Buffer.from(place)], 100]);
  if (!kinds.includes(fetched.kind) && String(fetched.result) !== '') found.add(`fetch: ${fetched.kind}`);
  t.strictSame([...found], [], `${JSON.stringify(place.slice(0, 20))} gives ${kinds.join(' or ')}`);
}

await t.test("another user's client id, handles and answers", async (t) => {
  const clientId = randomBytes(16);
  const alice = await target.mallory({ user: 'alice', clientId });
  await alice.change(raw.create('secret', 0o100600));
  await alice.change(raw.write('secret', 0, Buffer.from('of alice')));
  const [handle, attributes] = (await alice.call('download', ['secret'])).result as [number, number[]];
  const id = attributes.slice(0, 2);
  const mallory = await target.mallory({ clientId });
  for (let number = 0; number < 20; number++) {
    const read = await mallory.call('downloadRead', [number, 0, 100]);
    t.equal(read.kind, 'EBADF', `handle ${number} is not hers`);
  }
  t.equal((await mallory.call('read', [id, 0, 100])).kind, 'ESTALE', 'an id means nothing in another home');
  t.equal(
    (await mallory.call('hold', [[...id, Buffer.from('secret')]])).kind,
    'ESTALE',
    'nor does a hint help',
  );
  // The numbers of changes that alice made: they would not be carried out again.
  for (let number = 1; number < 10; number++) {
    const { kind } = await mallory.call('change', [number, raw.unlink('secret'), null]);
    t.equal(kind, 'ENOENT');
  }
  const again = await target.mallory({ user: 'alice' });
  t.equal(
    (await again.call('downloadRead', [handle, 0, 100])).kind,
    'EBADF',
    'nor of another client of the same user',
  );
  const read = await alice.call('downloadRead', [handle, 0, 100]);
  t.equal(String(read.result), 'of alice', 'alice noticed nothing');
  await alice.change(raw.unlink('secret'));
  for (const session of [alice, again, mallory]) await session.close();
  await target.unharmed(t, 'client ids', BOUND);
});

await t.test('uploads that are not what was announced', async (t) => {
  const mallory = await target.mallory();
  const begin = async (name: string, size: unknown, by = mallory): Promise<RawAnswer> =>
    by.call('uploadBegin', [name, size, 0o644, 0, 0, Buffer.alloc(32, 1)]);
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
  t.equal(
    (await mallory.call('uploadWrite', [handle, 0, Buffer.alloc(4)])).kind,
    'ok',
    'as after a lost answer',
  );
  t.equal(
    (await mallory.call('uploadWrite', [handle, 2, Buffer.alloc(4)])).kind,
    'EINVAL',
    'half of it again',
  );
  for (const [method, ...params] of [['downloadRead', 0, 1], ['digest'], ['listNext']] as const)
    t.equal((await mallory.call(method, [handle, ...params])).kind, 'EBADF', `${method} of an upload`);
  t.equal((await mallory.call('uploadFinish', [handle, md5])).kind, 'EBADMSG', 'less than announced');
  t.equal((await mallory.call('uploadFinish', [handle, md5])).kind, 'EBADMSG', 'and told again');
  t.equal((await mallory.call('uploadWrite', [handle, 0, Buffer.alloc(1)])).kind, 'EBADF', 'it is gone');
  const other = await target.mallory();
  const [older] = (await begin('short', 10)).result as [number];
  const [newer] = (await begin('short', 10, other)).result as [number];
  t.equal(
    (await mallory.call('uploadWrite', [older, 0, Buffer.alloc(1)])).kind,
    'EBADF',
    'the newest has it',
  );
  t.equal((await other.call('uploadAbort', [newer])).kind, 'ok');
  const [empty] = (await begin('empty', 0)).result as [number];
  t.equal((await mallory.call('uploadWrite', [empty, 0, Buffer.alloc(1)])).kind, 'EINVAL');
  t.equal((await mallory.call('uploadFinish', [empty, md5])).kind, 'EBADMSG', 'a wrong MD5');
  t.strictSame(
    (await mallory.call('statfs', [])).result?.toString().split(',').at(2),
    '0',
    'nothing is charged',
  );
  for (const session of [mallory, other]) await session.close();
  await target.unharmed(t, 'uploads', BOUND);
});

await t.test('a log of a client that has no lease for it', async (t) => {
  const alice = await target.mallory({ user: 'alice', leaseWanted: LEASE_WRITE });
  await alice.until(() => alice.notifications.some(({ method }) => method === 'lease'));
  const mine = await alice.call('apply', [1, [raw.mkdir('mine'), raw.create('mine/file')], null]);
  t.match(mine.result, [2], 'of her who has it, it is carried out');
  const other = await target.mallory({ user: 'alice' });
  const refused = await other.call('apply', [1, [raw.unlink('mine/file'), raw.rmdir('mine')], null]);
  t.match(refused.result, [0, 0, 0, 0, [[1, ['ESTALE']]]], 'nothing is, from the first on');
  const ahead = await alice.call('apply', [4, [raw.unlink('mine/file')], null]);
  t.match(ahead.result, [2, Number, 0, 0, []], 'nor what leaves a number out');
  const twice = await alice.call('apply', [1, [raw.rmdir('mine'), raw.rmdir('mine')], null]);
  t.match(twice.result, [2], 'nor a number that was');
  t.equal((await alice.call('getattr', ['mine/file'])).kind, 'ok');
  t.strictSame((await other.call('grant', [2 ** 53 - 1, 2 ** 53 - 1, 256, 256])).result, [0, 0, [], []]);
  const granted = await alice.call('grant', [2 ** 53 - 1, 2 ** 53 - 1, 256, 256]);
  t.ok((granted.result as [number])[0] <= 10 * MAX_DATA, 'no more is granted than the quota has');
  const gone = await alice.call('apply', [3, [raw.unlink('mine/file'), raw.rmdir('mine')], null]);
  t.match(gone.result, [4]);
  for (const session of [alice, other]) await session.logOut();
  await target.unharmed(t, 'logs', BOUND);
});
