/** `ftpctl groupadd`, `groupmod`, `groupdel` and `groups`: lists of users, by which shares are granted. */
import { Failure } from '../../protocol/failure.js';
import { groupRows } from '../../state/share-rows.js';
import { writeOut } from '../output/stdout.js';
import { formatTable } from '../output/table.js';
import { groupArgument } from './share-arguments.js';
import { administerShares, userArgument, withState } from './state-access.js';
import type { StateOptions } from './state-option.js';

export interface GroupmodOptions extends StateOptions {
  readonly add?: readonly string[];
  readonly remove?: readonly string[];
}

/** Returns the exit code. */
export async function groupadd(
  text: string,
  users: readonly string[],
  options: StateOptions,
): Promise<number> {
  const name = groupArgument(text);
  const members = users.map(userArgument);
  await administerShares(options, (administration) => administration.addGroup(name, members));
  await writeOut(`group ${name} added${members.length === 0 ? '' : `, with ${members.join(', ')}`}\n`);
  return 0;
}

/** Returns the exit code. */
export async function groupmod(text: string, options: GroupmodOptions): Promise<number> {
  const name = groupArgument(text);
  const [add, remove] = [options.add ?? [], options.remove ?? []].map((users) => users.map(userArgument));
  if (add === undefined || remove === undefined || add.length + remove.length === 0) {
    throw new Failure('USAGE', 'say who comes or goes: --add USER, --remove USER');
  }
  await administerShares(options, (administration) => administration.changeGroup(name, { add, remove }));
  const added = add.length === 0 ? '' : `, added ${add.join(', ')}`;
  const removed = remove.length === 0 ? '' : `, removed ${remove.join(', ')}`;
  await writeOut(`group ${name}${added}${removed}\n`);
  return 0;
}

/** Returns the exit code. */
export async function groupdel(text: string, options: StateOptions): Promise<number> {
  const name = groupArgument(text);
  const withdrawn = await administerShares(options, (administration) => administration.removeGroup(name));
  const shares = withdrawn.length === 0 ? '' : `, which has no part in ${withdrawn.join(', ')} any more`;
  await writeOut(`group ${name} removed${shares}\n`);
  return 0;
}

export interface GroupsOptions extends StateOptions {
  readonly json?: boolean;
}

/** Returns the exit code. */
export async function listGroups(options: GroupsOptions): Promise<number> {
  const groups = await withState(options, 'read', async (state) => groupRows(state));
  if (options.json === true) {
    for (const group of groups) await writeOut(`${JSON.stringify(group)}\n`);
    return 0;
  }
  const rows = groups.map(({ name, members, shares }) => [
    name,
    shares.map((share) => `${share.name} ${share.access}`).join(', ') || '-',
    members.join(' ') || '-',
  ]);
  const lines = formatTable([['Group', 'Shares', 'Users'], ...rows], ['left', 'left', 'left']);
  await writeOut(`${lines.join('\n')}\n`);
  return 0;
}
