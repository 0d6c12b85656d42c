/* Virtual owners at the server: what operations make of them, where they are kept, and what becomes of them. */
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { idOf } from '../../../../daemon/home/disk/file-ids.js';
import { xattrBytes } from '../../../../daemon/home/disk/file-xattrs.js';
import type { ToldStatus } from '../../../../daemon/home/files/owner-record.js';
import { OWNER_XATTR, VirtualOwners } from '../../../../daemon/home/files/virtual-owners.js';
import { mknodat } from '../../../../posix/names.js';
import { getXattr } from '../../../../posix/xattrs.js';
import { RENAME_EXCHANGE, SETXATTR, TMPFILE } from '../../../../protocol/operations.js';
import { ref } from '../../../lib/path-client.js';
import { kindOf } from '../fixture.js';
import {
  create,
  link,
  mkdir,
  partsTest,
  refTo,
  release,
  rename,
  setattr,
  symlink,
  unlink,
  write,
  type Parts,
} from '../home-parts.js';

const OWNERS = { owners: true };
const ALICE = { uid: 1000, gid: 100 };
const HIGHEST = { uid: 2 ** 32 - 2, gid: 2 ** 32 - 2 };

/** MODE:UID:GID:RDEV, as a client is told it. */
function text({ mode, uid, gid, rdev }: ToldStatus): string {
  return `${mode.toString(8)}:${uid}:${gid}:${rdev}`;
}

/** The same of what is at a path, as another daemon would tell it. */
function told(parts: Parts, path: string): string {
  const owners = new VirtualOwners(parts.tree, true, parts.identities.root.ino);
  try {
    return text(owners.told(parts.identities.file(ref(path))));
  } finally {
    owners.close();
  }
}

/** What the disk itself has: type and mode, and whose it is. */
function onDisk(parts: Parts, path: string): string {
  const { mode, uid } = lstatSync(join(parts.directory, path));
  return `${mode.toString(8)}${uid === process.getuid?.() ? '' : ' of somebody else'}`;
}

/** What was made or removed behind the daemon's back is charged from now on. */
async function counted(parts: Parts): Promise<void> {
  parts.quota.correct((await parts.counts()).counted, { bytes: 0, files: 0 });
}

partsTest(
  'what is made is told with its owner and whole mode, and the disk has neither',
  OWNERS,
  (t, parts) => {
    const client = parts.client();
    const { home } = parts;
    const f = client.changed(create(home, 'f', { mode: 0o6751, owner: ALICE }));
    t.equal(text(f), '106751:1000:100:0');
    t.equal(onDisk(parts, 'f'), '100751');
    client.change(create(home, 'none', { mode: 0, owner: HIGHEST }));
    t.equal(told(parts, 'none'), '100000:4294967294:4294967294:0');
    t.equal(onDisk(parts, 'none'), '100600', 'the daemon can work with it');
    client.change(mkdir(home, 'd', { mode: 0o3050, owner: ALICE }));
    t.equal(told(parts, 'd'), '43050:1000:100:0');
    t.equal(onDisk(parts, 'd'), '41750');
    client.change(symlink(home, 'l', 'target', { owner: ALICE }));
    t.equal(told(parts, 'l'), '120777:1000:100:0');
    client.change(create(home, 'p', { mode: 0o010604, owner: ALICE }));
    t.equal(told(parts, 'p'), '10604:1000:100:0');
    client.change(create(home, 's', { mode: 0o140755, owner: ALICE }));
    t.equal(told(parts, 's'), '140755:1000:100:0');
    const [u] = client.change({ kind: TMPFILE, directory: home, time: null, mode: 0o4755, owner: ALICE });
    t.equal(u && text(u), '104755:1000:100:0');
  },
);

partsTest('what is made in a log is, too, of granted inodes as of others', OWNERS, (t, parts) => {
  const client = parts.client();
  const { home } = parts;
  const [, , files, directories] = client.grant.take(0, 0, 3, 1);
  const [f, plain, device] = files;
  client.log(
    create(home, 'f', { id: f ?? null, mode: 0o4700, owner: ALICE }),
    create(home, 'plain', { id: plain ?? null, mode: 0o644, owner: { uid: 0, gid: 0 } }),
    create(home, 'c', { id: device ?? null, mode: 0o020666, owner: ALICE, rdev: 0x103 }),
    mkdir(home, 'd', { id: directories[0] ?? null, mode: 0o2770, owner: ALICE }),
    symlink(home, 'l', 'x', { id: { ino: 0n, birth: 1n }, owner: ALICE }),
  );
  t.strictSame(
    ['f', 'plain', 'c', 'd', 'l'].map((path) => told(parts, path)),
    ['104700:1000:100:0', '100644:0:0:0', '20666:1000:100:259', '42770:1000:100:0', '120777:1000:100:0'],
  );
  t.equal(
    getXattr(parts.identities.file(ref('plain')), OWNER_XATTR),
    undefined,
    "root's plain file costs nothing",
  );
  t.equal(parts.identities.file(ref('c')).status.ino, device?.ino);
});

