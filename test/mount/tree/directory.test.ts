import t from 'tap';
import { Directory } from '../../../mount/tree/directory.js';

t.test('names known not to exist are bounded: the oldest go', async (t) => {
  const directory = new Directory<string>();
  let count = 0;
  for (let i = 0; i < 5000; i++) count += directory.addAbsent(`name-${i}`);
  t.equal(directory.absent.size, 1024);
  t.equal(count, 1024);
  t.ok(directory.absent.has('name-4999'));
  t.notOk(directory.absent.has('name-0'));
});

t.test('a directory that is known whole needs no list of what does not exist', async (t) => {
  const directory = new Directory<string>();
  directory.complete = true;
  t.equal(directory.addAbsent('name'), 0);
  t.equal(directory.absent.size, 0);
});

t.test('a change overtakes the listing under way, a doubt makes it tell less', async (t) => {
  const directory = new Directory<string>();
  directory.names.set('old', 'inode');
  directory.overtake('before');
  const listing = directory.begin();
  t.same([...listing.untold], ['inode']);
  directory.overtake('during');
  directory.changed();
  t.same([...listing.overtaken], ['during'], 'which is what this mount did');
  t.equal(directory.version, 1);
  t.notOk(listing.doubted);
  directory.doubt();
  t.ok(listing.doubted);
});
