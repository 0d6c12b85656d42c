import { Packr, Unpackr } from 'msgpackr';
import t from 'tap';
import { remotePath } from '../../protocol/ids.js';
import {
  MAX_COPY,
  MAX_DATA,
  MAX_NAME,
  MAX_TARGET,
  MAX_XATTR_NAME,
  MAX_XATTR_VALUE,
} from '../../protocol/limits.js';
import {
  ALLOCATE,
  COPY,
  CREATE,
  LINK,
  MKDIR,
  operation,
  packOperation,
  RELEASE,
  REMOVEXATTR,
  RENAME,
  RENAME_EXCHANGE,
  RMDIR,
  SETATTR,
  SETXATTR,
  SYMLINK,
  TMPFILE,
  UNLINK,
  WRITE,
  type Operation,
} from '../../protocol/operations.js';
import { XATTR_CREATE } from '../../protocol/xattrs.js';
import { failing } from '../lib/failing.js';

const packr = new Packr({ useRecords: false });
const unpackr = new Unpackr({ useRecords: false });

function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(/\s/g, ''), 'hex');
}

const DIRECTORY = { ino: 16n, birth: 17n, path: null };
const OTHER = { ino: 18n, birth: 19n, path: remotePath(Buffer.from('b')) };
const FILE = { ino: 32n, birth: 33n, path: null };
const ID = { ino: 32n, birth: 33n };
const OTHER_ID = { ino: 34n, birth: 35n };
const NAME = Buffer.from('n');
const TIME = { sec: 7, nsec: 8 };
const OWNER = { uid: 1000, gid: 100 };
const UNOWNED = { uid: null, gid: null };
const MADE = { directory: DIRECTORY, name: NAME, time: TIME };