partsTest('a device is an empty file on the disk', OWNERS, (t, parts) => {
  const client = parts.client();
  const { home } = parts;
  t.equal(
    text(client.changed(create(home, 'c', { mode: 0o020640, owner: ALICE, rdev: 0xfff_fffff }))),
    '20640:1000:100:4294967295',
  );
  t.equal(onDisk(parts, 'c'), '100640');
  t.equal(readFileSync(join(parts.directory, 'c')).length, 0);
  client.change(setattr(ref('c'), { mode: 0o6777, uid: 7 }));
  t.equal(told(parts, 'c'), '26777:7:100:4294967295');
  t.equal(onDisk(parts, 'c'), '100777');
  const b = client.changed(create(home, 'b', { mode: 0o060600, owner: ALICE, rdev: 1 }));
  client.change(rename([home, 'b'], [home, 'c']));
  t.equal(told(parts, 'c'), '60600:1000:100:1', 'goes with its name');
  client.change(link(refTo(b), home, 'b2'));
  t.equal(told(parts, 'b2'), '60600:1000:100:1');
  client.change(setattr(refTo(b), { gid: 9 }));
  t.strictSame([told(parts, 'c'), told(parts, 'b2')], ['60600:1000:9:1', '60600:1000:9:1'], 'one file');
});

partsTest('who says no owner makes what belongs to whom the directory belongs', OWNERS, (t, parts) => {
  const client = parts.client();
  client.change(mkdir(parts.home, 'd', { owner: ALICE }));
  const d = ref('d');
  client.change(create(d, 'f'));
  client.log(create(d, 'logged'), mkdir(d, 'sub'));
  t.strictSame(
    ['d/f', 'd/logged', 'd/sub'].map((path) => told(parts, path)),
    ['100644:1000:100:0', '100644:1000:100:0', '40755:1000:100:0'],
  );
});

partsTest('group and set-group-ID come from the directory, of an awaited change', OWNERS, (t, parts) => {
  const client = parts.client();
  client.change(mkdir(parts.home, 'd', { mode: 0o2775, owner: { uid: 1, gid: 50 } }));
  const d = ref('d');
  client.change(create(d, 'f', { owner: ALICE }));
  client.change(mkdir(d, 'sub', { owner: ALICE }));
  client.change(symlink(d, 'l', 'x', { owner: ALICE }));
  t.strictSame(
    ['d/f', 'd/sub', 'd/l'].map((path) => told(parts, path)),
    ['100644:1000:50:0', '42755:1000:50:0', '120777:1000:50:0'],
  );
  // A log says what its client made, in the directory as it was then.
  client.log(create(d, 'g', { owner: ALICE }), mkdir(d, 'sub2', { owner: ALICE }));
  t.strictSame([told(parts, 'd/g'), told(parts, 'd/sub2')], ['100644:1000:100:0', '40755:1000:100:0']);
});

