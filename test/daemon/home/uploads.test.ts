/*
 * Uploads and downloads: resumed where they were, verified, and whole under their name or not at all.
 */
import { createHash, randomBytes } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Failure } from '../../../protocol/failure.js';
import { MAX_DATA } from '../../../protocol/limits.js';
import { CHECKPOINT_BYTES } from '../../../daemon/home/transfers/upload.js';
import { LEASE_NONE, LEASE_WRITE, type Result } from '../../../protocol/methods.js';
import { Call } from '../../../daemon/home/calls/call.js';
import { MAX_PARTIAL_FILES } from '../../../daemon/home/transfers/partial-files.js';
import type { UploadRecord } from '../../../state/uploads.js';
import { temporaryDirectory } from '../../lib/directory.js';
import { homeTest, isPending, kindOf, Place, TestClient } from './fixture.js';

const MiB = 1024 * 1024;
/** Two checkpoints and a bit. */
const CONTENT = randomBytes(2 * CHECKPOINT_BYTES + 3 * MiB + 777);
/** What came of it until the daemon died. */
const ARRIVED = 2 * CHECKPOINT_BYTES + MiB + 5;
const MD5 = md5Of(CONTENT);
const FINGERPRINT = Buffer.alloc(32, 5);
/** A partial file's name: the hash of the path, and the fingerprint. */
const PARTIAL = /^[0-9a-f]{32}-[0-9a-f]{64}$/;

function md5Of(bytes: Buffer): Buffer {
  return createHash('md5').update(bytes).digest();
}

type Begun = Result<'uploadBegin'>;

function begin(client: TestClient, path: string, size: number, fingerprint = FINGERPRINT): Promise<Begun> {
  return client.call('uploadBegin', [path, size, 0o640, 1_000_000, 5, fingerprint]);
}

/** Sends content[from, to) in pieces of a MiB, several in flight. */
async function send(client: TestClient, handle: Begun[0], from: number, to: number): Promise<void> {
  const pieces: unknown[] = [];
  for (let at = from; at < to; at += MAX_DATA) {
    pieces.push(client.call('uploadWrite', [handle, at, CONTENT.subarray(at, Math.min(to, at + MAX_DATA))]));
  }
  await Promise.all(pieces);
}

function partials(place: Place): string[] {
  return readdirSync(join(place.directory, '.ftpmount')).filter((name) => PARTIAL.test(name));
}

homeTest(
  'an upload whose handle is closed while it is finished is not left open when that fails',
  {},
  async (t, home) => {
    const client = new TestClient(home);
    const [handle] = await begin(client, 'f', 3);
    await client.call('uploadWrite', [handle, 0, Buffer.from('abc')]);
    await client.paths.mkdir('f');
    const finished = kindOf(() => client.call('uploadFinish', [handle, md5Of(Buffer.from('abc'))]));
    await client.call('close', [handle]);
    t.equal(await finished, 'EISDIR');
    t.equal(home.uploads.size, 0);
  },
);

void t.test('partial files are limited, and one of many is found without looking through them', async (t) => {
  const place = new Place(t);
  const directory = join(place.directory, '.ftpmount');
  mkdirSync(directory, { mode: 0o700 });
  for (let i = 1; i < MAX_PARTIAL_FILES; i++) writeFileSync(join(directory, `${i}`.padStart(96, '0')), '');
  const home = await place.open();
  const client = new TestClient(home);
  const [handle] = await begin(client, 'f', 3);
  t.equal(await kindOf(() => begin(client, 'g', 3)), 'EDQUOT');
  await client.call('close', [handle]);
  await until(() => home.uploads.size === 0);
  const [again] = await begin(client, 'f', 3, Buffer.alloc(32, 9));
  t.ok(again, 'the one of another source makes room');
  await client.call('uploadAbort', [again]);
  const [other] = await begin(client, 'g', 3);
  t.ok(other);
  await client.call('uploadAbort', [other]);
  const { ledger, tree } = await home.check(false);
  t.strictSame(ledger, tree);
});

