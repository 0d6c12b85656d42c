/** `ftpctl key add|list|remove NAME`: the static keys by which a user logs in without a password. */
import { readFileSync } from 'node:fs';
import { Failure } from '../../protocol/failure.js';
import { PUBLIC_KEY_TYPE, fingerprint, formatPublicKey, parsePublicKey } from '../../protocol/keys.js';
import { noSuchUser, type AccountKey } from '../../state/accounts.js';
import { writeOut } from '../output/stdout.js';
import { announce, userArgument, withState } from './state-access.js';
import type { StateOptions } from './state-option.js';

/** More keys than a person has machines. */
const MAX_KEYS = 64;

/** `key` is a public key as `ftpctl keygen` prints it, a file that holds one, or `-`. Returns the exit code. */
export async function keyAdd(text: string, key: string, options: StateOptions): Promise<number> {
  const name = userArgument(text);
  const { publicKey, comment } = parsePublicKey(readKey(key));
  const added: AccountKey = { publicKey: publicKey.toString('base64'), comment };
  await withState(options, 'change', async ({ accounts }) => {
    accounts.update(name, (account) => {
      if (account.keys.some((known) => known.publicKey === added.publicKey)) {
        throw new Failure('EEXIST', `${name} has that key already: ftpctl key list shows it`);
      }
      if (account.keys.length >= MAX_KEYS)
        throw new Failure('E2BIG', `${name} has ${MAX_KEYS} keys: remove one`);
      return { ...account, keys: [...account.keys, added] };
    });
    await announce(
      options,
      { action: 'key-add', user: name, details: { fingerprint: fingerprint(publicKey) } },
      { type: 'accountChanged', name },
    );
  });
  await writeOut(`key ${fingerprint(publicKey)} added to ${name}\n`);
  return 0;
}

/** Returns the exit code. */
export async function keyList(text: string, options: StateOptions): Promise<number> {
  const name = userArgument(text);
  const account = await withState(options, 'read', async ({ accounts }) => accounts.get(name));
  if (account === undefined) throw noSuchUser(name);
  for (const key of account.keys) {
    const publicKey = Buffer.from(key.publicKey, 'base64');
    await writeOut(`${fingerprint(publicKey)} ${formatPublicKey(publicKey, key.comment)}\n`);
  }
  return 0;
}

/** `which` is a fingerprint, a comment, or the key itself. Returns the exit code. */
export async function keyRemove(text: string, which: string, options: StateOptions): Promise<number> {
  const name = userArgument(text);
  const removed = await withState(options, 'change', async ({ accounts }) => {
    let found: AccountKey | undefined;
    accounts.update(name, (account) => {
      const matching = account.keys.filter((key) => matches(key, which));
      if (matching.length > 1)
        throw new Failure('USAGE', `several keys are '${which}': name one by its fingerprint`);
      [found] = matching;
      if (found === undefined)
        throw new Failure('ENOENT', `${name} has no key '${which}': see ftpctl key list`);
      return { ...account, keys: account.keys.filter((key) => key !== found) };
    });
    const print = found === undefined ? '' : fingerprintOf(found);
    await announce(
      options,
      { action: 'key-remove', user: name, details: { fingerprint: print } },
      { type: 'accountChanged', name },
    );
    return print;
  });
  await writeOut(`key ${removed} removed from ${name}\n`);
  return 0;
}

function matches(key: AccountKey, which: string): boolean {
  return which === key.comment || which === fingerprintOf(key) || which.split(/\s+/).includes(key.publicKey);
}

function fingerprintOf(key: AccountKey): string {
  return fingerprint(Buffer.from(key.publicKey, 'base64'));
}

function readKey(key: string): string {
  if (key.trimStart().startsWith(PUBLIC_KEY_TYPE)) return key;
  try {
    return readFileSync(key === '-' ? 0 : key, 'utf8');
  } catch (error) {
    throw Failure.from(error);
  }
}
