/*
 * Standard input as a stream of bytes, whatever it is. Of a device that is no terminal node makes an empty stream, and so it does
 * of a directory: what was put then was nothing, with success.
 */
import { createReadStream, fstatSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { Failure } from '../../protocol/failure.js';

const STDIN = 0;

/** EISDIR. */
export function standardInput(): Readable {
  const status = fstatSync(STDIN);
  if (status.isDirectory())
    throw new Failure('EISDIR', 'standard input is a directory: give it by its name, with -r');
  const isDevice = status.isBlockDevice() || (status.isCharacterDevice() && !process.stdin.isTTY);
  return isDevice || status.isFile() ? createReadStream('', { fd: STDIN, autoClose: false }) : process.stdin;
}