homeTest('an upload appears whole, with mode, mtime and MD5, and is logged', {}, async (t, home, place) => {
  const client = new TestClient(home);
  await client.paths.put('f', 'the old file');
  const [handle, offset, restarted] = await begin(client, 'f', CONTENT.length);
  t.strictSame([offset, restarted], [0, false]);
  await send(client, handle, 0, CONTENT.length);
  t.equal(readFileSync(join(place.directory, 'f'), 'utf8'), 'the old file', 'whole until the end');
  t.strictSame(home.quota.used, { bytes: CONTENT.length + 12, files: 2 }, 'the partial file is charged');
  const after = await client.call('uploadFinish', [handle, MD5]);
  t.equal(after.mode, 0o100640);
  t.strictSame(after.mtime, { sec: 1_000_000, nsec: 5 });
  t.ok(readFileSync(join(place.directory, 'f')).equals(CONTENT));
  t.strictSame(home.quota.used, { bytes: CONTENT.length, files: 1 }, 'the replaced file is given back');
  t.equal(await kindOf(() => client.call('uploadWrite', [handle, 0, Buffer.from('x')])), 'EBADF');
  t.strictSame(partials(place), []);
  await until(() => place.state.uploads.list(place.user).length === 0);
  const line = place.lines.find(({ message }) => message === 'upload');
  t.match(line?.fields, { path: 'f', bytes: CONTENT.length, md5: MD5.toString('hex') });
});

homeTest('odd pieces, empty files, and pieces that are not the next', {}, async (t, home, place) => {
  const client = new TestClient(home);
  const [handle] = await begin(client, 'f', 300_000);
  const content = CONTENT.subarray(0, 300_000);
  for (let at = 0, size = 1; at < content.length; at += size, size = Math.min(size * 3, 70_000)) {
    await client.call('uploadWrite', [handle, at, content.subarray(at, at + size)]);
  }
  t.equal(await kindOf(() => client.call('uploadWrite', [handle, 299_999, Buffer.from('xx')])), 'EINVAL');
  t.equal(await kindOf(() => client.call('uploadWrite', [handle, 300_000, Buffer.from('x')])), 'EINVAL');
  await client.call('uploadFinish', [handle, md5Of(content)]);
  t.ok(readFileSync(join(place.directory, 'f')).equals(content));
  const [empty] = await begin(client, 'empty', 0);
  await client.call('uploadFinish', [empty, md5Of(Buffer.alloc(0))]);
  t.equal((await client.paths.stat('empty')).size, 0);
});

homeTest('pieces and the end may be sent again over a new connection', {}, async (t, home) => {
  const first = new TestClient(home);
  const content = CONTENT.subarray(0, 3 * MAX_DATA);
  const [handle] = await begin(first, 'f', content.length);
  await send(first, handle, 0, content.length);
  first.leave();
  const again = new TestClient(home, { id: first.id });
  await again.call('uploadWrite', [handle, MAX_DATA, content.subarray(MAX_DATA, 2 * MAX_DATA)]);
  const finished = again.call('uploadFinish', [handle, md5Of(content)]);
  again.leave();
  const last = new TestClient(home, { id: first.id });
  t.strictSame(await last.call('uploadFinish', [handle, md5Of(content)]), await finished);
  t.equal(
    (await last.call('uploadFinish', [handle, md5Of(content)])).size,
    content.length,
    'also when it is over',
  );
});

homeTest('an upload that is begun again by its own client goes on', {}, async (t, home) => {
  const client = new TestClient(home);
  const [handle] = await begin(client, 'f', CONTENT.length);
  await send(client, handle, 0, CHECKPOINT_BYTES);
  const [again, offset] = await begin(client, 'f', CONTENT.length);
  t.equal(offset, CHECKPOINT_BYTES);
  await send(client, again, offset, CONTENT.length);
  await client.call('uploadFinish', [again, MD5]);
});

homeTest('a finished upload waits for who has its directory', {}, async (t, home) => {
  const mount = new TestClient(home, { wants: LEASE_WRITE, keeps: true });
  await mount.paths.mkdir('d');
  const uploader = new TestClient(home);
  const begun = begin(uploader, 'd/f', 3);
  mount.give(mount.recalls());
  await isPending(begun);
  mount.give(mount.recalls());
  const [handle] = await begun;
  await uploader.call('uploadWrite', [handle, 0, CONTENT.subarray(0, 3)]);
  const finished = uploader.call('uploadFinish', [handle, md5Of(CONTENT.subarray(0, 3))]);
  while (home.waits.size === 0) await new Promise((resolve) => setImmediate(resolve));
  t.equal(home.uploads.size, 1);
  const { ino } = await mount.paths.stat('d');
  t.strictSame(mount.recalls(), [[ino, LEASE_NONE]]);
  mount.give([[ino, LEASE_NONE]]);
  t.equal((await finished).size, 3);
});

