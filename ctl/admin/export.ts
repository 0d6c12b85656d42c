/** `ftpctl export`: the users as `ftpctl useradd --batch` reads them, one JSON object a line. */
import { fieldsOf } from '../../state/user-record.js';
import { writeOut } from '../output/stdout.js';
import { withState } from './state-access.js';
import type { StateOptions } from './state-option.js';

export interface ExportOptions extends StateOptions {
  /** Who has a hash may guess its password at any speed. */
  readonly passwordHashes?: boolean;
}

/** Returns the exit code. */
export async function exportUsers(options: ExportOptions): Promise<number> {
  const accounts = await withState(options, 'read', async (state) => state.accounts.list());
  for (const account of accounts) {
    const { passwordHash } = account;
    const secret = options.passwordHashes === true && passwordHash !== null ? { passwordHash } : {};
    await writeOut(`${JSON.stringify({ ...fieldsOf(account), ...secret })}\n`);
  }
  return 0;
}
