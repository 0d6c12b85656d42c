import t from 'tap';
import {
  changed,
  kept,
  ofNewDirectory,
  ofNewFile,
  ofNewSymlink,
  permitted,
  relinked,
  resized,
  timed,
  withNames,
  written,
} from '../../../mount/tree/attributes.js';
import { attributesOf, DIRECTORY, LONG_AGO, NOW, REGULAR } from './planted.js';

const ID = { ino: 9n, birth: 3n };

t.test('what is made has the time at which it was made', async (t) => {
  const times = { atime: NOW, mtime: NOW, ctime: NOW };
  t.match(ofNewFile({ id: ID, time: NOW }, REGULAR), {
    ...ID,
    mode: REGULAR,
    nlink: 1,
    size: 0,
    blocks: 0,
    ...times,
  });
  t.match(ofNewDirectory({ id: ID, time: NOW }, 0o700, 2), { ...ID, mode: 0o40700, nlink: 2, ...times });
  t.match(ofNewSymlink({ id: ID, time: NOW }, Buffer.from('to')), {
    ...ID,
    mode: 0o120777,
    nlink: 1,
    size: 2,
    blocks: 0,
    ...times,
  });
});

t.test('data take whole blocks of 4 KiB, in units of 512 bytes', async (t) => {
  const empty = attributesOf(9);
  for (const [size, blocks] of [
    [0, 0],
    [1, 8],
    [4096, 8],
    [4097, 16],
  ] as const) {
    t.match(
      written(empty, 0, size, NOW),
      { size, blocks, atime: LONG_AGO, mtime: NOW, ctime: NOW },
      `${size} bytes`,
    );
  }
  const sparse = attributesOf(9, REGULAR, { size: 100_000, blocks: 8 });
  t.equal(resized(sparse, 1_000_000, NOW).blocks, 8, 'what it is longer by is a hole');
  t.equal(resized(sparse, 90_000, NOW).blocks, 8, 'what the server said stays where it can be');
  t.equal(resized(sparse, 0, NOW).blocks, 0);
  t.equal(written(sparse, 50_000, 50_001, NOW).blocks, 16, 'into a hole');
  t.equal(written(sparse, 2 ** 30, 2 ** 30 + 1, NOW).blocks, 16, 'behind one');
  t.equal(written(sparse, 0, 100_000, NOW).blocks, 200, 'no more than there can be');
  t.equal(written(attributesOf(9, REGULAR, { size: 1, blocks: 64 }), 0, 1, NOW).blocks, 64, 'made ahead');
});

t.test('a directory counts its subdirectories, on disks that do', async (t) => {
  t.match(withNames(attributesOf(9, DIRECTORY), 1, NOW), {
    nlink: 3,
    mtime: NOW,
    ctime: NOW,
    atime: LONG_AGO,
  });
  t.equal(withNames(attributesOf(9, DIRECTORY, { nlink: 3 }), -1, NOW).nlink, 2);
  t.equal(withNames(attributesOf(9, DIRECTORY, { nlink: 1 }), 1, NOW).nlink, 1, 'and not on others');
});

t.test('permissions, times and names change ctime only besides', async (t) => {
  t.match(permitted(attributesOf(9), 0o177600, NOW), { mode: 0o101600, mtime: LONG_AGO, ctime: NOW });
  t.match(relinked(attributesOf(9), 1, NOW), { nlink: 2, mtime: LONG_AGO, ctime: NOW });
  const at = { sec: -1, nsec: 5 };
  t.match(timed(attributesOf(9), undefined, at, NOW), { atime: LONG_AGO, mtime: at, ctime: NOW });
});

t.test('set-id bits are only where files have owners, but set-group-ID of directories', async (t) => {
  const owner = { uid: 5, gid: 6 };
  const ofOwner = (mode: number) => attributesOf(9, mode, { owner });
  const file = { id: ID, time: NOW };
  t.equal(permitted(attributesOf(9, DIRECTORY), 0o7700, NOW).mode, 0o43700);
  t.equal(permitted(ofOwner(REGULAR), 0o7700, NOW).mode, 0o107700);
  t.equal(permitted(ofOwner(DIRECTORY), 0o7700, NOW).mode, 0o47700);
  t.equal(ofNewFile(file, 0o106755).mode, 0o100755);
  t.equal(ofNewFile({ ...file, owner }, 0o106755).mode, 0o106755);
  t.equal(ofNewDirectory(file, 0o6755, 2).mode, 0o42755);
});

t.test('what is kept shares equal times', async (t) => {
  const told = attributesOf(9, REGULAR, {
    atime: { sec: 4, nsec: 5 },
    mtime: { sec: 4, nsec: 5 },
    ctime: NOW,
  });
  const own = kept(told);
  t.same(own, told);
  t.equal(own.mtime, own.atime);
  t.equal(own.ctime, NOW);
});

t.test('changes to zero are changes', async (t) => {
  t.match(changed(attributesOf(9, REGULAR, { size: 5 }), { size: 0, nlink: 0 }), {
    size: 0,
    nlink: 0,
    mode: REGULAR,
  });
});
