import t from 'tap';
import { CREATE, RENAME, UNLINK, WRITE, type Operation } from '../../../../protocol/operations.js';
import { remotePath } from '../../../../protocol/ids.js';
import type { FileRef } from '../../../../protocol/references.js';
import { failing } from '../../../lib/failing.js';
import {
  MAX_PROVISIONAL_OF_HOME,
  ProvisionalCount,
  ProvisionalIds,
} from '../../../../daemon/home/files/provisional-ids.js';

const REAL = { ino: 7n, birth: 1n };
const DIRECTORY = { ino: 0n, birth: 1n };
const FILE = { ino: 0n, birth: 2n };
const TIME = { sec: 1, nsec: 0 };
const name = Buffer.from('f');
const path = remotePath(Buffer.from('d'));

function create(directory: FileRef): Operation {
  return { kind: CREATE, directory, name, time: TIME, mode: 0o644, id: FILE };
}

t.test('a file is found by the id that it was made by', async (t) => {
  const ids = new ProvisionalIds();
  ids.set(DIRECTORY, REAL);
  t.match(ids.resolve(create({ ...DIRECTORY, path: null })), { directory: { ino: 7n, birth: 1n } });
  ids.set(FILE, { ino: 8n, birth: 1n });
  const written = { kind: WRITE, file: { ...FILE, path: null }, offset: 0, data: name, time: TIME } as const;
  t.match(ids.resolve(written), { file: { ino: 8n } });
});

t.test('where it is not known, as after a restart, its path says which', async (t) => {
  const ids = new ProvisionalIds();
  t.same(ids.resolve(create({ ...DIRECTORY, path })), create({ ino: null, path }));
  t.throws(() => ids.resolve(create({ ...DIRECTORY, path: null })), failing('ESTALE'));
  const at = { directory: { ino: null, path }, name, time: TIME } as const;
  t.match(ids.resolve({ kind: UNLINK, ...at, id: FILE, hold: false }), { id: null });
  const to = { newDirectory: at.directory, newName: name, flags: 0 };
  const renamed = { kind: RENAME, ...at, ...to, id: REAL, replaced: FILE, hold: false } as const;
  t.match(
    ids.resolve(renamed),
    { id: null, replaced: null },
    'one without an id: nothing is expected of either',
  );
});

t.test('all clients of a home together keep so many, those that are away the fewest', async (t) => {
  let away: ProvisionalIds | undefined;
  const ofHome = new ProvisionalCount(() => away?.forget());
  const remember = (ids: ProvisionalIds, from: number, count: number): void => {
    for (let i = from; i < from + count; i++)
      ids.set({ ino: 0n, birth: BigInt(i) }, { ino: 9n, birth: BigInt(i) });
  };
  const knows = (ids: ProvisionalIds, birth: number): boolean => {
    const { ino } = ids.ref({ ino: 0n, birth: BigInt(birth), path });
    return ino === 9n;
  };
  away = new ProvisionalIds(ofHome);
  remember(away, 0, 1000);
  const present = Array.from({ length: 6 }, () => new ProvisionalIds(ofHome));
  for (const ids of present) remember(ids, 0, 30_000);
  t.ok(ofHome.total <= MAX_PROVISIONAL_OF_HOME + 1, `${ofHome.total} are kept`);
  t.notOk(knows(away, 999), 'who is away sends them again with a path');
  for (const ids of present) t.ok(knows(ids, 29_999), 'the last ones are known');
  for (const ids of present) ids.forget();
  t.equal(ofHome.total, 0);
});
