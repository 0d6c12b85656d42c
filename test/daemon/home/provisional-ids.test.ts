import t from 'tap';
import { CREATE, RENAME, UNLINK, WRITE, type Operation } from '../../../protocol/operations.js';
import { remotePath } from '../../../protocol/ids.js';
import type { FileRef } from '../../../protocol/references.js';
import { failing } from '../../lib/failing.js';
import { ProvisionalIds } from '../../../daemon/home/provisional-ids.js';

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
