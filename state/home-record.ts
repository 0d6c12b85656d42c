/*
 * What a home is opened by, whoever has it: a user, or the members of a share. An account can be one, but has more that is
 * none of a home's business.
 */
import type { HomeName } from '../protocol/ids.js';
import type { Account } from './accounts.js';

export interface HomeRecord extends Pick<
  Account,
  'createdAt' | 'quotaBytes' | 'maxFiles' | 'softBytes' | 'graceMs' | 'posixOwners' | 'trashMs'
> {
  readonly name: HomeName;
}

/** A user's own home. */
export function ownHome(account: Account): HomeRecord {
  const { name, createdAt, quotaBytes, maxFiles, softBytes, graceMs, posixOwners, trashMs } = account;
  return {
    ...{ name, createdAt, quotaBytes, maxFiles },
    ...(softBytes === undefined ? {} : { softBytes }),
    ...(graceMs === undefined ? {} : { graceMs }),
    ...(posixOwners === undefined ? {} : { posixOwners }),
    ...(trashMs === undefined ? {} : { trashMs }),
  };
}
