/**
 * Makes the users of a file (user-records.ts), all or none: what is wrong is told line by line, before anything is changed.
 */
import { Failure } from '../../protocol/failure.js';
import { printable } from '../../protocol/login/report.js';
import type { Account } from '../../state/accounts.js';
import type { NamedUser } from '../../state/administration.js';
import type { NewCredential } from '../../state/new-credential.js';
import type { UserDefaults } from '../../state/store.js';
import { softQuotaOf, type SoftQuota } from '../../state/soft-quota.js';
import { writeOut } from '../output/stdout.js';
import { PROGRAM } from '../program.js';
import { administer } from './state-access.js';
import { limitSettings } from './limit-settings.js';
import type { StateOptions } from './state-option.js';
import type { Mistake, ReadRecords, UserRecord } from './user-records.js';

/** Mistakes that are told; the others are counted. */
const MAX_TOLD = 50;

export const MISSING_QUOTA =
  'the quota is missing: say --quota SIZE (0 is none), or set ftpmountd --default-quota';

/** What users get of whom the file says nothing. */
export interface RecordDefaults
  extends Partial<UserDefaults>, Partial<SoftQuota>, Pick<Account, 'bandwidth'> {
  readonly expiresAt: number | null;
  readonly posixOwners: boolean;
  readonly adopt: boolean;
}

/** `file`: its name, for mistakes. Returns the exit code. */
export async function addRecords(
  file: string,
  { records, mistakes }: ReadRecords,
  given: RecordDefaults,
  options: StateOptions,
): Promise<number> {
  await administer(options, 'make', async (administration, state) => {
    const defaults = { ...state.userDefaults, ...given };
    const found = [...mistakes];
    const users = records.map(({ line, record }): NamedUser => {
      const {
        quota = defaults.quotaBytes,
        maxFiles = defaults.maxFiles,
        disabled = false,
        keys = [],
      } = record;
      const { expires = defaults.expiresAt, posixOwners = defaults.posixOwners } = record;
      if (quota === undefined) found.push({ line, message: MISSING_QUOTA });
      return {
        ...{ name: record.name, quotaBytes: quota ?? 0, maxFiles, posixOwners, disabled, keys },
        ...softQuotaOf({ ...given, ...limitSettings(record) }),
        ...{ bandwidth: record.bandwidth ?? given.bandwidth ?? 0 },
        ...{ trashMs: record.trash ?? defaults.trashMs ?? 0 },
        ...{ expiresAt: expires, adopt: defaults.adopt, credential: credentialOf(record) },
      };
    });
    for (const [index, { message }] of await administration.refusals(users)) {
      found.push({ line: records[index]?.line ?? 0, message });
    }
    if (found.length > 0) throw refused(file, found);
    await administration.addUsers(users);
  });
  await writeOut(`users added: ${records.length}\n`);
  return 0;
}

function credentialOf({ password, passwordHash }: UserRecord): NewCredential {
  if (password !== undefined) return { password };
  return passwordHash === undefined ? null : { passwordHash };
}

/** Tells the mistakes, one a line. */
function refused(file: string, mistakes: readonly Mistake[]): Failure {
  const sorted = mistakes.toSorted((a, b) => a.line - b.line);
  for (const { line, message } of sorted.slice(0, MAX_TOLD)) {
    process.stderr.write(`${PROGRAM}: ${printable(`${file}:${line}: ${message}`)}\n`);
  }
  return new Failure('EINVAL', `mistakes in ${file}: ${mistakes.length}; nothing is changed`);
}
