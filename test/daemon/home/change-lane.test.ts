/*
 * Awaited changes that were under way when the daemon was killed: sent again, each is made once.
 */
import t, { type Test } from 'tap';
import {
  LINK,
  MKDIR,
  packOperation,
  RENAME,
  RENAME_WHITEOUT,
  SETATTR,
  SYMLINK,
  TMPFILE,
  UNLINK,
  WRITE,
  type Operation,
} from '../../../protocol/operations.js';
import { place, ref } from '../../lib/path-client.js';
import { kindOf, Place, TestClient } from './fixture.js';

/** Numbers of changes that tests make beside those that are about numbers. */
const OTHERS = 1000;

const mkdir: Operation = { kind: MKDIR, ...place('d'), time: null, mode: 0o755, id: null };

function append(data: string): Operation {
  return { kind: WRITE, file: ref('f'), offset: null, data: Buffer.from(data), time: null };
}

function unlink(path: string): Operation {
  return { kind: UNLINK, ...place(path), time: null, id: null, hold: false };
}

function link(from: string, to: string): Operation {
  return { kind: LINK, ...place(to), time: null, file: ref(from) };
}

function rename(from: string, to: string): Operation {
  const { directory: newDirectory, name: newName } = place(to);
  return {
    ...{ kind: RENAME, ...place(from), time: null, id: null, newDirectory, newName },
    ...{ replaced: null, flags: 0, hold: false },
  };
}

/** A home whose daemon is killed and started again at will. */
class Killed {
  readonly #disk: Place;
  readonly #id: Buffer;
  client: TestClient;

  private constructor(disk: Place, client: TestClient) {
    this.#disk = disk;
    this.#id = client.id;
    this.client = client;
  }

  static async open(t: Test): Promise<Killed> {
    const disk = new Place(t);
    return new Killed(disk, new TestClient(await disk.open(), { lastChange: OTHERS }));
  }

  /** Makes a change; the daemon is killed before it has marked it as done. */
  async killIn(operation: Operation, number = 1): Promise<void> {
    const marks = this.client.client.mark();
    marks.setDone = () => undefined;
    await this.client.paths.change(operation, number).catch(() => undefined);
    await this.restart();
  }

  /** The daemon is killed when it has noted that it begins a change, and has done nothing of it. */
  async killBefore(number: number, end: number | null = null): Promise<void> {
    this.client.client.mark().setBegun(number, end);
    await this.restart();
  }

