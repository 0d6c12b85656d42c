/**
 * A user as files (ctl/admin/user-records.ts) and the API (web/api/) write one: the fields are those of UserRecord, and of what is
 * missing, or empty, the default counts.
 *
 * Invariant: nothing is guessed; a field that is not known, or a value that is not understood, is refused.
 */
import { Failure } from '../protocol/failure.js';
import { userName, type UserName } from '../protocol/ids.js';
import { formatPublicKey } from '../protocol/transport/keys.js';
import { accountKey, MAX_KEYS } from './account-keys.js';
import type { Account, AccountKey } from './accounts.js';
import type { AccountSettings, NamedUser } from './administration.js';
import { parseBandwidth } from './bandwidth.js';
import type { NewCredential } from './new-credential.js';
import { checkPassword, isPasswordHash } from './password.js';
import { parseCount, parseSize } from './sizes.js';
import { softQuotaOf } from './soft-quota.js';
import type { UserDefaults } from './store.js';
import { exactSpan, parseEnd, parseSpan } from './times.js';
import { formatTrashTime, parseTrashTime } from './trash-time.js';

export interface UserRecord {
  readonly name: UserName;
  readonly quota?: number;
  readonly maxFiles?: number;
  /** Bytes. */
  readonly soft?: number;
  /** Milliseconds. */
  readonly grace?: number;
  /** Bytes a second. */
  readonly bandwidth?: number;
  /** Milliseconds; 0: there is none. */
  readonly trash?: number;
  readonly expires?: number | null;
  readonly disabled?: boolean;
  readonly posixOwners?: boolean;
  /** In CSV separated by semicolons. */
  readonly keys?: readonly AccountKey[];
  readonly password?: string;
  readonly passwordHash?: string;
}

/** By the names in UserRecord; a text may stand for any other value. */
export type Fields = Readonly<Record<string, unknown>>;

/** How each field is read; they throw. */
const FIELDS: { readonly [F in keyof UserRecord]-?: (value: unknown) => UserRecord[F] } = {
  name: (value) => userName(textOf(value)),
  quota: (value) => parseSize(String(value)),
  maxFiles: (value) => parseCount(String(value)),
  soft: (value) => parseSize(String(value)),
  grace: (value) => parseSpan(textOf(value)),
  bandwidth: (value) => parseBandwidth(String(value)),
  trash: (value) => parseTrashTime(textOf(value)),
  expires: (value) => parseEnd(textOf(value)),
  disabled: truthOf,
  posixOwners: truthOf,
  keys: (value) => {
    const texts: unknown[] = Array.isArray(value) ? value : textOf(value).split(';');
    if (texts.length > MAX_KEYS) throw new Failure('E2BIG', `there are more than ${MAX_KEYS} keys`);
    return texts.map((text) => accountKey(textOf(text)));
  },
  password: (value) => {
    const password = textOf(value);
    checkPassword(password);
    return password;
  },
  passwordHash: (value) => {
    const hash = textOf(value);
    if (!isPasswordHash(hash))
      throw new Failure('EINVAL', 'the hash is not Argon2id with one lane (p=1), or costs too much');
    return hash;
  },
};

/** Throws EINVAL, and what the values throw. */
export function recordOf(fields: Fields): UserRecord {
  const { name, ...others } = partOfRecord(fields);
  if (name === undefined) throw new Failure('EINVAL', 'the name is missing');
  return { name, ...others };
}

/** As recordOf(), where the name may be missing. */
export function partOfRecord(fields: Fields): Partial<UserRecord> {
  const record: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (!Object.hasOwn(FIELDS, name)) {
      throw new Failure(
        'EINVAL',
        `there is no field '${name}': allowed are ${Object.keys(FIELDS).join(', ')}`,
      );
    }
    if (value !== undefined && value !== '') record[name] = FIELDS[name as keyof UserRecord](value);
  }
  if (record['password'] !== undefined && record['passwordHash'] !== undefined) {
    throw new Failure('EINVAL', 'there is a password, and the hash of one');
  }
  return record; // each value was read by the field of its name
}

/** What of an account can be written into a record again: all but its credential. */
export function fieldsOf(account: Account): Partial<Record<keyof UserRecord, unknown>> {
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

/** What the record says of an account's settings. */
export function settingsOf(record: Partial<UserRecord>): AccountSettings {
  const { quota, maxFiles, soft, grace, bandwidth, trash, expires, disabled, posixOwners } = record;
  return {
    ...(quota === undefined ? {} : { quotaBytes: quota }),
    ...(maxFiles === undefined ? {} : { maxFiles }),
    ...(soft === undefined ? {} : { softBytes: soft }),
    ...(grace === undefined ? {} : { graceMs: grace }),
    ...(bandwidth === undefined ? {} : { bandwidth }),
    ...(trash === undefined ? {} : { trashMs: trash }),
    ...(expires === undefined ? {} : { expiresAt: expires }),
    ...(disabled === undefined ? {} : { disabled }),
    ...(posixOwners === undefined ? {} : { posixOwners }),
  };
}

/** Of a new user, or share. */
export const MISSING_QUOTA =
  'the quota is missing: say one (ftpctl: --quota SIZE; 0 is none), or set ftpmountd --default-quota';

/** What users get of whom the record says nothing. */
export type RecordDefaults = AccountSettings & UserDefaults & { readonly adopt?: boolean };

/** Throws USAGE where the quota is said nowhere. */
export function newUserOf(record: UserRecord, defaults: RecordDefaults): NamedUser {
  const { quotaBytes, maxFiles = 0, ...settings } = { ...defaults, ...settingsOf(record) };
  if (quotaBytes === undefined) throw new Failure('USAGE', MISSING_QUOTA);
  const { posixOwners = false, adopt = false, expiresAt = null } = settings;
  const { name, keys = [] } = record;
  return {
    ...settings,
    name,
    keys,
    quotaBytes,
    maxFiles,
    posixOwners,
    adopt,
    expiresAt,
    credential: credentialOf(record),
  };
}

function credentialOf({ password, passwordHash }: UserRecord): NewCredential {
  if (password !== undefined) return { password };
  return passwordHash === undefined ? null : { passwordHash };
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  throw new Failure('EINVAL', `${JSON.stringify(value)} is no text`);
}

function truthOf(value: unknown): boolean {
  const text = String(value);
  if (text === 'true' || text === 'false') return text === 'true';
  throw new Failure('EINVAL', `'${text}' is neither true nor false`);
}
