import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { LostData } from '../../../mount/filesystem/lost-data.js';
import { temporaryDirectory } from '../../lib/directory.js';

const ID = { ino: 7n, birth: 5n };

t.test('later writes of a file go over earlier ones', (t) => {
  const lost = new LostData(join(temporaryDirectory(t), 'lost', 'server'));
  lost.keep(ID, 'f', 0, Buffer.from('old old'));
  const file = lost.keep(ID, 'f', 0, Buffer.from('new'));
  t.equal(lost.keep(ID, 'f', 7, Buffer.from('!')), file);
  t.equal(readFileSync(file, 'latin1'), 'new old!');
  t.end();
});

t.test('what is lost of other files and by other mounts is kept beside', (t) => {
  const wanted = join(temporaryDirectory(t), 'lost', 'server');
  mkdirSync(wanted, { recursive: true });
  const [one, other] = [new LostData(wanted), new LostData(wanted)];
  const files = [
    one.keep(ID, 'f', 0, Buffer.from('one')),
    one.keep({ ...ID, birth: 6n }, 'f', 0, Buffer.from('two')),
    one.keep({ ...ID, birth: 7n }, undefined, 0, Buffer.from('three')),
    other.keep(ID, 'f', 0, Buffer.from('four')),
  ];
  t.same(
    files.map((file) => readFileSync(file, 'latin1')),
    ['one', 'two', 'three', 'four'],
  );
  t.same(readdirSync(wanted), [], 'nor is anything in a directory that was there');
  t.equal(new Set(files.map((file) => dirname(file))).size, 2);
  t.end();
});

t.test('names of all kinds stay within the directory', (t) => {
  const wanted = join(temporaryDirectory(t), 'server');
  const lost = new LostData(wanted);
  for (const key of ['..', 'a/b', '\xff'.repeat(255)]) {
    t.equal(dirname(lost.keep(ID, key, 0, Buffer.from('x'))), wanted);
  }
  t.end();
});
