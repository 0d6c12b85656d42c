/*
 * The executor: what each kind of operation does to the disk and the charge, its errors as Linux has them, and what a second
 * time does.
 */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { idOf } from '../../../../daemon/home/disk/file-ids.js';
import { temporaryDirectory } from '../../../lib/directory.js';
import { ref } from '../../../lib/path-client.js';
import { kindOf } from '../fixture.js';
import {
  at,
  create,
  link,
  mkdir,
  Parts,
  partsTest,
  refTo,
  release,
  rename,
  rmdir,
  setattr,
  symlink,
  unlink,
  write,
} from '../home-parts.js';

const EXCHANGE = 2;
const NOBODY = 65534;

partsTest('what is made: modes, kinds, and no set-id bits of files', {}, async (t, parts) => {
  const client = parts.client();
  const { home } = parts;
  const mode = (name: string) => lstatSync(join(parts.directory, name)).mode;
  client.change(create(home, 'f', { mode: 0o6751 }));
  t.equal(mode('f'), 0o100751);
  client.change(create(home, 'secret', { mode: 0o100000 }));
  t.equal(mode('secret'), 0o100000);
  client.change(create(home, 'fifo', { mode: 0o010640 }));
  t.equal(mode('fifo'), 0o010640);
  client.change(create(home, 'socket', { mode: 0o140600 }));
  t.equal(mode('socket'), 0o140600);
  client.change(mkdir(home, 'd', { mode: 0o7777 }));
  t.equal(mode('d'), 0o043777, 'of a directory the set-group-id bit means something else');
  client.change(mkdir(ref('d'), 'inherits', { mode: 0o700 }));
  t.equal(mode('d/inherits'), 0o042700);
  client.change(symlink(home, 'l', '/\u{ff}odd \n'));
  t.equal(readlinkSync(join(parts.directory, 'l')), '/\u{ff}odd \n');
  for (const device of [0o060644, 0o020644]) {
    t.equal(await kindOf(() => client.change(create(home, 'device', { mode: device }))), 'EPERM');
  }
  t.strictSame(parts.quota.used, { bytes: 0, files: 7 });
});

partsTest('names are bytes: no UTF-8, newlines, blanks, 255 long', {}, (t, parts) => {
  const client = parts.client();
  const names = [
    Buffer.from([0xff, 0xfe, 0x80]),
    Buffer.from('a\nb'),
    Buffer.from('  '),
    Buffer.from('-rf *'),
    Buffer.from('ü'),
    Buffer.alloc(255, 0xc3),
  ];
  const files = names.map((name) => client.changed(create(parts.home, name)));
  for (const file of files) client.change(write(refTo(file), 0, 'by its id'));
  const listed = readdirSync(parts.directory, { encoding: 'buffer' }).map((name) => name.toString('hex'));
  for (const name of names) t.ok(listed.includes(name.toString('hex')));
  for (const name of names) client.change(unlink(parts.home, name));
  t.equal(parts.quota.used.files, 0);
});

partsTest('a name that is taken', {}, async (t, parts) => {
  const client = parts.client();
  const { home } = parts;
  const file = client.changed(create(home, 'f'));
  client.change(mkdir(home, 'd'));
  client.change(symlink(home, 's', 'target'));
  for (const name of ['f', 'd', 's']) {
    t.equal(await kindOf(() => client.change(create(home, name))), 'EEXIST');
    t.equal(await kindOf(() => client.change(mkdir(home, name))), 'EEXIST');
    t.equal(await kindOf(() => client.change(symlink(home, name, 'x'))), 'EEXIST');
    t.equal(await kindOf(() => client.change(link(refTo(file), home, name))), 'EEXIST');
  }
  t.equal(client.changed(link(refTo(file), home, 'f'), true).nlink, 1, 'it may have been linked before');
  t.equal(client.changed(create(home, 'f', { id: idOf(file) })).ino, file.ino, 'it was made before');
  t.equal(parts.quota.used.files, 3);
});

