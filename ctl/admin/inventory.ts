/**
 * What `ftpctl export` wrote: lines of users (user-records.ts), of groups, which have a field `group`, and of shares, which have one
 * `share`. In whatever order they stand, users are made before the groups that they are in, and these before the shares that they have.
 */
import { Failure } from '../../protocol/failure.js';
import type { Group } from '../../state/groups.js';
import type { NamedShare } from '../../state/share-administration.js';
import { groupOf, newShareOf } from '../../state/share-record.js';
import type { UserDefaults } from '../../state/store.js';
import { recordsOf, rowsOf, type Mistake, type ReadRecords, type Row } from './user-records.js';

/** What a line says. */
interface Lined<T> {
  readonly line: number;
  readonly value: T;
}

/** What a file says is to be made. */
export interface Inventory {
  readonly users: ReadRecords;
  readonly groups: readonly Lined<Group>[];
  readonly shares: readonly Lined<NamedShare>[];
  /** In the lines of groups and shares. */
  readonly mistakes: readonly Mistake[];
}

/** `defaults`: of shares of which the quota is not said. `adopt`: their homes may be there already. */
export function readInventory(text: string, defaults: UserDefaults, adopt: boolean): Inventory {
  const users: Row[] = [];
  const groups: Lined<Group>[] = [];
  const shares: Lined<NamedShare>[] = [];
  const mistakes: Mistake[] = [];
  for (const row of rowsOf(text)) {
    try {
      const { line } = row;
      const fields = row.fields();
      if (fields['group'] !== undefined) {
        const { group, ...others } = fields;
        groups.push({ line, value: groupOf(group, others) });
      } else if (fields['share'] !== undefined) {
        const { share, ...others } = fields;
        shares.push({ line, value: newShareOf(share, others, defaults, adopt) });
      } else users.push(row);
    } catch (error) {
      mistakes.push({ line: row.line, message: Failure.from(error).message });
    }
  }
  return { users: recordsOf(users), groups, shares, mistakes };
}
