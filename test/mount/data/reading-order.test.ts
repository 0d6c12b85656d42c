import t from 'tap';
import { Walk, type Order } from '../../../mount/data/reading-order.js';
import { TestInode, type TestName } from './tree-of-names.js';

function after(start: TestName, order: Order): string {
  const walk = new Walk<TestName>(start, order, ({ listing }) => listing);
  const keys: string[] = [];
  for (let name = walk.next(); name !== undefined; name = walk.next()) keys.push(name.key);
  return keys.join(' ');
}

t.test('depth first, as listed or by name, and on behind the directory where it began', (t) => {
  const root = TestInode.root();
  root.file('z');
  const middle = root.directory('m');
  const inner = middle.directory('inner');
  const start = inner.file('q');
  inner.file('p');
  inner.file('r');
  middle.file('k');
  const unknown = root.directory('u');
  unknown.file('never');
  unknown.listing = undefined;
  root.directory('empty');
  root.file('a');
  t.equal(after(start, 'listed'), 'p r k a');
  t.equal(after(start, 'sorted'), 'r k z');
  t.equal(after(root.file('y'), 'listed'), '');
  t.equal(after(unknown.names[0] ?? start, 'listed'), 'a y');
  t.end();
});