partsTest('unlink and rmdir', {}, async (t, parts) => {
  const client = parts.client();
  const { home } = parts;
  const d = client.changed(mkdir(home, 'd'));
  const f = client.changed(create(home, 'f'));
  const g = client.changed(create(refTo(d), 'g'));
  t.equal(await kindOf(() => client.change(unlink(home, 'missing'))), 'ENOENT');
  t.equal(await kindOf(() => client.change(unlink(home, 'd'))), 'EISDIR');
  t.equal(await kindOf(() => client.change(rmdir(home, 'f'))), 'ENOTDIR');
  t.equal(await kindOf(() => client.change(rmdir(home, 'd'))), 'ENOTEMPTY');
  t.equal(await kindOf(() => client.change(unlink(home, 'f', { id: idOf(g) }))), 'ESTALE', 'another file');
  t.equal(await kindOf(() => client.change(rmdir(home, 'd', idOf(g)))), 'ESTALE');
  t.equal(await kindOf(() => client.change(unlink(refTo(f), 'x'))), 'ESTALE', 'no directory has this id');
  t.equal(await kindOf(() => client.change(unlink(ref('f'), 'x'))), 'ENOTDIR');
  client.change(unlink(refTo(d), 'g', { id: idOf(g) }));
  const [directory, ...others] = client.change(rmdir(home, 'd', idOf(d)));
  t.strictSame([directory?.ino, others], [parts.identities.root.ino, []], 'only the directory above is left');
  t.equal(await kindOf(() => client.change(create(refTo(d), 'x'))), 'ESTALE', 'a removed directory');
  t.equal(await kindOf(() => client.change(create({ ...idOf(d), path: ref('d').path }, 'x'))), 'ENOENT');
  client.change(unlink(home, 'f'));
});

partsTest('link', {}, async (t, parts) => {
  const client = parts.client();
  const { home } = parts;
  const d = client.changed(mkdir(home, 'd'));
  const f = client.changed(create(home, 'f'));
  const s = client.changed(symlink(home, 's', 'f'));
  t.equal(await kindOf(() => client.change(link(refTo(d), home, 'x'))), 'EPERM');
  t.equal(await kindOf(() => client.change(link(refTo(d), refTo(d), 'x'))), 'EPERM');
  t.equal(client.changed(link(refTo(f), refTo(d), 'f')).nlink, 2);
  t.equal(client.changed(link(refTo(s), refTo(d), 's')).ino, s.ino, 'of the link, not of its target');
  client.change(unlink(home, 'f'));
  t.equal(client.changed(write(refTo(f), 0, 'by the name that is left')).size, 24);
  t.strictSame(parts.quota.used, { bytes: 24, files: 3 });
});

partsTest('setattr: mode, size, times, all at once or alone', {}, async (t, parts) => {
  const client = parts.client();
  const { home } = parts;
  const f = refTo(client.changed(create(home, 'f')));
  client.change(write(f, 0, 'content'));
  const times = { atime: at(-5, 7), mtime: at(1, 789) };
  const after = client.changed(setattr(f, { mode: 0o6755, size: 3, ...times, time: at(9) }));
  t.match(after, { mode: 0o100755, size: 3, ...times });
  t.strictSame(parts.shown.ctime(after), at(9));
  t.equal(client.changed(setattr(f, { mode: 0o4600 })).mode, 0o100600);
  const cut = client.changed(setattr(f, { size: 1, time: at(10) }));
  t.strictSame([cut.size, cut.mtime], [1, at(10)], 'a new size is a new mtime');
  const now = client.changed(setattr(f, { mtime: 'now' }));
  t.ok(Math.abs(now.mtime.sec - Date.now() / 1000) < 3600);
  const d = refTo(client.changed(mkdir(home, 'd')));
  t.equal(client.changed(setattr(d, { mode: 0o6700 })).mode, 0o042700);
  t.equal(await kindOf(() => client.change(setattr(d, { size: 0 }))), 'EISDIR');
  const s = refTo(client.changed(symlink(home, 's', 'f')));
  t.equal(await kindOf(() => client.change(setattr(s, { mode: 0o700 }))), 'EOPNOTSUPP');
  t.equal(await kindOf(() => client.change(setattr(s, { size: 0 }))), 'EINVAL');
  t.strictSame(client.changed(setattr(s, { mtime: at(5) })).mtime, at(5), 'the times of the link itself');
  const p = refTo(client.changed(create(home, 'p', { mode: 0o010600 })));
  t.equal(await kindOf(() => client.change(setattr(p, { size: 0 }))), 'EINVAL');
  const root = client.changed(setattr(home, { mode: 0o777, mtime: at(77) }));
  t.strictSame([root.mode & 0o7777, root.mtime], [0o700, at(77)], 'the mode of the home itself stays');
  t.equal(await kindOf(() => client.change(setattr(home, { size: 0 }))), 'EISDIR');
});