/** One of each kind and what its bytes are: [directory, name, time] begin most of them. */
const FIXTURES: Record<string, { op: Operation; bytes: string }> = {
  CREATE: {
    op: { kind: CREATE, ...MADE, mode: 0o100644, id: ID, owner: null, rdev: 0 },
    bytes: '96 00  92 10 11  c4 01 6e  92 07 08  cd 81a4  92 20 21',
  },
  'CREATE of any file': {
    op: { kind: CREATE, ...MADE, time: null, mode: 0o010600, id: null, owner: null, rdev: 0 },
    bytes: '96 00  92 10 11  c4 01 6e  c0  cd 1180  c0',
  },
  'CREATE of a device, with an owner': {
    op: { kind: CREATE, ...MADE, mode: 0o020600, id: ID, owner: OWNER, rdev: 0x103 },
    bytes: '99 00  92 10 11  c4 01 6e  92 07 08  cd 2180  92 20 21  cd 03e8  64  cd 0103',
  },
  'MKDIR with an owner': {
    op: { kind: MKDIR, ...MADE, mode: 0o2755, id: ID, owner: OWNER },
    bytes: '98 01  92 10 11  c4 01 6e  92 07 08  cd 05ed  92 20 21  cd 03e8  64',
  },
  'SYMLINK with an owner': {
    op: { kind: SYMLINK, ...MADE, target: Buffer.from('t'), id: null, owner: OWNER },
    bytes: '98 02  92 10 11  c4 01 6e  92 07 08  c4 01 74  c0  cd 03e8  64',
  },
  'SETATTR of a group': {
    op: {
      ...{ kind: SETATTR, file: FILE, time: null, mode: null, size: null, atime: null, mtime: null },
      ...{ uid: null, gid: 100 },
    },
    bytes: '99 07  92 20 21  c0  c0  c0  c0  c0  c0  64',
  },
  'TMPFILE with an owner': {
    op: { kind: TMPFILE, directory: DIRECTORY, time: TIME, mode: 0o640, owner: OWNER },
    bytes: '96 0e  92 10 11  92 07 08  cd 01a0  cd 03e8  64',
  },
  MKDIR: {
    op: { kind: MKDIR, ...MADE, mode: 0o755, id: ID, owner: null },
    bytes: '96 01  92 10 11  c4 01 6e  92 07 08  cd 01ed  92 20 21',
  },
  SYMLINK: {
    op: { kind: SYMLINK, ...MADE, target: Buffer.from('../t'), id: { ino: 0n, birth: 3n }, owner: null },
    bytes: '96 02  92 10 11  c4 01 6e  92 07 08  c4 04 2e2e2f74  92 00 03',
  },
  LINK: {
    op: { kind: LINK, ...MADE, file: FILE },
    bytes: '95 03  92 10 11  c4 01 6e  92 07 08  92 20 21',
  },
  UNLINK: {
    op: { kind: UNLINK, ...MADE, id: ID, hold: true },
    bytes: '96 04  92 10 11  c4 01 6e  92 07 08  92 20 21  c3',
  },
  RMDIR: {
    op: { kind: RMDIR, ...MADE, id: null },
    bytes: '95 05  92 10 11  c4 01 6e  92 07 08  c0',
  },
  RENAME: {
    op: {
      kind: RENAME,
      ...{ ...MADE, id: ID, newDirectory: OTHER, newName: Buffer.from('m'), replaced: OTHER_ID },
      ...{ flags: RENAME_EXCHANGE, hold: false },
    },
    bytes: '9a 06  92 10 11  c4 01 6e  92 07 08  92 20 21  93 12 13 c4 01 62  c4 01 6d  92 22 23  02  c2',
  },
  SETATTR: {
    op: {
      kind: SETATTR,
      file: FILE,
      time: TIME,
      mode: 0o600,
      size: 5,
      atime: 'now',
      mtime: { sec: -1, nsec: 0 },
      ...{ uid: null, gid: null },
    },
    bytes: '97 07  92 20 21  92 07 08  cd 0180  05  90  92 ff 00',
  },
  'SETATTR of nothing': {
    op: {
      kind: SETATTR,
      file: FILE,
      time: null,
      mode: null,
      size: null,
      atime: null,
      mtime: null,
      ...UNOWNED,
    },
    bytes: '97 07  92 20 21  c0  c0  c0  c0  c0',
  },
  WRITE: {
    op: { kind: WRITE, file: FILE, time: TIME, offset: 4096, data: Buffer.from('hi') },
    bytes: '95 08  92 20 21  92 07 08  cd 1000  c4 02 6869',
  },
  'WRITE at the end, its data elsewhere': {
    op: { kind: WRITE, file: FILE, time: TIME, offset: null, data: null },
    bytes: '95 08  92 20 21  92 07 08  c0  c0',
  },
  RELEASE: {
    op: { kind: RELEASE, id: ID },
    bytes: '92 09  92 20 21',
  },
  SETXATTR: {
    op: {
      kind: SETXATTR,
      ...{
        file: FILE,
        time: TIME,
        xattr: Buffer.from('user.a'),
        value: Buffer.from('v'),
        flags: XATTR_CREATE,
      },
    },
    bytes: '96 0a  92 20 21  92 07 08  c4 06 757365722e61  c4 01 76  01',
  },
  REMOVEXATTR: {
    op: { kind: REMOVEXATTR, file: FILE, time: null, xattr: Buffer.from('user.a') },
    bytes: '94 0b  92 20 21  c0  c4 06 757365722e61',
  },
  ALLOCATE: {
    op: { kind: ALLOCATE, file: FILE, time: TIME, mode: 3, offset: 5, length: 6 },
    bytes: '96 0c  92 20 21  92 07 08  03  05  06',
  },
  COPY: {
    op: { kind: COPY, file: FILE, time: TIME, offset: 5, source: OTHER, sourceOffset: 6, length: 7 },
    bytes: '97 0d  92 20 21  92 07 08  05  93 12 13 c4 01 62  06  07',
  },
  TMPFILE: {
    op: { kind: TMPFILE, directory: DIRECTORY, time: TIME, mode: 0o640, owner: null },
    bytes: '94 0e  92 10 11  92 07 08  cd 01a0',
  },
};

/** How many elements there may be at most, where those of owners are not said. */
const MOST: Record<number, number> = { [CREATE]: 9, [MKDIR]: 8, [SYMLINK]: 8, [SETATTR]: 9, [TMPFILE]: 6 };

/** How many elements at the end may be missing, as they are nil then. */
const OPTIONAL_AT_THE_END: Record<string, number> = {
  CREATE: 1,
  'CREATE of any file': 1,
  MKDIR: 1,
  SYMLINK: 1,
  RMDIR: 2,
  SETATTR: 5,
  'SETATTR of a group': 7,
  'SETATTR of nothing': 5,
  WRITE: 3,
  'WRITE at the end, its data elsewhere': 3,
};

