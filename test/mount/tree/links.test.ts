import t from 'tap';
import { Links } from '../../../mount/tree/links.js';

t.test('names of an inode come and go as in a set', async (t) => {
  const names = new Links<string>();
  const expected = new Set<string>();
  for (const change of [
    '+a',
    '+a',
    '-b',
    '-a',
    '+a',
    '+b',
    '+c',
    '+b',
    '-a',
    '+d',
    '+a',
    '-c',
    '-b',
    '-d',
    '-a',
    '+e',
  ]) {
    const name = change.slice(1);
    if (change.startsWith('+')) {
      names.add(name);
      expected.add(name);
    } else {
      names.delete(name);
      expected.delete(name);
    }
    t.same([...names].toSorted(), [...expected].toSorted(), change);
    t.equal(names.size, expected.size);
  }
});