partsTest('write: in place, beyond the end, at the end', {}, async (t, parts) => {
  const client = parts.client();
  const f = refTo(client.changed(create(parts.home, 'f')));
  client.change(write(f, 3, 'def', at(1)));
  client.change(write(f, 0, 'abc', at(2)));
  client.change(write(f, null, 'ghi'));
  t.equal(readFileSync(join(parts.directory, 'f'), 'latin1'), 'abcdefghi');
  t.strictSame(client.changed(write(f, 0, 'A', at(3))).mtime, at(3));
  t.equal(client.changed(write(f, 1000, '')).size, 9, 'nothing is nothing');
  chmodSync(join(parts.directory, 'f'), 0o6755);
  client.change(write(f, 0, 'a'));
  t.equal(
    lstatSync(join(parts.directory, 'f')).mode & 0o7777,
    0o755,
    'set-id bits of before do not outlast it',
  );
  t.equal(await kindOf(() => client.log(write(f, null, 'x'))), 'EINVAL', 'a log does not append');
  t.equal(await kindOf(() => client.change({ ...write(f, 0, ''), data: null } as never)), 'EINVAL');
  t.equal(await kindOf(() => client.change(write(f, Number.MAX_SAFE_INTEGER, 'x'))), 'EFBIG');
  t.equal(await kindOf(() => client.change(write(parts.home, 0, 'x'))), 'EISDIR');
  const p = refTo(client.changed(create(parts.home, 'p', { mode: 0o010600 })));
  t.equal(await kindOf(() => client.change(write(p, 0, 'x'))), 'ENXIO');
  const s = refTo(client.changed(symlink(parts.home, 's', 'f')));
  t.equal(await kindOf(() => client.change(write(s, 0, 'x'))), 'ELOOP');
});

partsTest(
  'no file is larger than the disk takes, before the quota counts',
  { largestFile: 100, bytes: 50 },
  async (t, parts) => {
    const client = parts.client();
    const f = refTo(client.changed(create(parts.home, 'f')));
    t.equal(await kindOf(() => client.change(setattr(f, { size: 101 }))), 'EFBIG');
    t.equal(await kindOf(() => client.change(setattr(f, { size: 100 }))), 'EDQUOT');
    t.equal(await kindOf(() => client.change(write(f, 100, 'x'))), 'EFBIG');
    t.equal(await kindOf(() => client.change(write(f, 99, 'x'))), 'EDQUOT');
    parts.quota.setLimits({ bytes: 200, files: 10 });
    t.equal(await kindOf(() => client.change(write(f, 98, 'xyz'))), 'EFBIG', 'the rest of it');
    t.equal(lstatSync(join(parts.directory, 'f')).size, 100);
  },
);

partsTest('a file that is held is used by its id until it is released', {}, async (t, parts) => {
  const one = parts.client();
  const two = parts.client();
  const f = one.changed(create(parts.home, 'f'));
  one.change(write(refTo(f), 0, Buffer.alloc(60)));
  one.change(unlink(parts.home, 'f', { hold: true }));
  two.held.hold(parts.identities.file(refTo(f)));
  t.strictSame(parts.quota.used, { bytes: 60, files: 1 });
  t.strictSame((await parts.counts()).counted, { bytes: 60, files: 1 }, 'a count knows of it');
  t.match(one.changed(write(refTo(f), 60, 'more')), { size: 64, nlink: 0 });
  t.match(one.changed(setattr(refTo(f), { size: 30, mode: 0o600, mtime: at(3) })), {
    size: 30,
    mode: 0o100600,
    mtime: at(3),
  });
  one.change(release(idOf(f)));
  t.strictSame(parts.quota.used, { bytes: 30, files: 1 }, 'another client has it');
  t.equal(parts.identities.readable(refTo(f)).status.size, 30);
  two.change(release(idOf(f)));
  t.strictSame(parts.quota.used, { bytes: 0, files: 0 });
  t.equal(await kindOf(() => one.change(write(refTo(f), 0, 'x'))), 'ESTALE');
  one.change(release(idOf(f)));
});