partsTest('changes of owner and mode', OWNERS, async (t, parts) => {
  const client = parts.client();
  const { home } = parts;
  const f = client.changed(create(home, 'f', { mode: 0o6755, owner: ALICE }));
  t.equal(text(client.changed(setattr(refTo(f), { uid: 5 }))), '100755:5:100:0', 'set-id bits go');
  t.equal(text(client.changed(setattr(refTo(f), { mode: 0o6745 }))), '106745:5:100:0');
  t.equal(
    text(client.changed(setattr(refTo(f), { gid: 6 }))),
    '102745:5:6:0',
    'the group may not execute it',
  );
  t.equal(
    text(client.changed(setattr(refTo(f), { uid: 0, gid: 0, mode: 0o4711 }))),
    '104711:0:0:0',
    'but what is said',
  );
  t.equal(text(client.changed(setattr(refTo(f), { mode: 0o644 }))), '100644:0:0:0');
  t.equal(getXattr(parts.identities.file(ref('f')), OWNER_XATTR), undefined, 'no record is needed any more');
  const d = client.changed(mkdir(home, 'd', { mode: 0o6777, owner: ALICE }));
  t.equal(
    text(client.changed(setattr(refTo(d), { uid: 1, gid: 2 }))),
    '46777:1:2:0',
    'of a directory they stay',
  );
  client.change(symlink(home, 'l', 'x', { owner: ALICE }));
  t.equal(text(client.changed(setattr(ref('l'), { uid: 3 }))), '120777:3:100:0');
  t.equal(await kindOf(() => client.change(setattr(ref('l'), { mode: 0o600 }))), 'EOPNOTSUPP');
  client.log(setattr(ref('l'), { uid: 0, gid: 0 }), setattr(ref('d'), { mode: 0o1777, uid: 0, gid: 0 }));
  t.strictSame([told(parts, 'l'), told(parts, 'd')], ['120777:0:0:0', '41777:0:0:0']);
});

partsTest('the home itself has an owner, and keeps its own mode', OWNERS, (t, parts) => {
  const client = parts.client();
  const before = statSync(parts.directory).mode;
  client.change(setattr(parts.home, { uid: 1000, gid: 100, mode: 0o1755 }));
  t.equal(told(parts, ''), '41755:1000:100:0');
  t.equal(statSync(parts.directory).mode, before);
});

partsTest('what was there before, and what comes behind the back, is of root', OWNERS, async (t, parts) => {
  const client = parts.client();
  const at = (name: string) => join(parts.directory, name);
  writeFileSync(at('f'), 'x', { mode: 0o640 });
  mkdirSync(at('d'), { mode: 0o750 });
  symlinkSync('x', at('l'));
  t.strictSame(
    ['f', 'd', 'l'].map((path) => told(parts, path)),
    ['100640:0:0:0', '40750:0:0:0', '120777:0:0:0'],
  );
  client.change(setattr(ref('f'), { uid: 1000, mode: 0o4640 }));
  chmodSync(at('f'), 0o4755);
  t.equal(
    told(parts, 'f'),
    '100755:1000:0:0',
    'the mode of the disk counts, without set-id bits; the owner stays',
  );
  chmodSync(at('f'), 0o700);
  t.equal(told(parts, 'f'), '100700:1000:0:0');
  await counted(parts);
});

partsTest('an inode number that is used again does not bring an owner back', OWNERS, async (t, parts) => {
  const client = parts.client();
  const { home } = parts;
  for (let turn = 0; turn < 40; turn++) {
    client.change(symlink(home, 'l', 'x', { owner: { uid: turn + 1, gid: 0 } }));
    // Every second one goes behind the daemon's back.
    if (turn % 2 === 0) client.change(unlink(home, 'l'));
    else unlinkSync(join(parts.directory, 'l'));
    symlinkSync('x', join(parts.directory, 'other'));
    if (told(parts, 'other') !== '120777:0:0:0') t.fail(`turn ${turn}`);
    unlinkSync(join(parts.directory, 'other'));
  }
  t.pass();
  await counted(parts);
});

partsTest('names come and go, owners stay with the file', OWNERS, (t, parts) => {
  const client = parts.client();
  const { home } = parts;
  const f = client.changed(create(home, 'f', { owner: ALICE }));
  client.change(symlink(home, 'l', 'x', { owner: { uid: 7, gid: 7 } }));
  client.change(rename([home, 'f'], [home, 'l'], { flags: RENAME_EXCHANGE }));
  t.strictSame([told(parts, 'f'), told(parts, 'l')], ['120777:7:7:0', '100644:1000:100:0']);
  client.change(link(ref('f'), home, 'l2'));
  client.change(unlink(home, 'f'));
  t.equal(told(parts, 'l2'), '120777:7:7:0', 'a symbolic link with a name left');
  const [held] = client.change(unlink(home, 'l', { hold: true }));
  t.equal(held && text(held), '100644:1000:100:0', 'a file that is open');
  const [changed] = client.change(setattr(refTo(f), { uid: 8 }));
  t.equal(changed && text(changed), '100644:8:100:0');
  client.change(write(refTo(f), 0, 'data'));
  client.change(release(idOf(f)));
});

