/* Extended attributes: by an open file of any kind and by name, never through a symlink. */
import fs from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { close, openat2 } from '../../posix/files.js';
import { AT_FDCWD, O_DIRECTORY, O_PATH } from '../../posix/flags.js';
import {
  getXattr,
  listXattrs,
  removeXattr,
  setXattr,
  xattrLength,
  type XattrPlace,
} from '../../posix/xattrs.js';
import { temporaryDirectory } from '../lib/directory.js';

const root = temporaryDirectory(t);
const directory = openat2(AT_FDCWD, Buffer.from(root), { flags: O_PATH | O_DIRECTORY });
t.teardown(() => close(directory));

const A = Buffer.from('user.a');
const B = Buffer.from('user.b');

function works(t: Test, place: XattrPlace): void {
  t.same(listXattrs(place), []);
  t.equal(getXattr(place, A), undefined);
  t.equal(xattrLength(place, A), undefined);
  setXattr(place, A, Buffer.from('one'), 0);
  setXattr(place, B, Buffer.alloc(0), 0);
  t.same(listXattrs(place).map(String).toSorted(), ['user.a', 'user.b']);
  t.same(getXattr(place, A), Buffer.from('one'));
  t.equal(xattrLength(place, A), 3);
  t.same(getXattr(place, B), Buffer.alloc(0));
  removeXattr(place, A);
  t.same(listXattrs(place), [B]);
  t.throws(() => removeXattr(place, A), { code: 'ENODATA' });
}

t.test('of a name', async (t) => {
  fs.writeFileSync(join(root, 'f'), '');
  works(t, { directory, name: Buffer.from('f') });
});

t.test('of what is open, also as a path only, and without a name', async (t) => {
  works(t, { fd: directory });
  fs.writeFileSync(join(root, 'g'), '');
  const fd = openat2(directory, Buffer.from('g'), { flags: O_PATH });
  fs.unlinkSync(join(root, 'g'));
  works(t, { fd });
  close(fd);
});

t.test('a symlink is not followed, and a name leads nowhere else', async (t) => {
  fs.symlinkSync('f', join(root, 'l'));
  t.same(listXattrs({ directory, name: Buffer.from('l') }), []);
  t.throws(() => setXattr({ directory, name: Buffer.from('l') }, A, B, 0), { code: 'EPERM' });
  t.throws(() => listXattrs({ directory, name: Buffer.from('missing') }), { code: 'ENOENT' });
  t.throws(() => getXattr({ directory, name: Buffer.from('f\0') }, A), { code: 'EINVAL' });
});
