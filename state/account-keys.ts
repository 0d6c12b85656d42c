/* The static keys of an account: adding one, and which one is meant. */
import { Failure } from '../protocol/failure.js';
import { fingerprint, parsePublicKey } from '../protocol/transport/keys.js';
import type { Account, AccountKey } from './accounts.js';

/** More keys than a person has machines. */
export const MAX_KEYS = 64;

/** A key as `ftpctl keygen` prints it. Throws USAGE or EINVAL. */
export function accountKey(text: string): AccountKey {
  const { publicKey, comment } = parsePublicKey(text);
  return { publicKey: publicKey.toString('base64'), comment };
}

/** SHA256:... */
export function fingerprintOf({ publicKey }: AccountKey): string {
  return fingerprint(Buffer.from(publicKey, 'base64'));
}

/** EEXIST, E2BIG. */
export function withKey(account: Account, key: AccountKey): Account {
  const { name, keys } = account;
  if (keys.some(({ publicKey }) => publicKey === key.publicKey)) {
    throw new Failure('EEXIST', `${name} has that key already: ftpctl key list shows it`);
  }
  if (keys.length >= MAX_KEYS) throw new Failure('E2BIG', `${name} has ${MAX_KEYS} keys: remove one`);
  return { ...account, keys: [...keys, key] };
}

/** The key with this fingerprint, comment, or text. ENOENT; USAGE where there are several. */
export function keyOf({ name, keys }: Account, which: string): AccountKey {
  const [found, ...others] = keys.filter((key) => matches(key, which));
  if (found === undefined) throw new Failure('ENOENT', `${name} has no key '${which}': see ftpctl key list`);
  if (others.length > 0) {
    throw new Failure('USAGE', `several keys are '${which}': name one by its fingerprint`);
  }
  return found;
}

function matches(key: AccountKey, which: string): boolean {
  return which === key.comment || which === fingerprintOf(key) || which.split(/\s+/).includes(key.publicKey);
}
