import { Packr, Unpackr } from 'msgpackr';
import t from 'tap';
import { remotePath } from '../../protocol/ids.js';
import { MAX_NAME, MAX_PATH, MAX_PATH_NAMES } from '../../protocol/limits.js';
import {
  compact,
  fileId,
  fileRef,
  packId,
  packRef,
  realId,
  sameId,
  type FileRef,
} from '../../protocol/references.js';
import { attributes } from '../../protocol/attributes.js';
import { failing } from '../lib/failing.js';

const packr = new Packr({ useRecords: false });
const unpackr = new Unpackr({ useRecords: false });

function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(/\s/g, ''), 'hex');
}

const PATH = remotePath(Buffer.from('notes/todo'));

/** Each form of a reference and its bytes. */
const FIXTURES: readonly [FileRef, string][] = [
  [
    { ino: 4660n, birth: 1_700_000_000_123_456_789n, path: null },
    '92' + // array of 2
      'cd1234' + // ino
      'd317979cfe3d85cd15', // birth, int 64
  ],
  [
    { ino: 2n ** 64n - 1n, birth: 0n, path: PATH },
    '93' + // array of 3
      'cfffffffffffffffff' + // ino, uint 64
      '00' + // the disk does not tell the birth
      'c40a6e6f7465732f746f646f', // the hint
  ],
  [{ ino: null, path: PATH }, 'c40a6e6f7465732f746f646f'],
  [{ ino: null, path: remotePath(Buffer.alloc(0)) }, 'c400'], // the home itself
];

t.test('references as bytes, and back', async (t) => {
  for (const [ref, bytes] of FIXTURES) {
    t.equal(packr.pack(packRef(ref)).toString('hex'), bytes);
    t.same(fileRef(unpackr.unpack(hex(bytes))), ref);
  }
  const [[ref] = []] = FIXTURES;
  if (ref?.ino !== 4660n) throw new Error('the first fixture is an id');
  t.same(packId(ref), packRef(ref));
  t.same(packId(ref, PATH), packRef({ ...ref, path: PATH }));
  t.same(fileId(packId(ref)), { ino: ref.ino, birth: ref.birth });
  t.same(
    fileId(packId(ref, PATH)),
    { ino: ref.ino, birth: ref.birth },
    'where no hint is expected there is none',
  );
});

t.test('a reference with elements missing', async (t) => {
  for (const [ref] of FIXTURES) {
    const packed = packRef(ref);
    if (!Array.isArray(packed)) continue;
    for (let length = 0; length < 2; length++) {
      t.throws(() => fileRef(packed.slice(0, length)), failing('EINVAL'), `${length} elements`);
      t.throws(() => fileId(packed.slice(0, length)), failing('EINVAL'), `${length} elements`);
    }
    t.match(fileRef(packed.slice(0, 2)), { ino: ref.ino, path: null }, 'the hint may be');
  }
  t.same(fileRef([5, 6, null]), { ino: 5n, birth: 6n, path: null }, 'or be nil');
  t.same(fileRef([5, 6, null, 'later']), { ino: 5n, birth: 6n, path: null }, 'a later version may append');
});

t.test('every form of an integer is the same id', async (t) => {
  for (const ino of ['05', 'cc05', 'cf0000000000000005', 'd30000000000000005', 'cb4014000000000000']) {
    t.same(fileRef(unpackr.unpack(hex(`92 ${ino} 06`))), { ino: 5n, birth: 6n, path: null }, ino);
  }
});

t.test('what is no reference', async (t) => {
  const cases: Record<string, unknown> = {
    nil: null,
    nothing: undefined,
    'a number': 5,
    'a text': 'notes/todo',
    'an empty list': [],
    'a negative inode number': [-1, 0],
    'an inode number past 64 bits': [2n ** 64n, 0],
    'a fraction': [1.5, 0],
    'a number that lost its last bits': [2 ** 60, 0],
    'a birth that is none': [1, -1],
    'a text for a number': ['5', 0],
    'a list in a list': [[5, 6]],
    'a hint that is a text': [5, 6, 'notes'],
    'a hint that leads out': [5, 6, Buffer.from('../secret')],
    'a path that leads out': Buffer.from('a/../../secret'),
    'an absolute path': Buffer.from('/etc/passwd'),
    'a path with a slash at the end': Buffer.from('a/'),
    'a path with a NUL': Buffer.from('a\0b'),
  };
  for (const [name, value] of Object.entries(cases)) t.throws(() => fileRef(value), failing('EINVAL'), name);
  t.throws(() => fileId(Buffer.from('a')), failing('EINVAL'), 'a path where only an id may be');
  t.throws(() => fileRef(Buffer.alloc(MAX_NAME + 1, 0x61)), failing('ENAMETOOLONG'));
  const long = Buffer.from(`${`${'a'.repeat(MAX_NAME)}/`.repeat(255)}${'a'.repeat(MAX_NAME)}`);
  t.equal(long.length, MAX_PATH);
  t.match(fileRef(long), { ino: null }, 'the longest path');
  t.throws(() => fileRef(Buffer.concat([long, Buffer.from('/a')])), failing('ENAMETOOLONG'));
  const deep = Buffer.from(`${'a/'.repeat(MAX_PATH_NAMES - 1)}a`);
  t.match(fileRef(deep), { ino: null }, 'the deepest path');
  t.throws(() => fileRef(Buffer.concat([deep, Buffer.from('/a')])), failing('ENAMETOOLONG'));
});

t.test('numbers that fit are packed as numbers', async (t) => {
  t.equal(compact(0xffff_ffffn), 0xffff_ffff);
  t.equal(compact(0x1_0000_0000n), 0x1_0000_0000n);
});

t.test('a file is the same if both numbers are', async (t) => {
  const id = { ino: 5n, birth: 6n };
  t.ok(sameId(id, { ...id }));
  t.notOk(sameId(id, { ...id, birth: 7n }), 'an inode number that is used again');
  t.notOk(sameId(id, { ...id, ino: 7n }));
});

t.test('what there is has an inode number', async (t) => {
  t.same(realId([5, 0]), { ino: 5n, birth: 0n });
  t.throws(() => realId([0, 7]), failing('EINVAL'), 'a provisional id');
  t.throws(() => attributes([0, 7, 0o100644, ...new Array<number>(10).fill(0)]), failing('EINVAL'));
  t.equal(attributes([1, 7, 0o100644, ...new Array<number>(10).fill(0)]).ino, 1n);
});
