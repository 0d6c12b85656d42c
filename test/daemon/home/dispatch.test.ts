/*
 * The methods of a home, each as a client meets it, one client at a time; several clients are in clients.test.ts.
 */
import { createHash, randomBytes } from 'node:crypto';
import t from 'tap';
import { MAX_DATA, MAX_OPERATIONS, MAX_OUTCOMES } from '../../../protocol/limits.js';
import { LEASE_READ, LEASE_WRITE } from '../../../protocol/methods.js';
import {
  CREATE,
  MKDIR,
  packOperation,
  SETATTR,
  SYMLINK,
  UNLINK,
  WRITE,
  type Create,
  type Operation,
} from '../../../protocol/operations.js';
import { packId } from '../../../protocol/references.js';
import { place, ref } from '../../lib/path-client.js';
import { homeTest, kindOf, Place, TestClient } from './fixture.js';

const S_IFREG = 0o100000;

/** Names of what a listing tells, with the targets of links. */
function named(entries: readonly [Buffer, unknown, Buffer | null][]): string[] {
  return entries
    .map(([name, , target]) =>
      target === null ? name.toString() : `${name.toString()}->${target.toString()}`,
    )
    .toSorted();
}

function create(path: string, mode = 0o644): Operation {
  return { kind: CREATE, ...place(path), time: null, mode: S_IFREG | mode, id: null };
}

homeTest('changes one by one, and what is read of them', {}, async (t, home) => {
  const { paths, call } = bound(new TestClient(home));
  await paths.mkdir('d');
  await paths.put('d/f', 'hello');
  await paths.symlink('d/f', 's');
  await paths.link('d/f', 'g');
  t.equal((await paths.stat('g')).nlink, 2);
  t.equal(String(await paths.read('g')), 'hello');
  t.equal(String(await paths.readlink('s')), 'd/f');
  t.strictSame(await paths.list(''), ['d', 'g', 's']);
  const [attributes, target] = await call('lookup', ['', 's']);
  t.equal(String(target), 'd/f');
  t.equal(attributes.ino, (await paths.stat('s')).ino);
  await paths.rename('g', 'd/h');
  await paths.unlink('d/f');
  await paths.setattr('d/h', { mode: 0o600, size: 2 });
  t.equal(String(await paths.read('d/h')), 'he');
  await paths.unlink('d/h');
  await paths.rmdir('d');
  t.equal(await kindOf(() => paths.stat('d')), 'ENOENT');
  t.equal(await kindOf(() => call('lookup', ['', 'd'])), 'ENOENT');
  t.equal(await kindOf(() => call('lookup', ['s', 'x'])), 'ELOOP');
});

homeTest('a file is named by its id wherever it is moved', {}, async (t, home) => {
  const { paths, call } = bound(new TestClient(home));
  await paths.put('f', 'x');
  const id = await paths.stat('f');
  await paths.mkdir('d');
  await paths.rename('f', 'd/g');
  t.equal(String(await call('read', [packId(id), 0, 10])), 'x');
  t.equal(await kindOf(() => call('getattr', [[Number(id.ino), 1]])), 'ESTALE');
  await paths.unlink('d/g');
  t.equal(await kindOf(() => call('getattr', [packId(id)])), 'ESTALE');
});

homeTest('a listing brings those below it while they fit, breadth first', {}, async (t, home) => {
  const { paths, call } = bound(new TestClient(home));
  for (const path of ['a', 'b', 'a/deep']) await paths.mkdir(path);
  for (const path of ['a/1', 'b/2', 'a/deep/3']) await paths.create(path);
  await paths.symlink('target', 'b/s');
  const all = await call('list', ['', 1024]);
  const inode = async (path: string): Promise<bigint> => (await paths.stat(path)).ino;
  const [own, , , last] = all.map(([{ ino }]) => ino);
  t.strictSame([own, last], [await inode(''), await inode('a/deep')]);
  const namesOf = (ino: bigint): string[] =>
    named(all.find(([directory]) => directory.ino === ino)?.[1] ?? []);
  t.strictSame(namesOf(await inode('')), ['a', 'b']);
  t.strictSame(namesOf(await inode('a')), ['1', 'deep']);
  t.strictSame(namesOf(await inode('b')), ['2', 's->target']);
  t.strictSame(namesOf(await inode('a/deep')), ['3']);
  t.equal((await call('list', ['', 1])).length, 1);
  t.equal(await kindOf(() => call('list', ['a/1', 1])), 'ENOTDIR');
});

