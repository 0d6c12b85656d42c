/** `ftpctl export`: the users as `ftpctl useradd --batch` reads them, one JSON object a line. */
import { formatPublicKey } from '../../protocol/keys.js';
import type { Account } from '../../state/accounts.js';
import { softQuotaOf } from '../../state/soft-quota.js';
import { exactSpan } from '../../state/times.js';
import { formatTrashTime } from '../../state/trash-time.js';
import { writeOut } from '../output/stdout.js';
import { withState } from './state-access.js';
import type { StateOptions } from './state-option.js';
import type { UserRecord } from './user-records.js';

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

function fieldsOf(account: Account): Partial<Record<keyof UserRecord, unknown>> {
  const { softBytes, graceMs } = softQuotaOf(account);
  const soft = softBytes === 0 ? {} : { soft: softBytes, grace: exactSpan(graceMs) };
  const {
    name,
    quotaBytes,
    maxFiles,
    expiresAt,
    disabled,
    posixOwners = false,
    bandwidth = 0,
    trashMs = 0,
    keys,
  } = account;
  return {
    ...{ name, quota: quotaBytes, maxFiles, expires: endOf(expiresAt), disabled, posixOwners },
    ...soft,
    ...(bandwidth === 0 ? {} : { bandwidth }),
    // Where it is off, too: the default of the daemon that reads it may be another.
    trash: formatTrashTime(trashMs),
    keys: keys.map(({ publicKey, comment }) => formatPublicKey(Buffer.from(publicKey, 'base64'), comment)),
  };
}

/** In UTC: another machine, which may read it, has another time zone. */
function endOf(expiresAt: number | null): string {
  return expiresAt === null ? 'never' : new Date(expiresAt).toISOString();
}
