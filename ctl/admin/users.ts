/** `ftpctl users [--json]`: the accounts with their limits and use. */
import { askDaemon } from '../../state/control.js';
import { loginWays, userRows, type UserRow } from '../../state/user-rows.js';
import { writeOut } from '../output/stdout.js';
import { formatTable } from '../output/table.js';
import { softQuotaOf } from '../../state/soft-quota.js';
import { formatLimit, formatSize } from '../../state/sizes.js';
import { stateDirectory, withState } from './state-access.js';
import type { StateOptions } from './state-option.js';

export interface UsersOptions extends StateOptions {
  readonly json?: boolean;
}

/** Returns the exit code. */
export async function users(options: UsersOptions): Promise<number> {
  const status = await askDaemon(stateDirectory(options), { type: 'status' });
  const rows = await withState(options, 'read', async (state) => userRows(state, status));
  if (options.json === true) {
    for (const row of rows) await writeOut(`${JSON.stringify(jsonOf(row))}\n`);
    return 0;
  }
  const table = rows.map(({ account, use, sessions }) => [
    account.name,
    formatLimit(account.quotaBytes),
    use === undefined ? '-' : formatSize(use.bytes),
    account.maxFiles === 0 ? 'none' : String(account.maxFiles),
    use === undefined ? '-' : String(use.files),
    String(sessions),
    loginWays(account),
  ]);
  const head = ['User', 'Quota', 'Used', 'MaxFiles', 'Files', 'Sessions', 'Login'];
  const lines = formatTable([head, ...table], ['left', 'right', 'right', 'right', 'right', 'right', 'left']);
  await writeOut(`${lines.join('\n')}\n`);
  return 0;
}

function jsonOf({ account, use, sessions }: UserRow): Record<string, unknown> {
  return {
    name: account.name,
    quotaBytes: account.quotaBytes,
    maxFiles: account.maxFiles,
    ...softQuotaOf(account),
    usedBytes: use?.bytes ?? null,
    usedFiles: use?.files ?? null,
    sessions,
    password: account.passwordHash !== null,
    keys: account.keys.length,
    disabled: account.disabled,
    posixOwners: account.posixOwners === true,
    createdAt: new Date(account.createdAt).toISOString(),
  };
}
