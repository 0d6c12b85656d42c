/* Names of groups and shares, and what is granted, as the command line has them. */
import { Failure } from '../../protocol/failure.js';
import { groupName, shareName, type GroupName, type ShareName } from '../../protocol/ids.js';
import type { Access } from '../../state/shares.js';
import { nameArgument } from './state-access.js';

export interface AccessOptions {
  readonly ro?: boolean;
  readonly rw?: boolean;
}

/** Throws USAGE. */
export function groupArgument(text: string): GroupName {
  return nameArgument(groupName, text);
}

/** Throws USAGE. */
export function shareArgument(text: string): ShareName {
  return nameArgument(shareName, text);
}

/** What --ro or --rw say; undefined: neither is there. Throws USAGE where both are. */
export function accessOf({ ro, rw }: AccessOptions): Access | undefined {
  if (ro === true && rw === true) throw new Failure('USAGE', 'say one of --ro and --rw');
  return ro === true ? 'ro' : rw === true ? 'rw' : undefined;
}