  async restart(): Promise<void> {
    const { lastChange } = this.client.paths;
    await this.client.home.close();
    this.client = new TestClient(await this.#disk.open(), { id: this.#id, lastChange });
  }

  again(operation: Operation, number = 1): Promise<unknown> {
    return this.client.call('change', [number, packOperation(operation), null]);
  }
}

void t.test('names that were made or removed before the daemon was killed are not again', async (t) => {
  const killed = await Killed.open(t);
  await killed.killIn(mkdir);
  await killed.again(mkdir);
  t.equal(await kindOf(() => killed.again(mkdir, 2)), 'EEXIST', 'what is new is judged as new');
  await killed.client.paths.put('a', 'x');
  await killed.killIn(rename('a', 'b'), 3);
  await killed.again(rename('a', 'b'), 3);
  t.strictSame(await killed.client.paths.list(''), ['b', 'd']);
  await killed.killIn(unlink('b'), 4);
  await killed.again(unlink('b'), 4);
  await killed.again(unlink('b'), 4);
  t.equal(await kindOf(() => killed.again(unlink('b'), 5)), 'ENOENT');
  t.strictSame(await killed.client.paths.list(''), ['d']);
});

void t.test('a link is made once, and is EEXIST to who asks for it anew', async (t) => {
  const killed = await Killed.open(t);
  await killed.client.paths.put('a', 'x');
  await killed.killIn(link('a', 'b'));
  await killed.again(link('a', 'b'));
  t.equal(await kindOf(() => killed.again(link('a', 'b'), 2)), 'EEXIST');
  t.equal((await killed.client.paths.stat('a')).nlink, 2);
});

void t.test('a rename that left a whiteout is not made again', async (t) => {
  const killed = await Killed.open(t);
  await killed.client.paths.put('a', 'x');
  const whiteout: Operation = { ...rename('a', 'b'), flags: RENAME_WHITEOUT } as Operation;
  await killed.killIn(whiteout);
  await killed.again(whiteout);
  t.equal(String(await killed.client.paths.read('b')), 'x');
  t.equal(await kindOf(() => killed.client.paths.read('a')), 'ENXIO');
});

void t.test('what was begun and not done is done', async (t) => {
  const killed = await Killed.open(t);
  await killed.killBefore(1);
  await killed.again(mkdir);
  t.strictSame(await killed.client.paths.list(''), ['d']);
  const { paths } = killed.client;
  await paths.put('a', 'x');
  await paths.link('a', 'b');
  await killed.killBefore(2);
  await killed.again(rename('a', 'b'), 2);
  t.strictSame(await killed.client.paths.list(''), ['a', 'b', 'd'], 'two names of a file stay, as always');
});

void t.test('what others made meanwhile is not replaced', async (t) => {
  const killed = await Killed.open(t);
  const { paths } = killed.client;
  await paths.put('a', 'mine');
  const { ino, birth } = await paths.stat('a');
  await killed.killBefore(1);
  const other = new TestClient(killed.client.home);
  await other.paths.put('b', 'of another');
  const expecting = { ...rename('a', 'b'), id: { ino, birth } };
  t.equal(await kindOf(() => killed.again(expecting)), 'ESTALE');
  t.equal(String(await killed.client.paths.read('b')), 'of another');
});

void t.test('a change that failed is judged anew', async (t) => {
  const killed = await Killed.open(t);
  const { paths } = killed.client;
  await paths.mkdir('d');
  await killed.killIn(mkdir);
  t.equal(await kindOf(() => killed.again(mkdir)), 'EEXIST');
  await killed.client.paths.rmdir('d');
  await killed.again(mkdir);
  t.strictSame(await killed.client.paths.list(''), ['d']);
});

void t.test('what was appended is there once', async (t) => {
  const killed = await Killed.open(t);
  await killed.client.paths.put('f', 'one ');
  await killed.killIn(append('two '));
  await killed.again(append('two '));
  await killed.again(append('two '));
  t.equal(String(await killed.client.paths.read('f')), 'one two ');
  await killed.again(append('two '), 2);
  t.equal(String(await killed.client.paths.read('f')), 'one two two ', 'the same words may come again');
});

void t.test('what was appended in part is made whole, and what another appended stays', async (t) => {
  const killed = await Killed.open(t);
  await killed.client.paths.put('f', 'one ');
  await killed.killBefore(1, 4);
  await killed.client.paths.write('f', null, 'tw');
  await killed.again(append('two '));
  t.equal(String(await killed.client.paths.read('f')), 'one two ');
  await killed.killBefore(2, 8);
  await new TestClient(killed.client.home).paths.write('f', null, 'theirs ');
  await killed.again(append('three '), 2);
  t.equal(String(await killed.client.paths.read('f')), 'one two theirs three ');
  await killed.killBefore(3, 21);
  await killed.client.paths.setattr('f', { size: 3 });
  await killed.again(append(' four'), 3);
  t.equal(String(await killed.client.paths.read('f')), 'one four', 'nor is a hole made');
});

void t.test(
  'a change that is sent again is answered also where it names a file by a provisional id',
  async (t) => {
    const { client } = await Killed.open(t);
    const id = { ino: 0n, birth: 1n };
    const target = Buffer.from('elsewhere');
    const link: Operation = { kind: SYMLINK, ...place('link'), time: null, target, id };
    const time = { sec: 7, nsec: 0 };
    const set: Operation = {
      ...{ kind: SETATTR, file: { ...id, path: null }, time: null },
      ...{ mode: null, size: null, atime: null, mtime: time },
    };
    const change = (number: number, operation: Operation): Promise<unknown> =>
      client.call('change', [number, packOperation(operation), null]);
    await change(1, link);
    const left = await change(2, set);
    t.equal((left as unknown[]).length, 1);
    t.strictSame(await change(2, set), left);
  },
);

void t.test('a file without a name is made once, as long as the daemon lives', async (t) => {
  const killed = await Killed.open(t);
  const unnamed: Operation = { kind: TMPFILE, directory: ref(''), time: null, mode: 0o600 };
  const made = await killed.again(unnamed);
  t.strictSame(await killed.again(unnamed), made);
  t.equal(killed.client.home.quota.used.files, 1);
  await killed.restart();
  const [again] = (await killed.again(unnamed)) as { nlink: number }[];
  t.equal(again?.nlink, 0, 'the first one has gone with the daemon');
  t.equal(killed.client.home.quota.used.files, 1);
});