homeTest('a long listing comes in pages', {}, async (t, home) => {
  const client = new TestClient(home);
  const { paths, call } = bound(client);
  await paths.mkdir('d');
  for (let i = 0; i < 2500; i++) await paths.create(`d/${i}`);
  const [first] = await call('list', ['d', 1024]);
  t.equal((await call('list', ['', 1024])).length, 1, 'it is not brought along');
  const names = named(first?.[1] ?? []);
  let cursor = first?.[2] ?? null;
  while (cursor !== null) {
    const [entries, next] = await call('listNext', [cursor]);
    names.push(...named(entries));
    cursor = next;
  }
  t.strictSame(names.toSorted(), Array.from({ length: 2500 }, (_, i) => String(i)).toSorted());
  t.equal(client.client.handles.size, 0);
});

void t.test('targets of links beyond what fits an answer are left out', async (t) => {
  // However busy the machine is, they are in one page.
  const home = await new Place(t).open({ sliceMs: 60_000 });
  const { paths, call } = bound(new TestClient(home));
  await paths.mkdir('d');
  for (let i = 0; i < 200; i++) await paths.symlink('x'.repeat(4000), `d/${i}`);
  const [first] = await call('list', ['d', 1024]);
  const targets = (first?.[1] ?? []).flatMap(([, , target]) => target ?? []);
  t.ok(targets.length > 100 && targets.length < 200, `${targets.length} came along`);
  const page = (first?.[1] ?? []).find(([, , target]) => target === null);
  t.equal(
    (await call('readlink', [Buffer.concat([Buffer.from('d/'), page?.[0] ?? Buffer.alloc(1)])])).length,
    4000,
  );
});

homeTest('small files are fetched whole', {}, async (t, home) => {
  const { paths, call } = bound(new TestClient(home));
  await paths.put('a', 'aaa');
  await paths.put('large', 'x'.repeat(1000));
  await paths.put('b', 'b');
  await paths.mkdir('d');
  const fetched = await call('fetch', [
    [...['a', 'large', 'd', 'gone', 'b'].map((path) => Buffer.from(path))],
    10,
  ]);
  t.strictSame(
    fetched.map((file) => (file === null ? null : file[1].toString())),
    ['aaa', null, null, null, 'b'],
  );
});

homeTest('where the data and the holes of a file are', {}, async (t, home) => {
  const { paths, call } = bound(new TestClient(home));
  const [gap, size] = [1024 * 1024, 2 * 1024 * 1024];
  await paths.put('f', 'data');
  await paths.setattr('f', { size });
  await paths.write('f', gap, 'more');
  t.equal(await call('seek', ['f', 1, false]), 1);
  t.equal(await call('seek', ['f', gap / 2, false]), gap);
  const hole = await call('seek', ['f', 0, true]);
  t.ok(hole > 0 && hole < gap, String(hole));
  t.equal(await kindOf(() => call('seek', ['f', size, true])), 'ENXIO');
  t.equal(await kindOf(() => call('seek', ['f', gap + gap / 2, false])), 'ENXIO');
  await paths.mkdir('d');
  t.equal(await kindOf(() => call('seek', ['d', 0, true])), 'EISDIR');
});

homeTest('only regular files are read', {}, async (t, home) => {
  const { paths } = bound(new TestClient(home));
  await paths.mkdir('d');
  await paths.symlink('d', 's');
  await paths.create('p', 0o010644);
  t.equal(await kindOf(() => paths.read('d')), 'EISDIR');
  t.equal(await kindOf(() => paths.read('s')), 'ELOOP');
  t.equal(await kindOf(() => paths.read('p')), 'ENXIO');
  t.equal(await kindOf(() => paths.readlink('d')), 'EINVAL');
});

homeTest('a change is made once, however often it is asked for', {}, async (t, home) => {
  const { paths } = bound(new TestClient(home, { lastChange: 10 }));
  const made = await paths.change(create('f'), 1);
  t.equal(made.length, 2, 'the file and its directory');
  const again = await paths.change(create('f'), 1);
  t.equal(again[0]?.ino, made[0]?.ino);
  t.equal(await kindOf(() => paths.change(create('f'), 2)), 'EEXIST');
  await paths.unlink('f');
  t.strictSame(
    (await paths.change(create('f'), 1)).map(({ ino }) => ino),
    [made[1]?.ino],
    'not made anew',
  );
  t.equal(await paths.exists('f'), false);
});