partsTest('what a rename replaces can be held', {}, async (t, parts) => {
  const client = parts.client();
  const old = client.changed(create(parts.home, 'program'));
  client.change(write(refTo(old), 0, 'old'));
  const fresh = client.changed(create(parts.home, 'new'));
  const ids = { id: idOf(fresh), replaced: idOf(old) };
  client.change(rename([parts.home, 'new'], [parts.home, 'program'], { ...ids, hold: true }));
  t.equal(parts.identities.readable(refTo(old)).status.size, 3);
  t.strictSame(parts.quota.used, { bytes: 3, files: 2 });
  client.change(release(idOf(old)));
  t.strictSame(parts.quota.used, { bytes: 0, files: 1 });
});

partsTest('in a batch only ids are told that the client cannot know', {}, (t, parts) => {
  const client = parts.client();
  const [, , regular, directories] = client.grant.take(0, 0, 1, 1);
  const [file, directory] = [regular[0], directories[0]];
  if (file === undefined || directory === undefined) throw new Error('nothing was granted');
  const told = client.log(
    mkdir(parts.home, 'd', { id: directory }),
    create({ ...directory, path: null }, 'f', { id: file }),
    write({ ...file, path: null }, 0, 'data'),
    symlink({ ...directory, path: null }, 's', 'f', { id: { ino: 0n, birth: 1n } }),
    create({ ...directory, path: null }, 'p', { mode: 0o010600, id: { ino: 0n, birth: 2n } }),
    create({ ...directory, path: null }, 'lost', { id: { ino: 999_999_999n, birth: 5n } }),
    write({ ino: 999_999_999n, birth: 5n, path: null }, 0, 'by the id that was lost'),
    setattr({ ino: 0n, birth: 1n, path: null }, { mtime: at(1) }),
    unlink({ ...directory, path: null }, 'p', { id: { ino: 0n, birth: 2n } }),
  );
  t.strictSame(
    told.map((statuses) => statuses.length),
    [0, 0, 0, 1, 1, 1, 0, 0, 0],
  );
  t.equal(lstatSync(join(parts.directory, 'd/f')).ino, Number(file.ino));
  t.equal(lstatSync(join(parts.directory, 'd')).ino, Number(directory.ino));
  t.equal(lstatSync(join(parts.directory, 'd/lost')).size, 23);
  t.equal(lstatSync(join(parts.directory, 'd/s')).mtimeMs, at(1).sec * 1000);
});

partsTest('a batch leaves the times that its client showed', {}, (t, parts) => {
  const client = parts.client();
  const [d, e] = ['d', 'e'].map((name) => refTo(client.changed(mkdir(parts.home, name))));
  if (d === undefined || e === undefined) throw new Error('not made');
  client.log(
    create(d, '1', { time: at(1) }),
    create(d, '2', { time: at(2) }),
    create(e, '1', { time: at(3) }),
    setattr(e, { mtime: at(-100), time: at(4) }),
    mkdir(parts.home, 'gone', { time: at(5) }),
    create(ref('gone'), 'x', { time: at(6) }),
    unlink(ref('gone'), 'x', { time: at(7) }),
    { ...rmdir(parts.home, 'gone'), time: at(8) } as never,
    rename([d, '2'], [d, 'two'], { time: at(9) }),
    rename([parts.home, 'd'], [parts.home, 'D'], { time: at(10) }),
  );
  const times = (path: string): unknown[] => {
    const { status } = parts.identities.file(ref(path));
    return [status.mtime, parts.shown.ctime(status)];
  };
  t.strictSame(times('D'), [at(9), at(10)]);
  t.strictSame(times('e'), [at(-100), at(4)], 'what is set after names changed stays');
  t.strictSame(times(''), [at(10), at(10)]);
  t.strictSame(times('D/1'), [at(1), at(1)]);
  t.strictSame(times('D/two'), [at(2), at(9)]);
});

