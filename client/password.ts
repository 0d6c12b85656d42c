/**
 * Where a password comes from: the first line of a file or of standard input (`--password-file FILE|-`), or a person
 * at the terminal, without echo. Never from the command line or the environment, which other users can see.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { Failure } from '../protocol/failure.js';
import { MAX_PASSWORD } from '../protocol/limits.js';
import type { Terminal } from './terminal.js';

const STDIN = 0;

/**
 * The first line of the file; `-` is standard input. Throws EACCES where a regular file can be read by everybody
 * (a group may: secrets are often given to services that way), USAGE where it is no file, or holds no password.
 */
export function readPasswordFile(path: string): string {
  const name = path === '-' ? 'standard input' : path;
  const line = Buffer.alloc(MAX_PASSWORD + 2);
  const file = path === '-' ? STDIN : open(path);
  try {
    const status = fstatSync(file);
    if (status.isDirectory()) throw new Failure('USAGE', `${name} is a directory, not a password file`);
    if (path !== '-' && status.isFile() && (status.mode & 0o004) !== 0) {
      throw new Failure('EACCES', `${name} can be read by everybody: chmod 600 it`);
    }
    return checkPassword(firstLine(file, line), name);
  } catch (error) {
    throw Failure.from(error);
  } finally {
    line.fill(0);
    if (file !== STDIN) closeSync(file);
  }
}

/** A new password, typed twice. Throws USAGE where the two differ. */
export async function askNewPassword(terminal: Terminal, user: string): Promise<string> {
  const password = checkPassword(await terminal.askSecret(`New password of ${user}: `), 'the terminal');
  if ((await terminal.askSecret('The same again: ')) !== password) {
    throw new Failure('USAGE', 'the two passwords differ: nothing was changed');
  }
  return password;
}

function open(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (error) {
    const failure = Failure.from(error);
    if (failure.kind !== 'ENOENT') throw failure;
    throw new Failure('USAGE', `${path}: no such file of a password`, { cause: error });
  }
}

function firstLine(file: number, line: Buffer): string {
  let length = 0;
  while (length < line.length && !line.subarray(0, length).includes('\n')) {
    const count = readAvailable(file, line, length);
    if (count === 0) break;
    length += count;
  }
  const end = line.subarray(0, length).indexOf('\n');
  return line.toString('utf8', 0, end < 0 ? length : end).replace(/\r$/, '');
}

/** Standard input may be a pipe that another process made non-blocking: EAGAIN then means wait. */
function readAvailable(file: number, line: Buffer, at: number): number {
  for (;;) {
    try {
      return readSync(file, line, at, line.length - at, null);
    } catch (error) {
      if (Failure.from(error).kind !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
  }
}

function checkPassword(password: string, source: string): string {
  if (password === '') throw new Failure('USAGE', `${source} gives an empty password`);
  if (Buffer.byteLength(password) > MAX_PASSWORD) {
    throw new Failure('USAGE', `${source} gives a password longer than ${MAX_PASSWORD} bytes`);
  }
  return password;
}