homeTest('a log is carried out in order, once, and tells what it came to', {}, async (t, home) => {
  const { paths, apply } = bound(new TestClient(home, { wants: LEASE_WRITE }));
  const write = (path: string, data: string | null): Operation => ({
    kind: WRITE,
    file: ref(path),
    offset: 0,
    data: data === null ? null : Buffer.from(data),
    time: null,
  });
  const mkdir: Operation = { kind: MKDIR, ...place('d'), time: null, mode: 0o755, id: null };
  const first = await apply(1, [mkdir, create('d/f'), write('d/f', 'x')]);
  t.equal(first.applied, 3);
  const d = await paths.stat('d');
  const f = await paths.stat('d/f');
  t.strictSame(
    first.told,
    [
      [1, d.ino],
      [2, f.ino],
    ],
    'the ids that the client could not know',
  );
  t.strictSame(await apply(5, [create('g')]), { applied: 3, failed: [], told: [] }, 'a gap: nothing is done');
  const second = await apply(
    2,
    [create('d/f'), write('d/f', 'x'), create('d/f'), write('d/f', null)],
    'data',
  );
  t.strictSame(second.failed, [[4, 'EEXIST']], 'a failure, and what comes after it goes on');
  t.equal(second.applied, 5);
  t.equal(String(await paths.read('d/f')), 'data');
  t.strictSame((await apply(4, [])).failed, [[4, 'EEXIST']], 'told again to who may not have been told');
  t.strictSame((await apply(6, [])).failed, [], 'and then not any more');
});

homeTest('all of a batch is told of, also where it stopped at the end', {}, async (t, home) => {
  const { paths, apply } = bound(new TestClient(home, { wants: LEASE_WRITE }));
  await paths.create('f');
  const failing = Array.from({ length: MAX_OPERATIONS }, () => create('f'));
  const numbers = Array.from({ length: MAX_OPERATIONS }, (_, index) => index + 1);
  const all = await apply(1, failing);
  t.strictSame(
    all.failed,
    numbers.map((number) => [number, 'EEXIST']),
  );
  t.strictSame(await apply(1, []), all, 'and again, to who may not have been told');
  const unknown: Operation = {
    kind: UNLINK,
    ...place('f'),
    time: null,
    id: { ino: 1n, birth: 1n },
    hold: false,
  };
  const stopped = await apply(2, [...failing.slice(1), unknown]);
  t.strictSame([stopped.applied, stopped.failed.length], [MAX_OPERATIONS, MAX_OPERATIONS]);
  t.strictSame(stopped.failed.at(-1), [MAX_OPERATIONS + 1, 'ESTALE']);
});

homeTest('failures are told again until all are told, also of many batches', {}, async (t, home) => {
  const { paths, apply } = bound(new TestClient(home, { wants: LEASE_WRITE }));
  await paths.create('f');
  const batch = Array.from({ length: MAX_OPERATIONS }, () => create('f'));
  const batches = MAX_OUTCOMES / MAX_OPERATIONS;
  // More than are remembered, and files made in between, of whose ids some are forgotten first.
  await apply(1, [create('g')]);
  for (let i = 0; i < batches; i++) await apply(2 + i * MAX_OPERATIONS, batch);
  const told: number[] = [];
  for (;;) {
    const { failed } = await apply((told.at(-1) ?? 1) + 1, []);
    if (failed.length === 0) break;
    t.ok(failed.length <= MAX_OPERATIONS);
    told.push(...failed.map(([number]) => Number(number)));
  }
  t.strictSame(
    told,
    Array.from({ length: MAX_OUTCOMES }, (_, i) => i + 2),
  );
});

homeTest('a log that meets an id that is not known stops there', {}, async (t, home) => {
  const { paths, apply } = bound(new TestClient(home, { wants: LEASE_WRITE }));
  const unknown = { ino: 999_999n, birth: 1n, path: null };
  const chmod: Operation = {
    ...{ kind: SETATTR, file: unknown, time: null, mode: 0o600, size: null, atime: null, mtime: null },
  };
  const stopped = await apply(1, [create('a'), chmod, create('b')]);
  t.equal(stopped.applied, 1);
  t.strictSame(stopped.failed, [[2, 'ESTALE']]);
  t.strictSame(await paths.list(''), ['a']);
  t.equal((await apply(2, [create('b')])).applied, 2);
});

homeTest('links are named by provisional ids until their own are known', {}, async (t, home) => {
  const client = new TestClient(home, { wants: LEASE_WRITE });
  const { paths, apply, call } = bound(client);
  const id = { ino: 0n, birth: 7n };
  const link: Operation = { kind: SYMLINK, ...place('s'), time: null, target: Buffer.from('x'), id };
  const made = await apply(1, [link]);
  t.equal(made.told[0]?.[1], (await paths.stat('s')).ino);
  t.equal(String(await call('readlink', [packId(id)])), 'x');
  const unlink: Operation = { kind: UNLINK, ...place('s'), time: null, id, hold: false };
  t.strictSame((await apply(2, [unlink])).failed, []);
  t.equal(await paths.exists('s'), false);
});

homeTest('who has no lease applies nothing', {}, async (t, home) => {
  const { paths, apply } = bound(new TestClient(home));
  const refused = await apply(1, [create('f')]);
  t.strictSame(refused, { applied: 0, failed: [[1, 'ESTALE']], told: [] });
  t.strictSame(await paths.list(''), []);
});

