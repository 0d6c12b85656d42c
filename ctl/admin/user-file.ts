/** The text of a file of users; `-` is standard input. */
import { readFileSync, statSync } from 'node:fs';
import { Failure } from '../../protocol/failure.js';

/** Longest file, in bytes. */
const MAX_FILE = 16 * 1024 * 1024;

/** To be called before anything else: with the rights of the caller, who may be root. */
export function readUserFile(path: string): string {
  try {
    const text = path === '-' ? readFileSync(0, 'utf8') : sized(path);
    if (text.length > MAX_FILE) throw tooLong(path);
    return text;
  } catch (error) {
    throw Failure.from(error);
  }
}

function sized(path: string): string {
  if (statSync(path).size > MAX_FILE) throw tooLong(path);
  return readFileSync(path, 'utf8');
}

function tooLong(path: string): Failure {
  return new Failure('E2BIG', `${path} is longer than ${MAX_FILE} bytes`);
}
