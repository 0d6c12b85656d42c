/** How much a part of the log is: operations, bytes of data, and what they take of the grant. */
import type { Charge, Entry } from './entry.js';

export interface Amount {
  readonly operations: number;
  /** Of file data. */
  readonly bytes: number;
}

export class Tally implements Amount {
  operations = 0;
  bytes = 0;
  readonly charge: { -readonly [K in keyof Charge]: number } = { bytes: 0, files: 0 };

  add(entry: Entry): void {
    this.#count(entry, 1);
  }

  remove(entry: Entry): void {
    this.#count(entry, -1);
  }

  #count({ bytes, charge }: Entry, sign: 1 | -1): void {
    this.operations += sign;
    this.bytes += sign * bytes;
    this.charge.bytes += sign * charge.bytes;
    this.charge.files += sign * charge.files;
  }
}