homeTest('sync answers when what came before is on the disk, and says so', {}, async (t, home) => {
  const client = new TestClient(home, { wants: LEASE_WRITE });
  const { apply, call } = bound(client);
  await apply(1, [create('f'), create('g')]);
  t.equal(await call('sync', [2]), 2);
  t.strictSame(
    client.told.filter(([name]) => name === 'durable'),
    [['durable', [2]]],
  );
});

homeTest('what is granted to one client is used by its log', { bytes: 1000, files: 10 }, async (t, home) => {
  const client = bound(new TestClient(home, { wants: LEASE_WRITE }));
  const other = bound(new TestClient(home));
  await client.paths.mkdir('mine');
  const [bytes, files, regular, directories] = await client.call('grant', [600, 4, 2, 1]);
  t.strictSame([bytes, files, regular.length, directories.length], [600, 4, 2, 1]);
  await other.paths.create('o');
  await other.paths.write('o', 0, 'x'.repeat(400));
  const [id] = regular;
  const own: Operation = { ...(create('mine/f') as Create), id: id ?? null };
  const applied = await client.call('apply', [
    1,
    [
      own,
      {
        kind: WRITE,
        file: ref('mine/f'),
        offset: 0,
        data: Buffer.alloc(600),
        time: null,
      } satisfies Operation,
    ].map(packOperation),
    null,
  ]);
  t.strictSame(applied.slice(2), [0, 3, []], 'nothing is left of the bytes');
  t.equal((await client.paths.stat('mine/f')).ino, id?.ino);
  t.strictSame(await client.call('grant', [0, -3, 0, 0]), [0, 0, [], []]);
  t.strictSame([home.quota.used.files, home.quota.granted], [3, { bytes: 0, files: 0 }]);
});

homeTest('a client that wants no leases is granted nothing', {}, async (t, home) => {
  t.strictSame(await bound(new TestClient(home)).call('grant', [100, 1, 1, 1]), [0, 0, [], []]);
});

homeTest('a file that is held is used without a name', {}, async (t, home) => {
  const client = new TestClient(home);
  const { paths, call } = bound(client);
  await paths.put('f', 'x');
  const held = await call('hold', ['f']);
  await paths.unlink('f');
  t.equal(String(await call('read', [packId(held), 0, 9])), 'x');
  t.equal((await call('getattr', [packId(held)])).nlink, 0);
  t.equal(home.quota.used.bytes, 1, 'and charged');
  t.strictSame(await paths.change({ kind: 9, id: held }), []);
  t.equal(home.quota.used.bytes, 0);
});

homeTest('a file that is held belongs to the directory where it has its name', {}, async (t, home) => {
  const holder = new TestClient(home, { wants: LEASE_WRITE, keeps: true });
  await holder.paths.mkdir('d');
  await holder.paths.put('d/f', 'x');
  const held = await holder.call('hold', ['d/f']);
  const { ino } = await holder.paths.stat('d');
  const other = new TestClient(home);
  const writing = other.call('read', [packId(held), 0, 1]);
  t.strictSame(holder.recalls(), [[ino, LEASE_READ]]);
  holder.give([[ino, LEASE_READ]]);
  t.equal(String(await writing), 'x');
});

homeTest('a download is read in order and tells its MD5', {}, async (t, home) => {
  const client = new TestClient(home);
  const { paths, call } = bound(client);
  const content = randomBytes(3 * MAX_DATA + 5);
  await paths.put('f', content);
  const [handle, { size }] = await call('download', ['f']);
  t.equal(size, content.length);
  for (let at = 0; at < size; at += MAX_DATA) {
    const piece = await call('downloadRead', [handle, at, MAX_DATA]);
    t.ok(piece.equals(content.subarray(at, at + MAX_DATA)));
  }
  const md5 = createHash('md5').update(content).digest();
  t.strictSame(await call('digest', [handle]), md5);
  await call('close', [handle]);
  t.equal(await kindOf(() => call('digest', [handle])), 'EBADF');
});

/** A client with its `apply` in few words. */
function bound(client: TestClient) {
  const call: TestClient['call'] = client.call.bind(client);
  const apply = async (first: number, operations: Operation[], data?: string) => {
    const wire = [first, operations.map(packOperation), data === undefined ? null : Buffer.from(data)];
    const [applied, , , , outcomes] = await call('apply', wire);
    return {
      applied,
      failed: outcomes.flatMap(([number, error]) => (error === null ? [] : [[number, error[0]]])),
      told: outcomes.flatMap(([number, , [file]]) => (file === undefined ? [] : [[number, file.ino]])),
    };
  };
  return { paths: client.paths, call, apply };
}
