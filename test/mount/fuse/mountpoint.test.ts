/** What can be wrong with a mount point, said before anything is mounted. The rest is in session.test.ts. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { escapeOptionValue } from '../../../mount/fuse/fusermount.js';
import { checkMountpoint, detach } from '../../../mount/fuse/mountpoint.js';

t.test('mount points that cannot be', async (t) => {
  const directory = t.testdir({ file: 'x', full: { entry: 'x' }, empty: {} });
  const missing = join(directory, 'missing');
  await t.rejects(checkMountpoint(missing, {}), {
    kind: 'ENOENT',
    message: `mount point '${missing}' does not exist: create the directory first`,
  });
  await t.rejects(checkMountpoint(join(missing, 'deeper'), {}), { code: 'ENOENT' });
  await t.rejects(checkMountpoint(join(directory, 'file'), {}), { code: 'ENOTDIR' });
  await t.rejects(checkMountpoint(join(directory, 'file/below'), {}), { code: 'ENOTDIR' });
  await t.rejects(checkMountpoint(join(directory, 'full'), {}), {
    kind: 'ENOTEMPTY',
    message: /-o nonempty/,
  });
  t.equal(await checkMountpoint(join(directory, 'full'), { nonempty: true }), join(directory, 'full'));
  t.equal(await checkMountpoint(join(directory, 'empty'), {}), join(directory, 'empty'));
});

t.test('a symlink leads to the directory that is mounted on', async (t) => {
  const directory = t.testdir({ real: {} });
  symlinkSync('real', join(directory, 'link'));
  t.equal(await checkMountpoint(join(directory, 'link'), {}), join(directory, 'real'));
  symlinkSync('nowhere', join(directory, 'dangling'));
  await t.rejects(checkMountpoint(join(directory, 'dangling'), {}), { code: 'ENOENT' });
});

t.test('unmounting what is not mounted', async (t) => {
  const directory = t.testdir({});
  mkdirSync(join(directory, 'plain'));
  writeFileSync(join(directory, 'plain/file'), '');
  await t.rejects(detach(join(directory, 'plain'), false), { code: /EINVAL|EPERM/ });
});

t.test('commas in the name of the source do not become options', async (t) => {
  t.equal(escapeOptionValue('a,allow_other\\'), 'a\\,allow_other\\\\');
});
