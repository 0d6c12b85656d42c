/** `ftpctl key add|list|remove NAME`: the static keys by which a user logs in without a password. */
import { readFileSync } from 'node:fs';
import { Failure } from '../../protocol/failure.js';
import { PUBLIC_KEY_TYPE, formatPublicKey } from '../../protocol/transport/keys.js';
import { fingerprintOf } from '../../state/account-keys.js';
import { noSuchUser } from '../../state/accounts.js';
import { writeOut } from '../output/stdout.js';
import { administer, userArgument, withState } from './state-access.js';
import type { StateOptions } from './state-option.js';

/** `key` is a public key as `ftpctl keygen` prints it, a file that holds one, or `-`. Returns the exit code. */
export async function keyAdd(text: string, key: string, options: StateOptions): Promise<number> {
  const name = userArgument(text);
  const publicKey = readKey(key);
  const added = await administer(options, 'change', (administration) =>
    administration.addKey(name, publicKey),
  );
  await writeOut(`key ${added} added to ${name}\n`);
  return 0;
}

/** Returns the exit code. */
export async function keyList(text: string, options: StateOptions): Promise<number> {
  const name = userArgument(text);
  const account = await withState(options, 'read', async ({ accounts }) => accounts.get(name));
  if (account === undefined) throw noSuchUser(name);
  for (const key of account.keys) {
    const publicKey = formatPublicKey(Buffer.from(key.publicKey, 'base64'), key.comment);
    await writeOut(`${fingerprintOf(key)} ${publicKey}\n`);
  }
  return 0;
}

/** `which` is a fingerprint, a comment, or the key itself. Returns the exit code. */
export async function keyRemove(text: string, which: string, options: StateOptions): Promise<number> {
  const name = userArgument(text);
  const removed = await administer(options, 'change', (administration) =>
    administration.removeKey(name, which),
  );
  await writeOut(`key ${removed} removed from ${name}\n`);
  return 0;
}

function readKey(key: string): string {
  if (key.trimStart().startsWith(PUBLIC_KEY_TYPE)) return key;
  try {
    return readFileSync(key === '-' ? 0 : key, 'utf8');
  } catch (error) {
    throw Failure.from(error);
  }
}