homeTest('an upload is answered with what it was when it got its name', {}, async (t, home, place) => {
  const client = new TestClient(home);
  const [handle] = await begin(client, 'f', 3);
  await client.call('uploadWrite', [handle, 0, Buffer.from('abc')]);
  const moved = { info: () => renameSync(join(place.directory, 'f'), join(place.directory, 'g')) };
  Object.assign(home.transferLog, moved); // as somebody may while the name is synced
  const { size } = await client.call('uploadFinish', [handle, md5Of(Buffer.from('abc'))]);
  t.equal(size, 3);
  t.strictSame(await client.paths.list(''), ['g']);
});

homeTest('where the name could not be synced it is not made, and can be later', {}, async (t, home) => {
  const client = new TestClient(home);
  const [handle] = await begin(client, 'f', 3);
  await client.call('uploadWrite', [handle, 0, Buffer.from('abc')]);
  const finish = () => client.call('uploadFinish', [handle, md5Of(Buffer.from('abc'))]);
  const open = home.identities.openDirectory.bind(home.identities);
  home.identities.openDirectory = () => {
    throw new Failure('EMFILE', 'too many open files');
  };
  t.equal(await kindOf(finish), 'EMFILE');
  t.strictSame(await client.paths.exists('f'), false);
  home.identities.openDirectory = open;
  t.equal((await finish()).size, 3);
  t.equal(String(await client.paths.read('f')), 'abc');
});

homeTest('a wrong MD5 or size throws all away, and the old file stays', {}, async (t, home, place) => {
  const client = new TestClient(home);
  await client.paths.put('f', 'old');
  for (const [sent, md5] of [
    [1000, Buffer.alloc(16)],
    [999, md5Of(CONTENT.subarray(0, 1000))],
  ] as const) {
    const [handle] = await begin(client, 'f', 1000);
    await client.call('uploadWrite', [handle, 0, CONTENT.subarray(0, sent)]);
    t.equal(await kindOf(() => client.call('uploadFinish', [handle, md5])), 'EBADMSG');
    t.equal(await kindOf(() => client.call('uploadFinish', [handle, md5])), 'EBADMSG', 'told again');
    t.equal(await kindOf(() => client.call('uploadAbort', [handle])), 'EBADF');
    t.strictSame(partials(place), []);
    t.strictSame(home.quota.used, { bytes: 3, files: 1 });
  }
  t.equal(readFileSync(join(place.directory, 'f'), 'utf8'), 'old');
});

/** Records are written behind the answers: waits for what they will say. */
async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('the records never said so');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Waits for the checkpoint at `offset`. */
function recorded(place: Place, offset: number): Promise<void> {
  return until(() => place.state.uploads.list(place.user)[0]?.record.offset === offset);
}

/** Uploads cut off by the death of the daemon; where the next one goes on; what becomes of the record meanwhile. */
const INTERRUPTIONS: [string, number, (record: UploadRecord) => UploadRecord | undefined][] = [
  ['after kill -9 an upload goes on with all that arrived', ARRIVED, (record) => record],
  ['without a record the partial file is hashed again', ARRIVED, () => undefined],
  ['after a reboot it goes on from disk', 2 * CHECKPOINT_BYTES, (r) => ({ ...r, boot: Buffer.alloc(16) })],
];
for (const [what, offset, meanwhile] of INTERRUPTIONS)
  void t.test(what, async (t) => {
    const place = new Place(t);
    const first = await place.open();
    const client = new TestClient(first);
    const [handle] = await begin(client, 'f', CONTENT.length);
    await send(client, handle, 0, ARRIVED);
    await recorded(place, 2 * CHECKPOINT_BYTES);
    const { uploads } = place.state;
    for (const { key, record } of uploads.list(place.user)) {
      const amended = meanwhile(record);
      await (amended === undefined ? uploads.remove(place.user, key) : uploads.put(place.user, key, amended));
    }
    // The daemon dies here.
    const next = await place.open();
    t.strictSame(next.quota.used, { bytes: ARRIVED, files: 1 });
    const again = new TestClient(next);
    const [resumed, resumedAt, restarted] = await begin(again, 'f', CONTENT.length);
    t.strictSame([resumedAt, restarted], [offset, false]);
    t.strictSame(next.quota.used, { bytes: offset, files: 1 }, 'the rest is given back');
    await send(again, resumed, offset, CONTENT.length);
    await again.call('uploadFinish', [resumed, MD5]);
    t.ok(readFileSync(join(place.directory, 'f')).equals(CONTENT));
    const { ledger, tree } = await next.check(false);
    t.strictSame(ledger, tree);
  });

