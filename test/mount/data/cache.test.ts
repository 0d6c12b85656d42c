import t from 'tap';
import { ReadBudget } from '../../../mount/data/budget.js';
import { FileCache, type CachedFile } from '../../../mount/data/cache.js';

const id = (ino: bigint, birth = 1n) => ({ ino, birth });

function read(file: CachedFile | undefined, offset: number, end: number): string | undefined {
  let text: string | undefined;
  file?.read(offset, end, (pieces) => (text = Buffer.concat(pieces).toString()));
  return text;
}

t.test('data are kept until they were read once', (t) => {
  const budget = new ReadBudget();
  const cache = new FileCache(budget);
  const view = Buffer.from('hello, world');
  t.ok(cache.open(id(1n)).put(0, view));
  view.fill(0);
  t.equal(read(cache.find(id(1n)), 0, 5), 'hello');
  t.equal(read(cache.find(id(1n)), 7, 13), undefined, 'beyond what is here');
  t.equal(read(cache.find(id(1n)), 5, 12), ', world');
  t.equal(cache.find(id(1n)), undefined);
  t.equal(budget.held, 0);
  t.end();
});

t.test('pieces of a file come in any order, and newer ones take the place of older ones', (t) => {
  const budget = new ReadBudget();
  const file = new FileCache(budget).open(id(1n));
  file.put(10, Buffer.from('klmno'));
  file.put(0, Buffer.from('abcde'));
  t.equal(read(file, 3, 12), undefined, 'a gap');
  file.put(5, Buffer.from('fghij'));
  t.equal(read(file, 3, 12), 'defghijkl');
  file.put(8, Buffer.from('IJKL'));
  t.equal(read(file, 8, 12), 'IJKL');
  t.equal(read(file, 12, 15), undefined, 'what was in the way is gone');
  file.drop();
  t.equal(budget.held, 0);
  t.end();
});

t.test('nothing is kept of what was on its way when its file was dropped', (t) => {
  const budget = new ReadBudget();
  const cache = new FileCache(budget);
  const file = cache.open(id(1n));
  const arrived = file.expect();
  cache.drop(id(1n));
  t.notOk(file.valid);
  arrived(Buffer.from('old'));
  t.notOk(file.put(0, Buffer.from('old')));
  t.equal(cache.find(id(1n)), undefined);
  t.equal(budget.held, 0);
  cache.open(id(2n)).put(0, Buffer.from('x'));
  cache.open(id(3n)).put(0, Buffer.from('x'));
  cache.dropAll();
  t.equal(cache.find(id(2n)), undefined);
  t.equal(budget.held, 0);
  t.end();
});

t.test('an inode number that is used again is another file', (t) => {
  const cache = new FileCache(new ReadBudget());
  cache.open(id(1n, 1n)).put(0, Buffer.from('old'));
  t.equal(cache.find(id(1n, 2n)), undefined);
  cache.drop(id(1n, 2n));
  t.equal(read(cache.find(id(1n, 1n)), 0, 1), 'o');
  cache.open(id(1n, 2n)).put(0, Buffer.from('new'));
  t.equal(cache.find(id(1n, 1n)), undefined);
  t.equal(read(cache.find(id(1n, 2n)), 0, 3), 'new');
  t.end();
});

t.test('who waits is told when data have come, do not come, or are of no use', async (t) => {
  const cache = new FileCache(new ReadBudget());
  for (const end of ['come', 'fail', 'drop'] as const) {
    const file = cache.open(id(1n));
    const arrived = file.expect();
    t.ok(file.expected);
    const told = new Promise<void>((resolve) => file.whenArrived(resolve));
    if (end === 'drop') file.drop();
    else arrived(end === 'come' ? Buffer.from('data') : undefined);
    await told;
    t.equal(read(cache.find(id(1n)), 0, 4), end === 'come' ? 'data' : undefined);
    t.equal(cache.find(id(1n)), undefined);
  }
});

t.test('the files that were not used for longest make room', (t) => {
  const budget = new ReadBudget(250_000);
  const cache = new FileCache(budget);
  for (const ino of [1n, 2n, 3n]) cache.open(id(ino)).put(0, Buffer.alloc(100_000));
  t.equal(cache.find(id(1n)), undefined);
  t.ok(cache.find(id(2n)));
  read(cache.find(id(2n)), 0, 10);
  cache.open(id(4n)).put(0, Buffer.alloc(100_000));
  t.equal(cache.find(id(3n)), undefined);
  t.ok(cache.find(id(2n)));
  t.ok(budget.held <= 250_000);
  t.end();
});
