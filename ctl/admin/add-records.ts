/**
 * Makes the users of a file (user-records.ts), or those, groups and shares (inventory.ts), all or none: what is wrong is told line by
 * line, before anything is changed.
 */
import { Failure } from '../../protocol/failure.js';
import { printable } from '../../program/report.js';
import { noSuchUser } from '../../state/accounts.js';
import { noSuchGroup } from '../../state/groups.js';
import type { Administration } from '../../state/administration.js';
import type { All, ShareAdministration } from '../../state/share-administration.js';
import type { State, UserDefaults } from '../../state/store.js';
import { MISSING_QUOTA, newUserOf, type RecordDefaults } from '../../state/user-record.js';
import { writeOut } from '../output/stdout.js';
import { PROGRAM } from '../program.js';
import type { Inventory } from './inventory.js';
import { administerAll, tryOut } from './state-access.js';
import type { StateOptions } from './state-option.js';
import type { Mistake, ReadRecords } from './user-records.js';

/** Mistakes that are told; the others are counted. */
const MAX_TOLD = 50;

/** `file`: its name, for mistakes. Returns the exit code. */
export async function addRecords(
  file: string,
  users: ReadRecords,
  given: Partial<RecordDefaults>,
  options: StateOptions,
): Promise<number> {
  return addInventory(file, () => ({ users, groups: [], shares: [], mistakes: [] }), given, options);
}

/** `file`: its name, for mistakes; `read`: what it says, with the server's defaults. Returns the exit code. */
export async function addInventory(
  file: string,
  read: (defaults: UserDefaults) => Inventory,
  given: Partial<RecordDefaults>,
  options: StateOptions,
): Promise<number> {
  const check = async (accounts: Administration, others: ShareAdministration, state: State): Promise<All> => {
    const { userDefaults } = state;
    const inventory = read(userDefaults);
    const { records, mistakes } = inventory.users;
    const defaults = { ...userDefaults, ...given };
    const found = [...mistakes, ...inventory.mistakes];
    const added = records.map(({ line, record }) => {
      if ((record.quota ?? defaults.quotaBytes) === undefined) found.push({ line, message: MISSING_QUOTA });
      return newUserOf(record, { quotaBytes: 0, ...defaults });
    });
    for (const [index, { message }] of await accounts.refusals(added)) {
      found.push({ line: records[index]?.line ?? 0, message });
    }
    found.push(...(await refusalsOf(inventory, others, state)));
    if (found.length > 0) throw refused(file, found);
    if (added.length + inventory.groups.length + inventory.shares.length === 0) {
      throw new Failure('EINVAL', `there is nothing to add in ${file}`);
    }
    return {
      users: added,
      groups: inventory.groups.map(({ value }) => value),
      shares: inventory.shares.map(({ value }) => value),
    };
  };
  await tryOut(options, check);
  const { users, groups, shares } = await administerAll(options, 'make', async (accounts, others, state) => {
    const all = await check(accounts, others, state);
    await others.addAll(accounts, all);
    return all;
  });
  await writeOut(`users added: ${users.length}\n`);
  if (groups.length > 0) await writeOut(`groups added: ${groups.length}\n`);
  if (shares.length > 0) await writeOut(`shares added: ${shares.length}\n`);
  return 0;
}

/** What is in the way of groups and shares. */
async function refusalsOf(
  { users, groups, shares }: Inventory,
  administration: ShareAdministration,
  state: State,
): Promise<Mistake[]> {
  const mistakes: Mistake[] = [];
  const known = new Set<string>(users.records.map(({ record }) => record.name));
  const taken = new Set<string>(state.groups.list().map(({ name }) => name));
  for (const { line, value } of groups) {
    if (taken.has(value.name)) mistakes.push({ line, message: `there is a group ${value.name} already` });
    taken.add(value.name);
    for (const user of value.members) {
      if (known.has(user) || state.accounts.get(user) !== undefined) known.add(user);
      else mistakes.push({ line, message: noSuchUser(user).message });
    }
  }
  const names = new Set<string>();
  for (const { line, value } of shares) {
    try {
      if (names.has(value.name)) throw new Failure('EEXIST', `${value.name} is there twice`);
      names.add(value.name);
      await administration.requireNew(value);
    } catch (error) {
      mistakes.push({ line, message: Failure.from(error).message });
    }
    for (const { group } of value.grants) {
      if (!taken.has(group)) mistakes.push({ line, message: noSuchGroup(group).message });
    }
  }
  return mistakes;
}

/** Tells the mistakes, one a line. */
function refused(file: string, mistakes: readonly Mistake[]): Failure {
  const sorted = mistakes.toSorted((a, b) => a.line - b.line);
  for (const { line, message } of sorted.slice(0, MAX_TOLD)) {
    process.stderr.write(`${PROGRAM}: ${printable(`${file}:${line}: ${message}`)}\n`);
  }
  return new Failure('EINVAL', `mistakes in ${file}: ${mistakes.length}; nothing is changed`);
}
