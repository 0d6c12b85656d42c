/**
 * The open files of a mount by number, because fuse-native hands over 31 bits and means "none" by 0, where a handle
 * of the file system has 53.
 */
import { Failure } from '../../protocol/failure.js';
import type { HandleId } from '../../protocol/ids.js';
import type { Dentry } from './dentries.js';

/** An open file: what it is open on, held as long as it is. */
export interface OpenFile {
  readonly dentry: Dentry;
  readonly handle: HandleId;
}

export class FileTable {
  readonly #files = new Map<number, OpenFile>();
  readonly #free: number[] = [];

  /** The number of the file from now on: 1 or more, and never more than files were open at once. */
  add(file: OpenFile): number {
    const number = this.#free.pop() ?? this.#files.size + 1;
    this.#files.set(number, file);
    return number;
  }

  /** Throws EBADF where nothing is open by that number. */
  get(number: number): OpenFile {
    const file = this.#files.get(number);
    if (file === undefined) throw new Failure('EBADF');
    return file;
  }

  remove(number: number): OpenFile {
    const file = this.get(number);
    this.#files.delete(number);
    this.#free.push(number);
    return file;
  }
}
