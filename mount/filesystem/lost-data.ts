/**
 * The data of writes that a server could not take, kept in files of this machine: the only copy that there is.
 *
 * Invariant: each mount has a directory of its own, made with the first loss, and a file of the home one file in it: what was
 * lost of other homes, or of another mount, is never written over. Later writes go over earlier ones, as in the file itself.
 */
import { closeSync, constants, mkdirSync, openSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { keyOf, type FileId } from '../../protocol/references.js';

/** Of the longest name in a file system, with room for the id. */
const MAX_NAME = 180;

export class LostData {
  readonly #wanted: string;
  #directory: string | undefined;

  /** `directory`: what it is called, unless that is there already. */
  constructor(directory: string) {
    this.#wanted = directory;
  }

  /** Keeps the bytes of a file at their place. `key`: its name (latin1), if it has one. Returns the file. Throws as node:fs. */
  keep(id: FileId, key: string | undefined, offset: number, data: Buffer): string {
    this.#directory ??= madeAnew(this.#wanted);
    const name = Buffer.from(key ?? 'removed', 'latin1')
      .toString()
      .replaceAll(/[^\w.-]/g, '_');
    const file = join(this.#directory, `${keyOf(id)}-${name}`.slice(0, MAX_NAME));
    const fd = openSync(file, constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
    try {
      for (let done = 0; done < data.length;) {
        done += writeSync(fd, data, done, data.length - done, offset + done);
      }
    } finally {
      closeSync(fd);
    }
    return file;
  }
}

function madeAnew(wanted: string): string {
  mkdirSync(dirname(wanted), { recursive: true, mode: 0o700 });
  for (let number = 1; ; number++) {
    const directory = number === 1 ? wanted : `${wanted}-${number}`;
    try {
      mkdirSync(directory, { mode: 0o700 });
      return directory;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}