partsTest(
  'a log that is replayed puts right what a daemon that was killed had not written',
  OWNERS,
  async (t, parts) => {
    const client = parts.client();
    const { home } = parts;
    const at = (name: string) => join(parts.directory, name);
    writeFileSync(at('f'), '', { mode: 0o644 });
    writeFileSync(at('c'), '', { mode: 0o600 });
    mkdirSync(at('d'), { mode: 0o700 });
    symlinkSync('x', at('l'));
    mknodat(parts.tree.root, Buffer.from('p'), 0o010600, 0);
    client.replay(
      create(home, 'f', { mode: 0o4755, owner: ALICE }),
      create(home, 'c', { mode: 0o020640, owner: ALICE, rdev: 5 }),
      mkdir(home, 'd', { mode: 0o2755, owner: ALICE }),
      symlink(home, 'l', 'x', { owner: ALICE }),
      create(home, 'p', { mode: 0o010620, owner: ALICE }),
      setattr(ref('f'), { uid: 4 }),
      setattr(ref('f'), { uid: 4 }),
    );
    t.strictSame(
      ['f', 'c', 'd', 'l', 'p'].map((path) => told(parts, path)),
      ['100755:4:100:0', '20640:1000:100:5', '42755:1000:100:0', '120777:1000:100:0', '10620:1000:100:0'],
    );
    await counted(parts);
  },
);

partsTest(
  'a file that has no room for the attribute has its record in the table',
  OWNERS,
  async (t, parts) => {
    const client = parts.client();
    const { home } = parts;
    client.change(create(home, 'f'));
    if (!(await fillXattrs(client, t))) return;
    client.change(setattr(ref('f'), { uid: 1000, gid: 100, mode: 0o4755 }));
    t.equal(told(parts, 'f'), '104755:1000:100:0');
    t.equal(getXattr(parts.identities.file(ref('f')), OWNER_XATTR), undefined);
    client.change(setattr(ref('f'), { uid: 1001 }));
    t.equal(told(parts, 'f'), '100755:1001:100:0');
    client.change(setattr(ref('f'), { uid: 0, gid: 0 }));
    t.equal(told(parts, 'f'), '100755:0:0:0', 'no record is needed any more');
    client.change(setattr(ref('f'), { uid: 9 }));
    client.change(unlink(home, 'f'));
    client.change(create(home, 'f'));
    t.equal(told(parts, 'f'), '100644:0:0:0');
  },
);

partsTest('the record is no attribute of the user, and costs nothing', OWNERS, async (t, parts) => {
  const client = parts.client();
  client.change(create(parts.home, 'f', { mode: 0o4755, owner: ALICE }));
  const file = parts.identities.file(ref('f'));
  t.ok(getXattr(file, OWNER_XATTR));
  t.equal(xattrBytes(file), 0);
  const own = { kind: SETXATTR, file: ref('f'), time: null, xattr: OWNER_XATTR, flags: 0 } as const;
  t.equal(await kindOf(() => client.change({ ...own, value: Buffer.from('100644:0:0') })), 'EACCES');
});

partsTest('without virtual owners what is said of them is not heard', {}, async (t, parts) => {
  const client = parts.client();
  const { home } = parts;
  const f = client.changed(create(home, 'f', { mode: 0o4755, owner: ALICE }));
  t.strictSame([f.mode, f.uid], [0o100755, process.getuid?.()]);
  client.log(setattr(ref('f'), { uid: 5, gid: 6 }), symlink(home, 'l', 'x', { owner: ALICE }));
  t.strictSame([told(parts, 'f'), told(parts, 'l')], ['100755:0:0:0', '120777:0:0:0'], 'nothing is kept');
  for (const mode of [0o020600, 0o060600]) {
    t.equal(await kindOf(() => client.change(create(home, 'c', { mode, owner: ALICE, rdev: 1 }))), 'EPERM');
  }
});

/** Until the disk takes no more of the file. False on one that takes all. */
async function fillXattrs(client: ReturnType<Parts['client']>, t: Test): Promise<boolean> {
  const setXattr = { kind: SETXATTR, file: ref('f'), time: null, flags: 0 } as const;
  for (let number = 0; number < 100; number++) {
    const xattr = Buffer.from(`user.${number}`);
    for (const bytes of [1000, 100, 1]) {
      const set = { ...setXattr, xattr, value: Buffer.alloc(bytes) };
      if ((await kindOf(() => client.change(set))) === 'no failure') break;
      if (bytes === 1) return true;
    }
  }
  t.pass('this disk takes all of a file');
  return false;
}
