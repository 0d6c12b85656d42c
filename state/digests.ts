/*
 * The MD5 of files as they were when they were last hashed, so that an unchanged file need not be hashed again.
 *
 * Invariants: a digest is found only for the very inode it was put for, while size, mtime and ctime are what they were
 * then (ctime cannot be set back, so a content that was changed behind a restored mtime is noticed); names count for
 * nothing. A home has at most SLOTS digests: each inode number has one slot, and who comes last has it.
 */
import type { Database } from 'lmdb';
import type { Status } from '../posix/status.js';
import type { HomeName } from '../protocol/ids.js';
import type { Transactions } from './transaction.js';

/** What tells one state of one file from any other. */
export type FileVersion = Pick<Status, 'dev' | 'ino' | 'btime' | 'size' | 'mtime' | 'ctime'>;

export interface DigestRecord {
  readonly version: string;
  /** 16 bytes. */
  readonly md5: Buffer;
}

/** Some 200 KiB for a home that has that many large files. */
const SLOTS = 1024n;

export class DigestStore {
  readonly #table: Database<DigestRecord, string>;
  readonly #transactions: Transactions;

  constructor(table: Database<DigestRecord, string>, transactions: Transactions) {
    this.#table = table;
    this.#transactions = transactions;
  }

  /** The MD5 of this version of the file, if it was put. */
  get(home: HomeName, file: FileVersion): Buffer | undefined {
    const record = this.#table.get(slotOf(home, file));
    return record?.version === textOf(file) ? Buffer.from(record.md5) : undefined;
  }

  /** On the disk when the promise resolves; written off the thread (an fsync). */
  async put(home: HomeName, file: FileVersion, md5: Buffer): Promise<void> {
    await this.#transactions.committed(() =>
      this.#table.put(slotOf(home, file), { version: textOf(file), md5 }),
    );
  }

  removeAll(home: HomeName): void {
    this.#transactions.run(() => {
      // A home's name has no slash, and '0' is the character after it.
      for (const key of Array.from(this.#table.getKeys({ start: `${home}/`, end: `${home}0` })))
        this.#table.removeSync(key);
    });
  }
}

function slotOf(home: HomeName, { ino }: FileVersion): string {
  return `${home}/${ino % SLOTS}`;
}

function textOf({ dev, ino, btime, size, mtime, ctime }: FileVersion): string {
  const times = [btime, mtime, ctime].map(({ sec, nsec }) => `${sec}.${nsec}`);
  return [dev, ino, size, ...times].join(' ');
}
