/** `ftpctl users [--json]`: the accounts with their limits, use and last login. */
import { formatBandwidth } from '../../state/bandwidth.js';
import { lastLogins } from '../../state/last-logins.js';
import { loginWays, userRows, type UserRow } from '../../state/user-rows.js';
import { writeOut } from '../output/stdout.js';
import { formatTable } from '../output/table.js';
import { softQuotaOf } from '../../state/soft-quota.js';
import { formatLimit, formatSize } from '../../state/sizes.js';
import { formatTime } from '../../state/times.js';
import { askIfRunning, withState } from './state-access.js';
import type { StateOptions } from './state-option.js';

export interface UsersOptions extends StateOptions {
  readonly json?: boolean;
}

/** Returns the exit code. */
export async function users(options: UsersOptions): Promise<number> {
  const status = await askIfRunning(options, { type: 'status' });
  const { rows, lastLogin } = await withState(options, 'read', async (state) => ({
    rows: userRows(state, status),
    lastLogin: lastLogins(state.paths, status),
  }));
  if (options.json === true) {
    for (const row of rows) await writeOut(`${JSON.stringify(jsonOf(row, lastLogin(row.account)))}\n`);
    return 0;
  }
  const table = rows.map(({ account, use, sessions }) => [
    account.name,
    formatLimit(account.quotaBytes),
    use === undefined ? '-' : formatSize(use.bytes),
    account.maxFiles === 0 ? 'none' : String(account.maxFiles),
    use === undefined ? '-' : String(use.files),
    formatBandwidth(account.bandwidth ?? 0),
    String(sessions),
    timeOf(lastLogin(account)),
    timeOf(account.expiresAt),
    loginWays(account),
  ]);
  const head = [
    'User',
    'Quota',
    'Used',
    'MaxFiles',
    'Files',
    'Bandwidth',
    'Sessions',
    'LastLogin',
    'Expires',
    'Login',
  ];
  const right = head.slice(1, 7).map(() => 'right' as const);
  const lines = formatTable([head, ...table], ['left', ...right, 'left', 'left', 'left']);
  await writeOut(`${lines.join('\n')}\n`);
  return 0;
}

function timeOf(at: number | null | undefined): string {
  return at === null || at === undefined ? '-' : formatTime(at);
}

function jsonOf(row: UserRow, lastLogin: number | undefined): Record<string, unknown> {
  const { account, use, trashed, sessions } = row;
  return {
    name: account.name,
    quotaBytes: account.quotaBytes,
    maxFiles: account.maxFiles,
    ...softQuotaOf(account),
    bandwidth: account.bandwidth ?? 0,
    usedBytes: use?.bytes ?? null,
    usedFiles: use?.files ?? null,
    trashMs: account.trashMs ?? 0,
    trashedBytes: trashed.bytes,
    trashedFiles: trashed.files,
    sessions,
    lastLogin: lastLogin === undefined ? null : new Date(lastLogin).toISOString(),
    password: account.passwordHash !== null,
    keys: account.keys.length,
    disabled: account.disabled,
    expiresAt: account.expiresAt === null ? null : new Date(account.expiresAt).toISOString(),
    posixOwners: account.posixOwners === true,
    createdAt: new Date(account.createdAt).toISOString(),
  };
}
