/* ACLs as bytes: those of a hostile server, too. */
import t from 'tap';
import { formatAcl, parseAcl } from '../../../mount/filesystem/posix-acl.js';

const ENTRIES = {
  owner: [1, 7],
  user: [2, 7, 1000],
  group: [4, 5],
  mask: [0x10, 7],
  other: [0x20, 0],
} as const;
type Name = keyof typeof ENTRIES;

function acl(...names: Name[]): Buffer {
  const words = names.map((name) => {
    const [tag, permissions, id = 0xffff_ffff] = ENTRIES[name];
    const bytes = Buffer.alloc(8);
    bytes.writeUInt16LE(tag, 0);
    bytes.writeUInt16LE(permissions, 2);
    bytes.writeUInt32LE(id, 4);
    return bytes;
  });
  return Buffer.concat([Buffer.from([2, 0, 0, 0]), ...words]);
}

const WHOLE = acl('owner', 'user', 'group', 'mask', 'other');

t.test('what is parsed is written alike', async (t) => {
  for (const bytes of [WHOLE, acl('owner', 'group', 'other'), acl('owner', 'group', 'mask', 'other')]) {
    t.same(formatAcl(parseAcl(bytes)), bytes);
  }
});

t.test('what is none is refused, wherever it is cut off', async (t) => {
  for (let length = 0; length < WHOLE.length; length++) {
    t.throws(() => parseAcl(WHOLE.subarray(0, length)), { code: 'EINVAL' }, `${length} bytes`);
  }
  const wrong: Record<string, Buffer> = {
    'another version': Buffer.concat([Buffer.from([1]), WHOLE.subarray(1)]),
    'no others': acl('owner', 'user', 'group', 'mask'),
    'somebody named, and no mask': acl('owner', 'user', 'group', 'other'),
    'two owners': acl('owner', 'owner', 'group', 'other'),
    'out of order': acl('group', 'owner', 'other'),
  };
  for (const [what, bytes] of Object.entries(wrong))
    t.throws(() => parseAcl(bytes), { code: 'EINVAL' }, what);
  const tooMuch = Buffer.from(WHOLE);
  tooMuch.writeUInt16LE(8, 6);
  t.throws(() => parseAcl(tooMuch), { code: 'EINVAL' }, 'more than rwx');
});
