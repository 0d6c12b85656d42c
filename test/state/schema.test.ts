/* A state of another version is carried over, or refused and left as it is. */
import { open } from 'lmdb';
import t from 'tap';
import { requireSchema, SCHEMA } from '../../state/schema.js';
import { openState } from '../../state/store.js';
import { temporaryDirectory } from '../lib/directory.js';

const place = { directory: '/state', readOnly: false, isNew: false };

/** A table of settings of that version, and transactions on it. */
function settingsOf(version: number | undefined) {
  const rows = new Map<string, string>(version === undefined ? [] : [['schema', String(version)]]);
  const settings = {
    get: (key: string) => rows.get(key),
    putSync: (key: string, value: string) => rows.set(key, value) === rows,
  };
  const transactions = { run: <T>(action: () => T): T => action() };
  return { rows, settings, transactions };
}

t.test('the steps between two versions are taken in order, once', async (t) => {
  const { rows, settings, transactions } = settingsOf(2);
  const taken: number[] = [];
  const migrations = { 1: () => taken.push(1), 2: () => taken.push(2), 3: () => taken.push(3) };
  const known = { schema: 4, migrations: migrations as Record<number, () => void> };
  const readOnly = { ...place, readOnly: true };
  t.throws(() => requireSchema(settings, transactions, readOnly, known), /version 2 .* 4: start ftpmountd/);
  t.strictSame(taken, []);
  requireSchema(settings, transactions, place, known);
  requireSchema(settings, transactions, place, known);
  requireSchema(settings, transactions, readOnly, known);
  t.strictSame(taken, [2, 3]);
  t.equal(rows.get('schema'), '4');
});

t.test('a version that cannot be carried over is refused', async (t) => {
  const { rows, settings, transactions } = settingsOf(1);
  const known = { schema: 3, migrations: { 2: () => undefined } };
  t.throws(() => requireSchema(settings, transactions, place, known), /install one in between first/);
  t.equal(rows.get('schema'), '1');
  const without = settingsOf(undefined);
  const unversioned = (isNew: boolean): void =>
    requireSchema(without.settings, without.transactions, { ...place, isNew });
  t.throws(() => unversioned(false), /of version 0 /);
  unversioned(true);
  t.equal(without.rows.get('schema'), String(SCHEMA));
});

t.test('the state says its version, and one of a newer program is left alone', async (t) => {
  const directory = temporaryDirectory(t);
  const state = openState(directory);
  const { database } = state.paths;
  await state.close();
  const root = open({ path: database, noSubdir: true });
  const settings = root.openDB<string, string>({ name: 'settings' });
  t.equal(settings.get('schema'), String(SCHEMA));
  settings.putSync('schema', String(SCHEMA + 1));
  await root.close();
  for (const readOnly of [true, false]) {
    t.throws(() => openState(directory, { readOnly }), {
      ...{ name: 'Failure', kind: 'EINVAL' },
      message: new RegExp(
        `of version ${SCHEMA + 1} .* of version ${SCHEMA}: install the newer program again`,
      ),
    });
  }
});
