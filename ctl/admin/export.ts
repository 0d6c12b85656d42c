/**
 * `ftpctl export`: users, groups and shares as `ftpctl import ftpmount` reads them (inventory.ts), one JSON object a line. The lines
 * of users are those of `ftpctl useradd --batch`.
 */
import { shareFieldsOf } from '../../state/share-record.js';
import { fieldsOf } from '../../state/user-record.js';
import { writeOut } from '../output/stdout.js';
import { withState } from './state-access.js';
import type { StateOptions } from './state-option.js';

export interface ExportOptions extends StateOptions {
  /** Who has a hash may guess its password at any speed. */
  readonly passwordHashes?: boolean;
}

/** Returns the exit code. */
export async function exportAll(options: ExportOptions): Promise<number> {
  const { accounts, groups, shares } = await withState(options, 'read', async (state) => ({
    accounts: state.accounts.list(),
    groups: state.groups.list(),
    shares: state.shares.list(),
  }));
  for (const account of accounts) {
    const { passwordHash } = account;
    const secret = options.passwordHashes === true && passwordHash !== null ? { passwordHash } : {};
    await writeLine({ ...fieldsOf(account), ...secret });
  }
  for (const { name, members } of groups) await writeLine({ group: name, members });
  for (const record of shares) {
    const { name, ...fields } = shareFieldsOf(record);
    await writeLine({ share: name, ...fields });
  }
  return 0;
}

function writeLine(fields: object): Promise<void> {
  return writeOut(`${JSON.stringify(fields)}\n`);
}
