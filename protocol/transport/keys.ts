/*
 * Static X25519 keys in files and as text: the daemon's identity and the clients' own keys.
 *
 *   private key file   ftpmount-x25519-private BASE64 COMMENT
 *   public key         ftpmount-x25519 BASE64 COMMENT
 *   fingerprint        SHA256:BASE64-WITHOUT-PADDING of the 32 bytes of the public key
 *
 * One line each; the comment may be missing. A private key file holds the private key alone, as the
 * public one follows from it and so cannot disagree. It is only ever read from a regular file of the
 * user's own that nobody else may access, checked on the open descriptor, so that no swap in between helps.
 */

import { createHash } from 'node:crypto';
import { closeSync, constants, fchmodSync, fstatSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { readSync, unlinkSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { Failure } from '../failure.js';
import { DH_LENGTH, exportPrivateKey, importPrivateKey, type KeyPair } from './x25519.js';

export const PUBLIC_KEY_TYPE = 'ftpmount-x25519';
const PRIVATE_KEY_TYPE = 'ftpmount-x25519-private';

/** The longest key line that is read, in bytes. */
const MAX_KEY_LINE = 1024;
/** The longest comment of a key, in bytes. */
const MAX_COMMENT = 255;

const PRIVATE_MODE = 0o600;

export interface PublicKey {
  /** 32 bytes. */
  readonly publicKey: Buffer;
  /** Empty where there is none. */
  readonly comment: string;
}

export interface StaticKey extends KeyPair {
  readonly comment: string;
}

/** `SHA256:...` of a public key, for people to compare. */
export function fingerprint(publicKey: Uint8Array): string {
  return `SHA256:${createHash('sha256').update(publicKey).digest('base64').replace(/=+$/, '')}`;
}

/** The one line that an authorized key or a known host is known by, without a line end. */
export function formatPublicKey(publicKey: Uint8Array, comment = ''): string {
  return formatLine(PUBLIC_KEY_TYPE, publicKey, comment);
}

/** Reads what formatPublicKey wrote; surrounding white space is ignored. Throws USAGE. */
export function parsePublicKey(text: string): PublicKey {
  const { bytes, comment } = parseLine(PUBLIC_KEY_TYPE, text);
  return { publicKey: bytes, comment };
}

/** The base64 field of a key line as 32 bytes, or undefined where it is not the canonical base64 of 32 bytes. */
export function decodeKey(base64: string): Buffer | undefined {
  // Length first: the text can be long. Then the round trip, as node's decoder skips what it does not know.
  if (base64.length !== Math.ceil(DH_LENGTH / 3) * 4) return undefined;
  const bytes = Buffer.alloc(DH_LENGTH);
  bytes.write(base64, 'base64');
  return bytes.toString('base64') === base64 ? bytes : undefined;
}

/**
 * Writes a new private key file, mode 0600, with its directory (0700) where that is missing.
 * Throws EEXIST where there is a file already: a key is never overwritten.
 */
export function writeKeyFile(path: string, keyPair: KeyPair, comment = ''): void {
  const privateKey = exportPrivateKey(keyPair);
  const line = Buffer.from(`${formatLine(PRIVATE_KEY_TYPE, privateKey, comment)}\n`);
  privateKey.fill(0);
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const file = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, PRIVATE_MODE);
    try {
      // The umask may have taken bits from the mode given to open.
      fchmodSync(file, PRIVATE_MODE);
      let written = 0;
      while (written < line.length) written += writeSync(file, line, written);
      fsyncSync(file);
    } catch (error) {
      unlinkSync(path);
      throw error;
    } finally {
      closeSync(file);
    }
    syncDirectory(dirname(path));
  } catch (error) {
    throw Failure.from(error);
  } finally {
    line.fill(0);
  }
}

/**
 * Reads a private key file. Throws ENOENT where there is none, EACCES where it is not private (not a
 * regular file, another's, or with a mode other than 0600 or 0400), USAGE where its content is no key.
 */
export function readKeyFile(path: string): StaticKey {
  const line = Buffer.alloc(MAX_KEY_LINE + 1);
  try {
    const { bytes, comment } = parseLine(PRIVATE_KEY_TYPE, readPrivate(path, line), path);
    const pair = importPrivateKey(bytes);
    bytes.fill(0);
    return { ...pair, comment };
  } finally {
    line.fill(0);
  }
}

/** Reads the file into `line` and returns the text, after the checks that readKeyFile names. */
function readPrivate(path: string, line: Buffer): string {
  let file: number;
  try {
    // O_NONBLOCK: opening a fifo must not wait for a writer.
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch (error) {
    throw Failure.from(error);
  }
  try {
    const status = fstatSync(file);
    if (!status.isFile()) throw new Failure('EACCES', `${path} is not a regular file`);
    if (status.uid !== process.geteuid?.()) {
      throw new Failure('EACCES', `${path} belongs to another user: a private key must be your own`);
    }
    const mode = status.mode & 0o7777;
    if (mode !== PRIVATE_MODE && mode !== 0o400) {
      throw new Failure(
        'EACCES',
        `${path} has mode ${mode.toString(8).padStart(4, '0')}: a private key must be 0600 (chmod 600 it)`,
      );
    }
    let length = 0;
    for (;;) {
      const count = readSync(file, line, length, line.length - length, length);
      length += count;
      if (count === 0 || length === line.length) break;
    }
    if (length > MAX_KEY_LINE) throw new Failure('USAGE', `${path} is too long for a key file`);
    return line.toString('utf8', 0, length);
  } catch (error) {
    throw Failure.from(error);
  } finally {
    closeSync(file);
  }
}

function formatLine(type: string, key: Uint8Array, comment: string): string {
  if (key.length !== DH_LENGTH) throw new RangeError(`a key has ${DH_LENGTH} bytes`);
  if (!isComment(comment)) throw new Failure('USAGE', 'a key comment is one short line of printable text');
  const base64 = Buffer.from(key).toString('base64');
  return comment === '' ? `${type} ${base64}` : `${type} ${base64} ${comment}`;
}

/** No control characters: comments are shown on terminals and kept in files of lines. */
function isComment(comment: string): boolean {
  return (
    Buffer.byteLength(comment) <= MAX_COMMENT &&
    comment === comment.trim() &&
    !/[\p{Cc}\p{Zl}\p{Zp}]/u.test(comment)
  );
}

function parseLine(type: string, text: string, path?: string): { bytes: Buffer; comment: string } {
  const where = path === undefined ? '' : `${path}: `;
  const match = /^(\S+)[ \t]+(\S+)(?:[ \t]+(.*))?$/u.exec(text.trim());
  if (match?.[1] !== type) throw new Failure('USAGE', `${where}not a key of type ${type}`);
  const bytes = decodeKey(match[2] ?? '');
  const comment = match[3] ?? '';
  if (bytes === undefined)
    throw new Failure('USAGE', `${where}the key is not the base64 of ${DH_LENGTH} bytes`);
  if (!isComment(comment))
    throw new Failure('USAGE', `${where}the comment of the key is too long or unprintable`);
  return { bytes, comment };
}

/** A name that a crash takes back would be a new identity at the next start, and an alarm at every client. */
function syncDirectory(path: string): void {
  const directory = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
