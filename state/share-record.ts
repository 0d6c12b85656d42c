/**
 * A share as files (ctl/admin/inventory.ts) and the API (web/api/) write one, as user-record.ts has users: by the fields of ShareFields.
 *
 * Invariant: nothing is guessed; a field that is not known, or a value that is not understood, is refused.
 */
import { Failure } from '../protocol/failure.js';
import { groupName, shareName, userName, type UserName } from '../protocol/ids.js';
import type { Group } from './groups.js';
import type { NamedShare, ShareSettings } from './share-administration.js';
import type { Access, Grant, ShareRecord } from './shares.js';
import { parseCount, parseSize } from './sizes.js';
import type { UserDefaults } from './store.js';
import { MISSING_QUOTA, type Fields } from './user-record.js';

/** What a group may do, by its name. */
type Grants = Readonly<Record<string, Access>>;

/** What of a share can be written into a record again. */
export interface ShareFields {
  readonly name: string;
  /** Bytes; 0: no limit. */
  readonly quota: number;
  readonly maxFiles: number;
  readonly grants: Grants;
}

export function shareFieldsOf({ name, quotaBytes, maxFiles, grants }: ShareRecord): ShareFields {
  return { name, quota: quotaBytes, maxFiles, grants: grantsByGroup(grants) };
}

/** As JSON has them. */
export function grantsByGroup(grants: readonly Grant[]): Grants {
  return Object.fromEntries(grants.map(({ group, access }) => [group, access]));
}

/** `settings`: what is said beside the name. Throws EINVAL, and what the values throw; USAGE where the quota is said nowhere. */
export function newShareOf(
  name: unknown,
  settings: Fields,
  { quotaBytes, maxFiles }: UserDefaults,
  adopt: boolean,
): NamedShare {
  const { grants = [], ...limits } = shareSettingsOf(settings);
  const granted = grants.flatMap(({ group, access }) => (access === undefined ? [] : [{ group, access }]));
  const said = { maxFiles, ...(quotaBytes === undefined ? {} : { quotaBytes }), ...limits };
  if (said.quotaBytes === undefined) throw new Failure('USAGE', MISSING_QUOTA);
  return { ...said, quotaBytes: said.quotaBytes, name: shareName(textOf(name)), grants: granted, adopt };
}

/** What the fields say of a share. A group whose grant is null has no part in it any more. Throws EINVAL, and what the values throw. */
export function shareSettingsOf({ quota, maxFiles, grants, ...others }: Fields): ShareSettings {
  requireNone(others, 'quota, maxFiles, grants');
  return {
    ...(quota === undefined ? {} : { quotaBytes: parseSize(String(quota)) }),
    ...(maxFiles === undefined ? {} : { maxFiles: parseCount(String(maxFiles)) }),
    ...(grants === undefined
      ? {}
      : {
          grants: Object.entries(objectOf(grants)).map(([group, access]) => ({
            group: groupName(group),
            access: accessOf(access),
          })),
        }),
  };
}

/** What is said beside the name comes second. Throws EINVAL. */
export function groupOf(name: unknown, { members = [], ...others }: Fields): Group {
  requireNone(others, 'members');
  return { name: groupName(textOf(name)), members: userNamesOf(members) };
}

/** Throws EINVAL. */
export function userNamesOf(names: unknown): UserName[] {
  if (!Array.isArray(names)) throw new Failure('EINVAL', 'there is no list of users');
  return names.map((name) => userName(textOf(name)));
}

function requireNone(others: Fields, allowed: string): void {
  const [name] = Object.keys(others);
  if (name !== undefined) {
    throw new Failure('EINVAL', `there is no field '${name}': allowed are ${allowed}`);
  }
}

function accessOf(value: unknown): Access | undefined {
  if (value === null) return undefined;
  if (value === 'ro' || value === 'rw') return value;
  throw new Failure('EINVAL', `'${String(value)}' is neither ro nor rw`);
}

function objectOf(value: unknown): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw new Failure('EINVAL', 'the grants are no object of groups');
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  throw new Failure('EINVAL', `${JSON.stringify(value)} is no name`);
}