partsTest('a new file has its own times and those of its first write', {}, (t, parts) => {
  const client = parts.client();
  const [, , ids] = client.grant.take(0, 0, 4, 0);
  const [a, b, c, d] = ids;
  if (a === undefined || b === undefined || c === undefined || d === undefined)
    throw new Error('none granted');
  client.log(
    create(parts.home, 'a', { id: a, time: at(1) }),
    write({ ...a, path: null }, 0, 'x', at(2)),
    create(parts.home, 'b', { id: b, time: at(3) }),
    write({ ...a, path: null }, 0, 'x', at(4)),
    create(parts.home, 'c', { id: c, time: at(5), mode: 0o600 }),
    setattr({ ...c, path: null }, { mtime: at(-7), time: at(6) }),
    create(parts.home, 'd', { id: d, time: at(7) }),
  );
  const times = (name: string): unknown[] => {
    const { status } = parts.identities.file(ref(name));
    return [status.atime, status.mtime, parts.shown.ctime(status)];
  };
  t.strictSame(times('a'), [at(1), at(4), at(4)]);
  t.strictSame(times('b'), [at(3), at(3), at(3)]);
  t.strictSame(times('c'), [at(5), at(-7), at(6)]);
  t.strictSame(times('d'), [at(7), at(7), at(7)]);
});

partsTest('carried out a second time, nothing happens twice', {}, (t, parts) => {
  const client = parts.client();
  const { home } = parts;
  const [, , regular, directories] = client.grant.take(0, 0, 2, 1);
  const [f, g] = regular;
  const [d] = directories;
  if (f === undefined || g === undefined || d === undefined) throw new Error('nothing was granted');
  const inD = { ...d, path: null };
  const operations = [
    mkdir(home, 'd', { id: d, time: at(1) }),
    create(inD, 'f', { id: f, time: at(2) }),
    write({ ...f, path: null }, 0, 'data', at(3)),
    symlink(inD, 's', 'target', { id: { ino: 0n, birth: 9n }, time: at(4) }),
    create(inD, 'p', { mode: 0o010600, id: { ino: 0n, birth: 10n }, time: at(5) }),
    link({ ...f, path: null }, inD, 'linked', at(6)),
    create(home, 'g', { id: g, time: at(7) }),
    unlink(home, 'g', { id: g, time: at(8) }),
    rename([inD, 'linked'], [home, 'renamed'], { id: f, time: at(9) }),
  ];
  for (const operation of operations) client.log(operation);
  const before = JSON.stringify(treeOf(parts));
  // As after a crash: the last one is in doubt; after a power cut all are that are not durable.
  client.replay(...operations.slice(-1));
  t.equal(JSON.stringify(treeOf(parts)), before);
  for (const operation of operations.slice(1, 6)) client.replay(operation);
  client.replay(...operations.slice(7));
  t.equal(JSON.stringify(treeOf(parts)), before);
  client.replay(rmdir(home, 'never', d), unlink(home, 'd', { id: g }));
  t.equal(JSON.stringify(treeOf(parts)), before);
});

/** Names, inode numbers, kinds and sizes in a home. */
function treeOf(parts: Parts): unknown[] {
  return readdirSync(parts.directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => !name.startsWith('.ftpmount'))
    .toSorted()
    .map((name) => {
      const { ino, mode, size, nlink } = lstatSync(join(parts.directory, name));
      return [name, ino, mode, size, nlink];
    });
}

partsTest("the daemon's own name is nobody's", {}, async (t, parts) => {
  const client = parts.client();
  const { home } = parts;
  const f = refTo(client.changed(create(home, 'f')));
  const own = '.ftpmount';
  for (const operation of [
    create(home, own),
    mkdir(home, own),
    symlink(home, own, 'x'),
    link(f, home, own),
    rename([home, 'f'], [home, own]),
    rename([home, 'f'], [home, own], { flags: EXCHANGE }),
  ]) {
    t.equal(await kindOf(() => client.change(operation)), 'EACCES');
  }
  for (const operation of [unlink(home, own), rmdir(home, own), rename([home, own], [home, 'x'])]) {
    t.equal(await kindOf(() => client.change(operation)), 'ENOENT');
  }
  for (const path of [own, `${own}/times`]) {
    t.equal(await kindOf(() => client.change(setattr(ref(path), { mode: 0o777 }))), 'ENOENT');
    t.equal(await kindOf(() => client.change(create(ref(path), 'x'))), 'ENOENT');
  }
  const d = refTo(client.changed(mkdir(home, 'd')));
  client.change(mkdir(d, own));
  t.pass('elsewhere the name is free');
});