homeTest('hashing again can be cancelled', {}, async (t, home, place) => {
  const client = new TestClient(home);
  const [handle] = await begin(client, 'f', CONTENT.length);
  await send(client, handle, 0, CHECKPOINT_BYTES);
  await recorded(place, CHECKPOINT_BYTES);
  await client.call('close', [handle]);
  await home.uploads.allClosed();
  await place.state.uploads.remove(place.user, place.state.uploads.list(place.user)[0]?.key ?? '');
  const call = new Call();
  const begun = client.call('uploadBegin', ['f', CONTENT.length, 0o640, 1, 5, FINGERPRINT], call);
  call.cancel();
  t.equal(await kindOf(() => begun), 'ECANCELED');
  const [, offset] = await begin(client, 'f', CONTENT.length);
  t.equal(offset, CHECKPOINT_BYTES, 'and nothing is lost');
});

homeTest(
  'another source starts anew and says so; abort throws away, close keeps',
  {},
  async (t, home, place) => {
    const client = new TestClient(home);
    const [handle] = await begin(client, 'f', CONTENT.length);
    await send(client, handle, 0, CHECKPOINT_BYTES + 10);
    await client.call('close', [handle]);
    await home.uploads.allClosed();
    t.equal(home.quota.used.bytes, CHECKPOINT_BYTES + 10);
    const [other, offset, restarted] = await begin(client, 'f', 5, Buffer.alloc(32, 6));
    t.strictSame([offset, restarted], [0, true]);
    t.strictSame(home.quota.used, { bytes: 0, files: 1 });
    await client.call('uploadWrite', [other, 0, Buffer.from('12345')]);
    await client.call('uploadAbort', [other]);
    t.strictSame(home.quota.used, { bytes: 0, files: 0 });
    t.strictSame(partials(place), []);
    t.equal(await kindOf(() => client.call('uploadAbort', [other])), 'EBADF');
  },
);

homeTest('an upload of a client that is away is taken over', {}, async (t, home) => {
  const killed = new TestClient(home);
  const [handle] = await begin(killed, 'f', CONTENT.length);
  await send(killed, handle, 0, CHECKPOINT_BYTES);
  killed.leave();
  const next = new TestClient(home);
  const [resumed, offset] = await begin(next, 'f', CONTENT.length);
  t.equal(offset, CHECKPOINT_BYTES);
  const back = new TestClient(home, { id: killed.id });
  t.equal(await kindOf(() => back.call('uploadWrite', [handle, offset, Buffer.from('x')])), 'EBADF');
  await send(next, resumed, offset, CONTENT.length);
  await next.call('uploadFinish', [resumed, MD5]);
  t.equal((await next.paths.stat('f')).size, CONTENT.length);
});

homeTest(
  'the newest request has an upload, whoever else has it open or is beginning it',
  {},
  async (t, home) => {
    const clients = Array.from({ length: 4 }, () => new TestClient(home));
    const [first] = clients;
    const newest = clients.at(-1);
    if (first === undefined || newest === undefined) throw new Error('no clients');
    const [handle] = await begin(first, 'f', CONTENT.length);
    await send(first, handle, 0, CHECKPOINT_BYTES);
    const begun = await Promise.all(clients.map((client) => begin(client, 'f', CONTENT.length)));
    t.same(
      begun.map(([, offset]) => offset),
      clients.map(() => CHECKPOINT_BYTES),
      'each went on where the one before it was',
    );
    const outcomes = await Promise.all(
      clients.map((client, n) =>
        kindOf(() => client.call('uploadWrite', [begun[n]?.[0], CHECKPOINT_BYTES, Buffer.from('x')])),
      ),
    );
    t.same(outcomes, ['EBADF', 'EBADF', 'EBADF', 'no failure']);
    t.equal(
      await kindOf(() => first.call('uploadWrite', [handle, CHECKPOINT_BYTES, Buffer.from('x')])),
      'EBADF',
    );
    await newest.call('uploadAbort', [begun.at(-1)?.[0]]);
    t.equal(home.uploads.size, 0);
  },
);