/** To how many elements others may be cut: of an owner both ids are said, or neither. */
const WHOLE_WHERE_CUT: Record<string, readonly number[]> = {
  'CREATE of a device, with an owner': [5, 6, 8],
  'MKDIR with an owner': [5, 6],
  'SYMLINK with an owner': [5, 6],
  'TMPFILE with an owner': [4],
};

for (const [name, { op, bytes }] of Object.entries(FIXTURES)) {
  t.test(name, async (t) => {
    const packed = packr.pack(packOperation(op));
    t.same(packed, hex(bytes), 'its bytes');
    t.same(operation(unpackr.unpack(hex(bytes))), op, 'and back');

    const whole = packOperation(op);
    const padding = new Array<null>(Math.max(0, (MOST[op.kind] ?? 0) - whole.length)).fill(null);
    const appended = [...structured(whole), ...padding, 'of a later version'];
    t.same(operation(appended), op, 'a later version may append');
    for (let length = 0; length < whole.length; length++) {
      const cut = structured(whole).slice(0, length);
      const isWhole =
        WHOLE_WHERE_CUT[name]?.includes(length) ?? length >= whole.length - (OPTIONAL_AT_THE_END[name] ?? 0);
      if (isWhole) {
        t.doesNotThrow(() => operation(cut), `${length} elements`);
      } else {
        t.throws(() => operation(cut), failing('EINVAL'), `${length} elements`);
      }
    }
    for (let length = 0; length < packed.length; length++) {
      t.throws(() => operation(unpackr.unpack(Buffer.from(packed.subarray(0, length)))), `${length} bytes`);
    }
    for (let at = 1; at < whole.length; at++) {
      const spoilt = structured(whole);
      spoilt[at] = 'a text';
      t.throws(() => operation(spoilt), failing('EINVAL'), `a text at ${at}`);
    }
  });
}

/** The packed form as it comes off the wire, to be changed. */
function structured(packed: unknown[]): unknown[] {
  return unpackr.unpack(packr.pack(packed)) as unknown[];
}

function spoil(name: string, at: number, value: unknown): () => Operation {
  const packed = structured(packOperation(FIXTURES[name]?.op ?? { kind: RELEASE, id: ID }));
  packed[at] = value;
  return () => operation(packed);
}

t.test('owners', async (t) => {
  const [device, group] = ['CREATE of a device, with an owner', 'SETATTR of a group'];
  for (const id of [-1, 2 ** 32 - 1, 2 ** 32, 0.5, '0', true, [0]]) {
    for (const at of [6, 7]) t.throws(spoil(device, at, id), failing('EINVAL'), `${String(id)} at ${at}`);
    for (const at of [7, 8]) t.throws(spoil(group, at, id), failing('EINVAL'), `${String(id)} at ${at}`);
  }
  t.throws(spoil(device, 8, 2 ** 32), failing('EINVAL'), 'no number of a device');
  t.match(spoil(device, 6, 2 ** 32 - 2)(), { owner: { uid: 2 ** 32 - 2, gid: 100 } }, 'the highest');
  t.throws(spoil(device, 6, null), failing('EINVAL'), 'a group without a user');
  t.match(spoil(group, 7, 0)(), { uid: 0, gid: 100 });
});

t.test('kinds', async (t) => {
  for (const kind of [-1, 15, 255, 2 ** 53, 0.5, '0', 'toString', '__proto__', null, true, [0]]) {
    t.throws(spoil('CREATE', 0, kind), failing('EINVAL'), String(kind));
  }
  t.match(spoil('RELEASE', 0, 9n)(), { kind: RELEASE }, 'in any form of an integer');
  for (const value of [null, undefined, 9, 'RELEASE', Buffer.from([0x92]), {}, []]) {
    t.throws(() => operation(value), failing('EINVAL'));
  }
});

