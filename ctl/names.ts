/**
 * Names of files on their way between the command line, the output and the wire.
 *
 * On the wire and in local calls names are bytes. Arguments reach a node program as text, so a name that is no
 * UTF-8 cannot be typed as an argument; it is reached through its directory (-r) or a mount. In the output, names
 * are raw bytes for programs, and escaped for terminals, as `ls` does it.
 */
import { printable } from '../program/report.js';

/** How standard input or output is written where a local file is meant. */
export const STREAM = '-';

/** The last component of a local or remote path; empty for `/`, `.`, `..` and the empty path, which name no file. */
export function lastComponent(path: Buffer): Buffer {
  let end = path.length;
  while (end > 0 && path[end - 1] === 0x2f) end -= 1;
  const name = path.subarray(path.lastIndexOf(0x2f, end - 1) + 1, end);
  const text = name.toString('latin1');
  return text === '.' || text === '..' ? Buffer.alloc(0) : name;
}

/** Whether a directory's path means what is in it, as rsync takes it: `tree/`, `.`, `..`, `/`, and the empty path. */
export function isContents(path: Buffer): boolean {
  return path.at(-1) === 0x2f || lastComponent(path).length === 0;
}

/** A name below a local directory. */
export function localJoin(directory: Buffer, name: Buffer): Buffer {
  if (directory.length === 0 || name.length === 0) return directory.length === 0 ? name : directory;
  const slash = directory[directory.length - 1] === 0x2f ? '' : '/';
  return Buffer.concat([directory, Buffer.from(slash), name]);
}

/** A name for a terminal or a message: printable, one line; bytes that are no UTF-8 as \xNN. */
export function displayName(name: Buffer): string {
  const text = name.toString('utf8');
  if (Buffer.from(text).equals(name)) return printable(text);
  return Array.from(name, (byte) =>
    byte < 0x20 || byte >= 0x7f ? `\\x${byte.toString(16).padStart(2, '0')}` : String.fromCharCode(byte),
  ).join('');
}

/** A name in JSON: text; where it is no UTF-8, its bytes are given too. */
export function jsonPath(name: Buffer): { readonly path: string; readonly pathBase64?: string } {
  const path = name.toString('utf8');
  return Buffer.from(path).equals(name) ? { path } : { path, pathBase64: name.toString('base64') };
}

/** A name for standard output: escaped if that is a terminal, else its bytes. */
export function outputName(name: Buffer, terminal: boolean): Buffer {
  return terminal ? Buffer.from(displayName(name)) : name;
}
