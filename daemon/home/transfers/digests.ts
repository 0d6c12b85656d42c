/*
 * The MD5 of large files, remembered from the last upload or download that hashed the whole of them: a download of a file
 * that did not change since then hashes nothing. With 1 GiB that is 1.5 s of processor time, more than all the rest
 * of sending it. And what the client compares is then what was uploaded: a disk that gives back other
 * bytes is found out, where hashing anew would agree with it.
 *
 * Invariant: what is remembered is compared with the file as it is when it is asked for (state/digests); nothing that
 * changes files has to tell.
 */
import type { HomeName } from '../../../protocol/ids.js';
import type { DigestStore, FileVersion } from '../../../state/digests.js';
import type { Log } from '../../log.js';

/** What is needed of the store. */
export type DigestRecords = Pick<DigestStore, 'get' | 'put'>;

/** Hashing 16 MiB takes 22 ms; with smaller files the commit of the record would soon cost as much. */
export const REMEMBERED_FROM = 16 * 1024 * 1024;
/**
 * A file that was written to just now may be written to again within the same tick of the clock, and look the same. So it
 * is remembered only when its mtime is so old (seconds) that another write gives another one, also where the file system
 * counts in seconds.
 */
const SETTLED_SECONDS = 2;

export class Digests {
  readonly #home: HomeName;
  readonly #store: DigestRecords;
  readonly #log: Log;

  constructor(parts: { home: HomeName; store: DigestRecords; log: Log }) {
    this.#home = parts.home;
    this.#store = parts.store;
    this.#log = parts.log;
  }

  /** The MD5 of a file in this version, if it is remembered. */
  of(file: FileVersion): Buffer | undefined {
    return file.size < REMEMBERED_FROM ? undefined : this.#store.get(this.#home, file);
  }

  /** `md5` is that of the whole file, and the file has not changed since it was read or written. */
  remember(file: FileVersion, md5: Buffer): void {
    const age = Date.now() / 1000 - file.mtime.sec;
    if (file.size < REMEMBERED_FROM || Math.abs(age) <= SETTLED_SECONDS) return;
    this.#store.put(this.#home, file, md5).catch((error: unknown) => {
      this.#log.warn({ error, home: this.#home }, 'the MD5 of a file was not remembered');
    });
  }
}
