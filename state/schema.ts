/*
 * The version of what is kept in the state: programs of another version than theirs refuse it, or carry it over first.
 *
 * Invariant: nothing is read or written by a program that does not know the version. It is raised with each change that a program of
 * before would misread, together with a migration from the one before.
 */
import type { Database } from 'lmdb';
import { Failure } from '../protocol/failure.js';
import type { Transactions } from './transaction.js';

export const SCHEMA = 1;

const KEY = 'schema';

/** What carries a state of each version over to the next one, in the transaction that raises the version. */
export type Migrations = Readonly<Record<number, () => void>>;

/** Of this program: 1 is the first version. */
export const MIGRATIONS: Migrations = {};

interface Kept {
  readonly directory: string;
  readonly readOnly: boolean;
  /** There is nothing in it yet. */
  readonly isNew: boolean;
}

/** Throws EINVAL where the state is of a version that cannot be carried over, or not by who only reads it. */
export function requireSchema(
  settings: Pick<Database<string, string>, 'get' | 'putSync'>,
  transactions: Pick<Transactions, 'run'>,
  { directory, readOnly, isNew }: Kept,
  { schema, migrations } = { schema: SCHEMA, migrations: MIGRATIONS },
): void {
  const kept = settings.get(KEY);
  // What has none is of before there were versions.
  const version = Number(kept ?? (isNew ? schema : 0));
  const steps = Array.from(
    { length: Math.max(0, schema - version) },
    (_, step) => migrations[version + step],
  );
  const is = `${directory} is of version ${version} of the state, and this program of version ${schema}`;
  if (version > schema) throw new Failure('EINVAL', `${is}: install the newer program again`);
  if (steps.includes(undefined)) {
    throw new Failure('EINVAL', `${is}, which cannot read it any more: install one in between first`);
  }
  if (readOnly && steps.length > 0) {
    throw new Failure('EINVAL', `${is}: start ftpmountd, which carries it over`);
  }
  if (readOnly || kept === String(schema)) return;
  transactions.run(() => {
    // Another program may have been quicker.
    if (settings.get(KEY) !== kept) return;
    for (const step of steps) step?.();
    settings.putSync(KEY, String(schema));
  });
}