homeTest('who begins while it is being finished begins when that has ended', {}, async (t, home) => {
  const [one, other] = [new TestClient(home), new TestClient(home)];
  const [handle] = await begin(one, 'f', 5);
  await one.call('uploadWrite', [handle, 0, Buffer.from('whole')]);
  const finished = one.call('uploadFinish', [handle, md5Of(Buffer.from('whole'))]);
  const [again, offset] = await begin(other, 'f', 5);
  t.equal((await other.paths.read('f')).toString(), 'whole', 'the first is there');
  await finished;
  t.equal(offset, 0);
  await other.call('uploadAbort', [again]);
});

homeTest('what cannot end well is refused at once', { bytes: 1000, files: 3 }, async (t, home) => {
  const client = new TestClient(home);
  await client.paths.mkdir('d');
  t.equal(await kindOf(() => begin(client, 'd', 10)), 'EISDIR');
  t.equal(await kindOf(() => begin(client, 'missing/f', 10)), 'ENOENT');
  t.equal(await kindOf(() => begin(client, '', 10)), 'EBUSY');
  t.equal(await kindOf(() => begin(client, 'f', 1001)), 'EDQUOT');
  t.strictSame(home.quota.used, { bytes: 0, files: 1 }, 'and nothing is left of it');
  await client.paths.put('x', Buffer.alloc(600));
  const [handle] = await begin(client, 'f', 400);
  t.equal(await kindOf(() => begin(client, 'g', 1)), 'EDQUOT', 'no inode is left');
  home.setLimits({ bytes: 800, files: 3 });
  t.equal(await kindOf(() => client.call('uploadWrite', [handle, 0, CONTENT.subarray(0, 300)])), 'EDQUOT');
  await client.call('uploadWrite', [handle, 0, CONTENT.subarray(0, 200)]);
  t.equal(home.quota.used.bytes, 800);
  home.setLimits({ bytes: 0, files: 0 });
  await client.call('uploadWrite', [handle, 200, CONTENT.subarray(200, 400)]);
  await client.paths.rename('d', 'f');
  t.equal(
    await kindOf(() => client.call('uploadFinish', [handle, md5Of(CONTENT.subarray(0, 400))])),
    'EISDIR',
  );
  await client.paths.rmdir('f');
  await client.call('uploadFinish', [handle, md5Of(CONTENT.subarray(0, 400))]);
  t.equal((await client.paths.stat('f')).size, 400, 'the upload was kept for another try');
});

void t.test('a full disk: the piece is refused, the rest can go on', async (t) => {
  const directory = temporaryDirectory(t);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m,mode=0700', 'tmpfs', directory]);
  t.teardown(() => execFileSync('umount', ['-l', directory]));
  const home = await new Place(t, {}, { directory }).open();
  const client = new TestClient(home);
  await client.paths.put('ballast', Buffer.alloc(1536 * 1024));
  const [handle] = await begin(client, 'f', MiB);
  await client.call('uploadWrite', [handle, 0, CONTENT.subarray(0, 100_000)]);
  const rest = CONTENT.subarray(100_000, MiB);
  t.equal(await kindOf(() => client.call('uploadWrite', [handle, 100_000, rest])), 'ENOSPC');
  t.equal(home.quota.used.bytes, 1536 * 1024 + 100_000);
  await client.paths.unlink('ballast');
  await client.call('uploadWrite', [handle, 100_000, rest]);
  await client.call('uploadFinish', [handle, md5Of(CONTENT.subarray(0, MiB))]);
  t.strictSame(home.quota.used, { bytes: MiB, files: 1 });
  await home.close();
});

