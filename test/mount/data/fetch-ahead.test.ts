import t from 'tap';
import { FetchAhead } from '../../../mount/data/fetch-ahead.js';
import { shared } from './scripted-file.js';
import { TestInode, type TestName } from './tree-of-names.js';

/** A mount whose fetches are answered when the test says so. */
class Mount {
  readonly shared = shared();
  /** Names of each request. */
  readonly fetched: string[][] = [];
  readonly under: { names: readonly TestName[]; answer(): void }[] = [];
  readonly unwanted = new Set<TestName>();
  listings = 0;
  cancelled = 0;
  readonly ahead = new FetchAhead<TestName>({
    cache: this.shared.cache,
    bandwidth: this.shared.bandwidth,
    listing: ({ listing }) => {
      this.listings += listing?.length ?? 0;
      return listing;
    },
    wanted: (name) => !this.unwanted.has(name),
    fetch: (names, bytes, arrived, done) => {
      this.fetched.push(names.map(({ key }) => key));
      let left = bytes;
      const answer = (): void => {
        for (const [index, { inode }] of names.entries()) {
          left -= inode.attributes.size;
          arrived(index, left < 0 ? undefined : Buffer.alloc(inode.attributes.size));
        }
        done();
      };
      this.under.push({ names, answer });
      return () => {
        this.cancelled++;
      };
    },
  });

  answerAll(): void {
    this.shared.clock.ms += 20;
    for (const { answer } of this.under.splice(0)) answer();
  }

  /** Reads a file. Returns whether it was here. */
  read(name: TestName): boolean {
    this.ahead.reading(name);
    this.answerAll();
    const { id, attributes } = name.inode;
    return this.shared.cache.find(id)?.read(0, attributes.size, () => undefined) ?? false;
  }
}

function directoryOf(count: number, size = 1_000): { root: TestInode; files: TestName[] } {
  const root = TestInode.root();
  // The order of the listing is not that of the names.
  const files = Array.from({ length: count }, (_, i) => root.file(`f${(i * 7919) % 10_007}`, size));
  return { root, files };
}

t.test('two files in the order of the listing bring the next ones, ever more', (t) => {
  const mount = new Mount();
  const { files } = directoryOf(1_000);
  const here = files.map((file) => mount.read(file));
  t.same(here.slice(0, 2), [false, false]);
  t.ok(here.slice(2).every(Boolean));
  const counts = mount.fetched.map(({ length }) => length);
  t.equal(counts[0], 64);
  t.ok(counts.length < 20, `${counts.join(' ')}`);
  t.equal(new Set(mount.fetched.flat()).size, 998, 'each once');
  t.equal(mount.shared.budget.held, 0);
  t.end();
});

t.test('also in the order of the names, and with files passed over', (t) => {
  const mount = new Mount();
  const { files } = directoryOf(400);
  const sorted = files.toSorted((a, b) => (a.key < b.key ? -1 : 1)).filter((_, i) => i % 3 > 0);
  const here = sorted.map((file) => mount.read(file));
  t.ok(here.slice(2).every(Boolean));
  t.end();
});

t.test('through a whole tree', (t) => {
  const mount = new Mount();
  const root = TestInode.root();
  const files: TestName[] = [];
  for (let i = 0; i < 30; i++) {
    const directory = root.directory(`d${i}`);
    const deeper = directory.directory('deeper');
    for (let j = 0; j < 3; j++) files.push(deeper.file(`g${j}`));
    for (let j = 0; j < 7; j++) files.push(directory.file(`f${j}`));
  }
  const missed = files.filter((file) => !mount.read(file));
  t.equal(missed.length, 2);
  t.end();
});

t.test('a program that reads the files of a directory before it descends', (t) => {
  const mount = new Mount();
  const root = TestInode.root();
  const levels: TestName[][] = [];
  for (let i = 0; i < 10; i++) {
    const directory = root.directory(`d${i}`);
    levels[i] = Array.from({ length: 20 }, (_, j) => directory.file(`f${j}`));
  }
  // From the last directory to the first: no walk foresees that.
  const missed = levels
    .toReversed()
    .flat()
    .filter((file) => !mount.read(file));
  t.ok(missed.length <= 11, `${missed.length} files were not here: one a directory`);
  t.end();
});

t.test('in no order, nothing is fetched, and little is looked at', (t) => {
  const mount = new Mount();
  const { files } = directoryOf(4_000);
  for (let i = 0; i < 2_000; i++) {
    const file = files[(i * 1_237 + 11) % files.length];
    if (file !== undefined) mount.read(file);
  }
  t.same(mount.fetched, []);
  t.ok(mount.listings <= 70 * 2_000, `${mount.listings} names looked at`);
  t.end();
});

t.test('large files, empty ones and what is known are not fetched', (t) => {
  const mount = new Mount();
  const root = TestInode.root();
  const files = Array.from({ length: 40 }, (_, i) => root.file(`f${i}`, [1_000, 0, 200_000, 2_000][i % 4]));
  for (const file of files.filter((_, i) => i % 8 === 7)) mount.unwanted.add(file);
  for (const file of files.filter((_, i) => i % 4 !== 1)) mount.read(file);
  const small = files.filter(
    ({ inode: { attributes } }, i) => attributes.size > 0 && attributes.size < 200_000 && i % 8 !== 7,
  );
  const [, ...expected] = small.map(({ key }) => key);
  t.same(mount.fetched.flat(), expected);
  t.end();
});

t.test('what is fetched and not read stays within the line’s window', (t) => {
  const mount = new Mount();
  const { files } = directoryOf(200, 100_000);
  let most = 0;
  for (const file of files) {
    mount.ahead.reading(file);
    const { window } = mount.shared.bandwidth;
    const waiting = mount.under.flatMap(({ names }) => names);
    const bytes = waiting.reduce((sum, { inode }) => sum + inode.attributes.size, 0);
    most = Math.max(most, bytes / window);
    mount.read(file);
  }
  t.ok(most > 0 && most <= 1, `${most} of the window`);
  t.ok(mount.shared.budget.held < 16 * 1024 * 1024);
  t.end();
});

t.test('what does not come is not waited for, and all ends when it is ended', (t) => {
  const mount = new Mount();
  const { files } = directoryOf(100);
  const [first, second, third] = files;
  if (first === undefined || second === undefined || third === undefined) throw new Error('no files');
  mount.ahead.reading(first);
  mount.ahead.reading(second);
  t.ok(mount.shared.cache.find(third.inode.id)?.expected);
  mount.ahead.ended();
  t.equal(mount.cancelled, 1);
  mount.shared.cache.dropAll();
  mount.answerAll();
  t.equal(mount.shared.cache.find(third.inode.id), undefined);
  t.equal(mount.shared.budget.held, 0);
  mount.ahead.reading(third);
  t.equal(mount.fetched.length, 1, 'it begins anew');
  t.end();
});
