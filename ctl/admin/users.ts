/** `ftpctl users [--json]`: the accounts with their limits, use and last login. */
import type { Account } from '../../state/accounts.js';
import { formatBandwidth } from '../../state/bandwidth.js';
import { lastLogins } from '../../state/last-logins.js';
import { loginWays, userRows, type UserRow } from '../../state/user-rows.js';
import { writeOut } from '../output/stdout.js';
import { formatColumns, type Column } from '../output/table.js';
import { softQuotaOf } from '../../state/soft-quota.js';
import { formatTime } from '../../state/times.js';
import { homeColumns } from './home-columns.js';
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
  const lines = formatColumns(rows, columns(lastLogin));
  await writeOut(`${lines.join('\n')}\n`);
  return 0;
}

/** Of usual users they are narrower than a terminal of 80 columns. */
function columns(lastLogin: (account: Account) => number | undefined): readonly Column<UserRow>[] {
  const [left, right] = ['left', 'right'] as const;
  return [
    { title: 'User', alignment: left, cell: ({ account }) => account.name },
    ...homeColumns<UserRow>(({ account }) => account),
    {
      title: 'Bandwidth',
      alignment: right,
      cell: ({ account }) => formatBandwidth(account.bandwidth ?? 0),
      nothing: 'none',
    },
    { title: 'Sessions', alignment: right, cell: ({ sessions }) => String(sessions) },
    { title: 'LastLogin', alignment: left, cell: ({ account }) => timeOf(lastLogin(account)) },
    {
      title: 'Expires',
      alignment: left,
      cell: ({ account }) => timeOf(account.expiresAt).replace(/ 00:00$/, ''),
      nothing: '-',
    },
    { title: 'Login', alignment: left, cell: ({ account }) => loginWays(account) },
  ];
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