t.test('names that are none', async (t) => {
  for (const name of ['', '.', '..', 'a/b', '/', 'a\0']) {
    for (const kind of ['CREATE', 'MKDIR', 'SYMLINK', 'LINK', 'UNLINK', 'RMDIR', 'RENAME']) {
      t.throws(spoil(kind, 2, Buffer.from(name)), failing('EINVAL'), `${kind} of ${JSON.stringify(name)}`);
    }
    t.throws(spoil('RENAME', 6, Buffer.from(name)), failing('EINVAL'), `RENAME to ${JSON.stringify(name)}`);
  }
  t.throws(spoil('CREATE', 2, Buffer.alloc(MAX_NAME + 1, 0x61)), failing('ENAMETOOLONG'));
  t.doesNotThrow(spoil('CREATE', 2, Buffer.alloc(MAX_NAME, 0xff)), 'any bytes are a name');
});

t.test('extended attributes that are none of a user', async (t) => {
  const names = [
    '',
    'a',
    'user',
    'user.',
    'User.a',
    'security.capability',
    'trusted.a',
    'system.posix_acl_access',
  ];
  for (const name of [...names, 'user.a\0b', `user.${'x'.repeat(MAX_XATTR_NAME - 4)}`]) {
    t.throws(spoil('SETXATTR', 3, Buffer.from(name)), failing('EINVAL'), JSON.stringify(name));
    t.throws(spoil('REMOVEXATTR', 3, Buffer.from(name)), failing('EINVAL'), JSON.stringify(name));
  }
  t.doesNotThrow(spoil('SETXATTR', 3, Buffer.from(`user.${'x'.repeat(MAX_XATTR_NAME - 5)}`)));
  t.throws(spoil('SETXATTR', 4, Buffer.alloc(MAX_XATTR_VALUE + 1)), failing('EINVAL'));
  t.doesNotThrow(spoil('SETXATTR', 4, Buffer.alloc(MAX_XATTR_VALUE)));
  t.doesNotThrow(spoil('SETXATTR', 5, 3), 'both flags');
  t.throws(spoil('SETXATTR', 5, 4), failing('EINVAL'), 'another one');
});

t.test('values out of range', async (t) => {
  const cases: Record<string, () => Operation> = {
    'a mode past st_mode': spoil('CREATE', 4, 0o200000),
    'a type in the permissions of a directory': spoil('MKDIR', 4, 0o040755),
    'a type in the permissions to set': spoil('SETATTR', 3, 0o100600),
    'an empty target': spoil('SYMLINK', 4, Buffer.alloc(0)),
    'a target with a NUL': spoil('SYMLINK', 4, Buffer.from('a\0b')),
    'a target too long': spoil('SYMLINK', 4, Buffer.alloc(MAX_TARGET + 1, 0x61)),
    'flags that are none': spoil('RENAME', 8, 8),
    'a path for an id': spoil('UNLINK', 4, Buffer.from('n')),
    'a hint that leads out': spoil('LINK', 4, [1, 2, Buffer.from('..')]),
    'a negative size': spoil('SETATTR', 4, -1),
    'a size past 2^53': spoil('SETATTR', 4, 2n ** 53n),
    'a negative offset': spoil('WRITE', 3, -1),
    'more data than one operation carries': spoil('WRITE', 4, Buffer.alloc(MAX_DATA + 1)),
    'a copy of nothing': spoil('COPY', 6, 0),
    'a copy of more than one operation carries': spoil('COPY', 6, MAX_COPY + 1),
    'room for nothing': spoil('ALLOCATE', 5, 0),
    'a time of half a second': spoil('SETATTR', 5, [0.5, 0]),
    'a second of nanoseconds': spoil('SETATTR', 5, [0, 1_000_000_000]),
    'a time without nanoseconds': spoil('SETATTR', 5, [1]),
    'now for what is no time to set': spoil('CREATE', 3, []),
    'a number for a truth': spoil('UNLINK', 5, 1),
    'an id past 64 bits': spoil('RELEASE', 1, [2n ** 64n, 0]),
  };
  for (const [name, read] of Object.entries(cases)) t.throws(read, failing('EINVAL'), name);
});

t.test('ways to allocate that there are not', async (t) => {
  for (const mode of [2, 8, 17 + 2, 32, 64]) t.throws(spoil('ALLOCATE', 3, mode), failing('EOPNOTSUPP'));
});

t.test('data is a view of the message', async (t) => {
  const message = hex(FIXTURES['WRITE']?.bytes ?? '');
  const op = operation(unpackr.unpack(message));
  message.fill(0x78, message.length - 2);
  t.match(op, { data: Buffer.from('xx') });
});
