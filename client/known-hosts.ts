/*
 * The client's known_hosts file: which static keys a server is pinned to.
 *
 *   HOST:PORT ftpmount-x25519 BASE64        one key a line; '#' starts a comment line; IPv6 as [::1]:8083
 *
 * A host may have several lines, and any of its keys is good. The file fails closed: a line that cannot be
 * read is an error that names file and line, never skipped, as it may be the very line whose loss would turn
 * a changed key into an unknown one. Additions are one write(2) to an O_APPEND descriptor, so concurrent
 * clients lose nothing of each other's and what the user wrote stays as it is.
 */

import { closeSync, constants, fstatSync, fsyncSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { readSync, realpathSync, renameSync, writeFileSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { hostAddress } from '../protocol/transport/addresses.js';
import { Failure } from '../protocol/failure.js';
import { PUBLIC_KEY_TYPE, decodeKey, formatPublicKey } from '../protocol/transport/keys.js';

/** The longest known_hosts that is read, in bytes: some 10,000 hosts. */
const MAX_KNOWN_HOSTS = 1024 * 1024;

/** One line of the file. */
export interface KnownHost {
  /** As hostAddress writes it. */
  readonly address: string;
  /** 32 bytes. */
  readonly publicKey: Buffer;
  /** Counted from 1. */
  readonly line: number;
}

/** What the file says about a server's key. */
export type HostLookup =
  | { readonly status: 'match'; readonly entry: KnownHost }
  | { readonly status: 'unknown' }
  /** The host is known, but by other keys only: these. Never empty. */
  | { readonly status: 'changed'; readonly entries: readonly KnownHost[] };

/**
 * Looks the key of a server up. A missing file knows nobody.
 * Throws HOSTKEY where a line is malformed, EACCES where others may write the file.
 */
export function lookupHost(path: string, host: string, port: number, publicKey: Uint8Array): HostLookup {
  const address = hostAddress(host, port);
  const entries = readKnownHosts(path).filter((entry) => entry.address === address);
  const entry = entries.find((candidate) => candidate.publicKey.equals(publicKey));
  if (entry !== undefined) return { status: 'match', entry };
  return entries.length === 0 ? { status: 'unknown' } : { status: 'changed', entries };
}

/** Pins a key to a server, in the file (0600) and directory (0700) that are made where missing. */
export function appendHost(path: string, host: string, port: number, publicKey: Uint8Array): void {
  const line = `${hostAddress(host, port)} ${formatPublicKey(publicKey)}\n`;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const file = openSync(path, constants.O_RDWR | constants.O_APPEND | constants.O_CREAT, 0o600);
    try {
      const bytes = Buffer.from(endsInsideLine(file) ? `\n${line}` : line);
      const written = writeSync(file, bytes);
      if (written !== bytes.length) throw new Failure('ENOSPC', `${path} took a part of a line only`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    throw Failure.from(error);
  }
}

/** All lines of the file, in order; [] where there is none. Throws as lookupHost does. */
export function readKnownHosts(path: string): KnownHost[] {
  return entriesOf(readText(path), path);
}

/**
 * Removes the keys of hosts by their addresses: those that were there. Other lines stay as they are, but one that is added at the
 * same moment may be lost: that server is not known then, which is asked about.
 */
export function forgetHosts(path: string, isMeant: (address: string) => boolean): KnownHost[] {
  const text = readText(path);
  const gone = entriesOf(text, path).filter(({ address }) => isMeant(address));
  if (gone.length === 0) return gone;
  const lines = new Set(gone.map(({ line }) => line));
  const kept = text.split('\n').filter((_, index) => !lines.has(index + 1));
  try {
    // Where it is a link that stays one.
    const file = realpathSync(path);
    writeFileSync(`${file}.new`, kept.join('\n'), { mode: 0o600, flush: true });
    renameSync(`${file}.new`, file);
  } catch (error) {
    throw Failure.from(error);
  }
  return gone;
}

function entriesOf(whole: string, path: string): KnownHost[] {
  const entries: KnownHost[] = [];
  for (const [index, line] of whole.split('\n').entries()) {
    const text = line.trim();
    if (text !== '' && !text.startsWith('#')) entries.push(parseEntry(text, path, index + 1));
  }
  return entries;
}

function parseEntry(text: string, path: string, line: number): KnownHost {
  const [address = '', type, base64 = '', ...rest] = text.split(/[ \t]+/);
  const publicKey = decodeKey(base64);
  if (!isAddress(address) || type !== PUBLIC_KEY_TYPE || publicKey === undefined || rest.length > 0) {
    throw new Failure(
      'HOSTKEY',
      `${path}:${line}: not "HOST:PORT ${PUBLIC_KEY_TYPE} BASE64": mend or remove the line`,
    );
  }
  return { address, publicKey, line };
}

/** Whether the text is what hostAddress writes; anything else could never be found again. */
function isAddress(text: string): boolean {
  const match = /^(?:\[([^[\]]+)\]|([^:[\]]+)):([1-9][0-9]{0,4})$/u.exec(text);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined) return false;
  try {
    return hostAddress(host, Number(match?.[3])) === text;
  } catch {
    return false;
  }
}

function readText(path: string): string {
  try {
    const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    try {
      const status = fstatSync(file);
      if (!status.isFile()) throw new Failure('EACCES', `${path} is not a regular file`);
      if ((status.mode & 0o022) !== 0) {
        throw new Failure('EACCES', `${path} can be written by others: chmod go-w it`);
      }
      if (status.size > MAX_KNOWN_HOSTS) throw new Failure('EFBIG', `${path} is too long`);
      return readFileSync(file, 'utf8');
    } finally {
      closeSync(file);
    }
  } catch (error) {
    const failure = Failure.from(error);
    if (failure.kind === 'ENOENT') return '';
    throw failure;
  }
}

function endsInsideLine(file: number): boolean {
  const { size } = fstatSync(file);
  const last = Buffer.alloc(1);
  return size > 0 && readSync(file, last, 0, 1, size - 1) === 1 && last[0] !== 0x0a;
}