partsTest('a name that was exchanged behind the daemon is not taken for the file', {}, async (t, parts) => {
  const client = parts.client();
  const f = client.changed(create(parts.home, 'f'));
  execFileSync('mv', [join(parts.directory, 'f'), join(parts.directory, 'elsewhere')]);
  writeFileSync(join(parts.directory, 'f'), 'another');
  parts.quota.reserve(7, 1);
  t.equal(await kindOf(() => client.change(setattr(refTo(f), { mode: 0o600 }))), 'ESTALE');
  const hinted = { ...idOf(f), path: ref('elsewhere').path };
  t.equal(client.changed(setattr(hinted, { mode: 0o600 })).mode, 0o100600, 'a hint that leads there');
  t.equal(
    await kindOf(() => client.change(setattr({ ...idOf(f), birth: 1n, path: ref('f').path }, {}))),
    'ESTALE',
  );
});

const onlyRoot = process.geteuid?.() === 0 ? {} : { skip: 'only root can become another user' };

void t.test('a daemon that is not root writes where the mode allows nobody to', onlyRoot, async (t) => {
  const directory = join(temporaryDirectory(t, { uid: NOBODY, gid: NOBODY }), 'home');
  process.seteuid?.(NOBODY);
  t.teardown(() => process.seteuid?.(0));
  mkdirSync(directory, { mode: 0o700 });
  const parts = new Parts(directory);
  const client = parts.client();
  const f = client.changed(create(parts.home, 'f', { mode: 0o444 }));
  // Enough other files that the descriptor of its making is closed.
  for (let i = 0; i < 200; i++) client.change(create(parts.home, `other${i}`));
  client.change(write(refTo(f), 0, 'git writes its objects so'));
  t.equal(lstatSync(join(directory, 'f')).mode, 0o100444);
  client.change(unlink(parts.home, 'f', { hold: true }));
  client.change(write(refTo(f), 0, 'without a name, too'));
  t.equal(client.changed(setattr(refTo(f), {})).mode, 0o100444);
  const d = refTo(client.changed(mkdir(parts.home, 'd', { mode: 0o500 })));
  t.equal(await kindOf(() => client.change(create(d, 'x'))), 'EACCES');
  parts.close();
});

void t.test('a full disk is ENOSPC with what fits written, and the charge stays exact', async (t) => {
  const directory = temporaryDirectory(t);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k,nr_inodes=24,mode=0700', 'tmpfs', directory]);
  t.teardown(() => execFileSync('umount', ['-l', directory]));
  const parts = new Parts(directory, { bytes: 1 << 30, files: 1000 });
  const client = parts.client();
  const f = client.changed(create(parts.home, 'f'));
  t.equal(await kindOf(() => client.change(write(refTo(f), 0, Buffer.alloc(400 * 1024, 1)))), 'ENOSPC');
  t.ok(parts.quota.used.bytes > 100 * 1024, 'what fits was written');
  t.equal(parts.quota.used.bytes, parts.identities.file(refTo(f)).status.size);
  client.change(setattr(refTo(f), { size: 0 }));
  const kinds = new Set<string>();
  for (let i = 0; i < 30; i++) kinds.add(await kindOf(() => client.change(create(parts.home, `n${i}`))));
  t.strictSame([...kinds], ['no failure', 'ENOSPC']);
  t.strictSame(client.grant.take(0, 0, 5, 5).slice(2), [[], []], 'and no inodes are left to grant');
  const { charged, counted } = await parts.counts();
  t.strictSame(charged, counted);
  parts.close();
});

partsTest('a link made behind the daemon is charged once', {}, (t, parts) => {
  const client = parts.client();
  client.change(create(parts.home, 'f'));
  linkSync(join(parts.directory, 'f'), join(parts.directory, 'g'));
  client.change(unlink(parts.home, 'f'));
  t.equal(parts.quota.used.files, 1);
  client.change(unlink(parts.home, 'g'));
  t.equal(parts.quota.used.files, 0);
});