homeTest('a download is hashed as it is read, in any order', {}, async (t, home, place) => {
  const client = new TestClient(home);
  await client.paths.put('f', CONTENT.subarray(0, 5 * MiB + 3));
  const md5 = md5Of(CONTENT.subarray(0, 5 * MiB + 3));
  for (const order of [[0, 1, 2, 3, 4, 5], [0, 1, 4, 5], [5, 3, 1, 0], []]) {
    const [handle, { size }] = await client.call('download', ['f']);
    t.equal(size, 5 * MiB + 3);
    const pieces = await Promise.all(order.map((i) => client.call('downloadRead', [handle, i * MiB, MiB])));
    for (const [index, i] of order.entries()) {
      if (!pieces[index]?.equals(CONTENT.subarray(i * MiB, Math.min(5 * MiB + 3, (i + 1) * MiB))))
        t.fail('data');
    }
    t.ok((await client.call('digest', [handle])).equals(md5), `read in order ${order.join()}`);
    await client.call('close', [handle]);
  }
  t.match(place.lines.findLast(({ message }) => message === 'download')?.fields, {
    path: 'f',
    bytes: 5 * MiB + 3,
    md5: md5.toString('hex'),
  });
});

homeTest('a download of a file that changes is ESTALE', {}, async (t, home, place) => {
  const client = new TestClient(home);
  await client.paths.put('f', 'content');
  const path = join(place.directory, 'f');
  const [handle] = await client.call('download', ['f']);
  await client.paths.write('f', 7, 'more');
  t.equal(await kindOf(() => client.call('digest', [handle])), 'ESTALE');
  const [second] = await client.call('download', ['f']);
  const { atime, mtime } = statSync(path);
  appendFileSync(path, '');
  utimesSync(path, atime, new Date(mtime.getTime() + 1));
  t.equal(await kindOf(() => client.call('digest', [second])), 'ESTALE');
  const call = new Call();
  const [third] = await client.call('download', ['f']);
  call.cancel();
  t.equal(await kindOf(() => client.call('digest', [third], call)), 'ECANCELED');
  t.equal(await kindOf(() => client.call('download', [''])), 'EISDIR');
});

homeTest(
  'a hole is neither sent nor read, and charged as what it is of the size',
  {},
  async (t, home, place) => {
    const client = new TestClient(home);
    const [hole, size] = [CHECKPOINT_BYTES + 10, CHECKPOINT_BYTES + 2 * MAX_DATA];
    const content = Buffer.concat([Buffer.from('first'), Buffer.alloc(size - 5)]);
    content.write('later', hole);
    const md5 = createHash('md5').update(content).digest();
    const skip = async (handle: Begun[0], from: number, to: number): Promise<void> => {
      for (let at = from; at < to; at += MAX_DATA)
        await client.call('uploadHole', [handle, at, Math.min(MAX_DATA, to - at)]);
    };
    const [handle] = await begin(client, 'f', size);
    await client.call('uploadWrite', [handle, 0, Buffer.from('first')]);
    await skip(handle, 5, hole);
    t.equal(await kindOf(() => client.call('uploadHole', [handle, hole + 1, 1])), 'EINVAL');
    t.equal(await kindOf(() => client.call('uploadHole', [handle, hole, size])), 'EINVAL');
    await client.call('close', [handle]);
    const [again, offset] = await begin(client, 'f', size);
    t.equal(offset, hole);
    await client.call('uploadWrite', [again, hole, Buffer.from('later')]);
    await skip(again, hole + 5, size);
    await client.call('uploadFinish', [again, md5]);
    t.ok(readFileSync(join(place.directory, 'f')).equals(content));
    t.ok(statSync(join(place.directory, 'f')).blocks * 512 < MAX_DATA);

    const [download] = await client.call('download', [Buffer.from('f')]);
    const digest = client.call('digest', [download]);
    const [until, ends] = await client.call('downloadRuns', [download, 0]);
    t.equal(until, size);
    const data = ends.flatMap((end, i) => (i % 2 === 1 ? [[ends[i - 1] ?? 0, end]] : []));
    t.equal(data.length, 2);
    for (const [start = 0, end = 0] of data) {
      const read = await client.call('downloadRead', [download, start, end - start]);
      t.ok(read.equals(content.subarray(start, end)), 'also while the whole is hashed');
    }
    t.same(await digest, md5);
    const [behind] = await client.call('downloadRuns', [download, size - 1]);
    t.equal(behind, size);
    await client.call('close', [download]);
  },
);
