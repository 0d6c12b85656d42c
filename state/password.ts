/*
 * Password hashing: Argon2id by libsodium (crypto_pwhash_str), which keeps salt and parameters in the text. It blocks
 * for its whole time: the daemon runs it in a thread of its own.
 *
 * 19 MiB and 4 passes: OWASP's minimum is 19 MiB and 2 passes. In WebAssembly it takes 55 ms here; libsodium's INTERACTIVE
 * (64 MiB, 2 passes) takes 105 to 150 ms, and its memory would be half of what the whole daemon may hold.
 */
import { randomBytes } from 'node:crypto';
import type Sodium from 'libsodium-wrappers-sumo';
import { Failure } from '../protocol/failure.js';
import { MAX_PASSWORD } from '../protocol/limits.js';

const PASSES = 4;
const MEMORY_KIB = 19 * 1024;
/** Passes times KiB of a hash from elsewhere: four times those of our own. */
const MAX_COST = 4 * PASSES * MEMORY_KIB;
const HASH = /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,2}),p=1\$[A-Za-z0-9+/]{22,88}\$[A-Za-z0-9+/]{22,88}$/;
/** crypto_pwhash_STRBYTES */
const HASH_BYTES = 128;

/**
 * A hash that no password has, of the present parameters: verifying against it costs what verifying against an
 * account's does, so that time does not tell which users there are.
 */
export const DECOY_HASH = `$argon2id$v=19$m=${MEMORY_KIB},t=${PASSES},p=1$${unpadded(16)}$${unpadded(32)}`;

/** The text form of a password's hash. EINVAL for an empty or too long one. */
export async function hashPassword(password: string): Promise<string> {
  checkPassword(password);
  const sodium = await libsodium();
  return sodium.crypto_pwhash_str(password, PASSES, MEMORY_KIB * 1024);
}

/** EINVAL where it is empty or too long. */
export function checkPassword(password: string): void {
  const length = Buffer.byteLength(password);
  if (length === 0) throw new Failure('EINVAL', 'the password is empty');
  if (length > MAX_PASSWORD) throw new Failure('EINVAL', `the password is longer than ${MAX_PASSWORD} bytes`);
}

/** Whether it is a hash that can be verified (libsodium knows one lane only), at a cost that the daemon can bear; it may be another server's. */
export function isPasswordHash(text: string): boolean {
  const [, memoryKib, passes] = HASH.exec(text) ?? [];
  return Number(memoryKib) * Number(passes) <= MAX_COST && text.length < HASH_BYTES;
}

/** Whether the password has this hash. The comparison is in constant time. */
export async function verifyPassword(hash: string, password: string): Promise<boolean> {
  const sodium = await libsodium();
  return sodium.crypto_pwhash_str_verify(hash, password);
}

/** Loaded by the first that hashes: it takes 55 ms and 4.5 MiB, and most who import this file want the decoy only. */
async function libsodium(): Promise<typeof Sodium> {
  const { default: sodium, ready } = await import('libsodium-wrappers-sumo');
  await ready;
  return sodium;
}

function unpadded(length: number): string {
  return randomBytes(length).toString('base64').replace(/=+$/, '');
}
