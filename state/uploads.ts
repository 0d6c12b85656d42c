/*
 * Resumable uploads: per home and key, how far a partial file is written, hashed and on the disk. A record is put
 * after the data it speaks of is synced, so that it never promises more than the partial file holds.
 */
import type { Database } from 'lmdb';
import type { HomeName } from '../protocol/ids.js';
import type { Transactions } from './transaction.js';

export interface UploadRecord {
  /** Where the file will appear: a path of the home, in bytes. */
  readonly path: Buffer;
  /** Name of the partial file in the home's hidden directory. */
  readonly partial: string;
  /** Bytes of the whole file. */
  readonly size: number;
  /** Permissions. */
  readonly mode: number;
  readonly mtime: { readonly sec: number; readonly nsec: number };
  /** 32 bytes that name the source as it was. */
  readonly fingerprint: Buffer;
  /** Id of the boot (boot.ts) in which it was recorded: what was written in it is there, also if not synced. */
  readonly boot: Buffer;
  /** Bytes that are written, hashed and synced. */
  readonly offset: number;
  /** MD5 context over those bytes. */
  readonly md5State: Buffer;
}

/** Longest key, in characters of ASCII: lmdb's keys end at 1978 bytes. */
const MAX_KEY = 255;

export class UploadStore {
  readonly #table: Database<UploadRecord, string>;
  readonly #transactions: Transactions;

  constructor(table: Database<UploadRecord, string>, transactions: Transactions) {
    this.#table = table;
    this.#transactions = transactions;
  }

  get(home: HomeName, key: string): UploadRecord | undefined {
    return this.#table.get(tableKey(home, key));
  }

  /** On the disk when the promise resolves; written off the thread (an fsync). */
  async put(home: HomeName, key: string, record: UploadRecord): Promise<void> {
    await this.#transactions.committed(() => this.#table.put(tableKey(home, key), record));
  }

  async remove(home: HomeName, key: string): Promise<void> {
    await this.#transactions.committed(() => this.#table.remove(tableKey(home, key)));
  }

  /** All uploads of a home. */
  list(home: HomeName): { key: string; record: UploadRecord }[] {
    const prefix = tableKey(home, '');
    return Array.from(this.#table.getRange(keysOf(home)), ({ key, value }) => ({
      key: key.slice(prefix.length),
      record: value,
    }));
  }

  removeAll(home: HomeName): void {
    this.#transactions.run(() => {
      for (const key of Array.from(this.#table.getKeys(keysOf(home)))) this.#table.removeSync(key);
    });
  }
}

function tableKey(home: HomeName, key: string): string {
  if (key.length > MAX_KEY) throw new RangeError(`the key of an upload has at most ${MAX_KEY} characters`);
  // A home's name has no slash, so that no two pairs make the same key.
  return `${home}/${key}`;
}

/** The range of a home's keys: '0' is the character after '/'. */
function keysOf(home: HomeName): { start: string; end: string } {
  return { start: `${home}/`, end: `${home}0` };
}
