/*
 * A download: a file open for reading whose data is hashed as it is read in order, so that the MD5 at the end costs no
 * second reading; or whose MD5 is remembered, and the data is just read.
 *
 * To be hashed, reads are answered in the order they came, each as soon as it is read; hashing follows on the thread pool, at most two
 * pieces behind. What was not read in order is read and hashed when the digest is asked for, which may be before the reads: of a
 * file with holes, in which there is more to hash than to send.
 */
import { Failure } from '../../../protocol/failure.js';
import { MAX_DATA, MAX_RUNS } from '../../../protocol/limits.js';
import { FileRuns } from '../../../posix/file-runs.js';
import { statxFd, type Status, type Timestamp } from '../../../posix/status.js';
import type { Call } from '../calls/call.js';
import type { Digests } from './digests.js';
import { hashNext, SequentialHash } from './hashing.js';
import type { KeptFile } from '../files/held-files.js';
import { readBorrowed, readCold, readIfCached, type Lent } from './reading.js';

export class Download {
  readonly file: KeptFile;
  /** For logs. */
  readonly path: string;
  readonly startedAt = Date.now();
  readonly #opened: Status;
  readonly #digests: Digests;
  /** When it was opened. */
  readonly #remembered: boolean;
  readonly #hash = new SequentialHash();
  #wasRead = false;
  /** The rest is hashed by itself, whatever of it is read meanwhile. */
  #digesting = false;
  /** The hashing of the last piece, and of the one before. They never reject. */
  #last: Promise<void> = Promise.resolve();
  #beforeLast: Promise<void> = Promise.resolve();

  /** `opened`: the status of the file as it was opened. */
  constructor(file: KeptFile, path: string, opened: Status, digests: Digests) {
    this.file = file;
    this.path = path;
    this.#opened = opened;
    this.#digests = digests;
    this.#remembered = digests.of(opened) !== undefined;
  }

  /** Bytes of the file when it was opened. */
  get size(): number {
    return this.#opened.size;
  }

  /** Whether something of it was asked for. Else it is only compared. */
  get wasRead(): boolean {
    return this.#wasRead;
  }

  read(offset: number, length: number, call: Call): Lent | Promise<Lent> {
    this.#wasRead = true;
    if (!this.#remembered && !this.#digesting) return this.#readAndHash(offset, length, call);
    const { fd } = this.file;
    const cached = readIfCached(fd, offset, length);
    return cached ?? this.file.pinned(() => call.backlog.hold(length, () => readCold(fd, offset, length)));
  }

  /** The answer of `downloadRuns`. */
  runsFrom(offset: number): [until: number, ends: number[]] {
    this.#wasRead = true;
    const runs = new FileRuns(this.file.fd);
    const ends: number[] = [];
    let at = offset;
    for (let asked = 0; asked < MAX_RUNS && at < this.size; asked++) {
      const { end, isHole } = runs.at(at);
      if (!isHole && ends.at(-1) === at) ends.pop();
      else if (!isHole) ends.push(at);
      at = Math.min(end, this.size);
      if (!isHole) ends.push(at);
    }
    return [at, ends];
  }

  /** The MD5 of the whole file. ESTALE where its size or mtime is not what it was when it was opened. */
  digest(call: Call): Promise<Buffer> {
    this.#digesting = true;
    const work = this.#last.then(() => this.#digest(call));
    this.#last = work.then(nothing, nothing);
    this.#beforeLast = this.#last;
    return this.file.pinned(() => work);
  }

  #readAndHash(offset: number, length: number, call: Call): Promise<Lent> {
    const former = this.#last;
    const read = async (): Promise<Lent> => readBorrowed(this.file.fd, offset, length);
    const reading = this.#beforeLast.then(() => call.backlog.hold(length, read));
    const { shared, released } = share(reading);
    this.#beforeLast = former;
    this.#last = this.#hashAfter(former, offset, reading, released);
    return this.file.pinned(() => shared);
  }

  async #digest(call: Call): Promise<Buffer> {
    const { size } = this.#opened;
    const remembered = this.#remembered ? this.#digests.of(this.#unchanged()) : undefined;
    if (remembered !== undefined) return remembered;
    const runs = new FileRuns(this.file.fd);
    while (this.#hash.hashed < size) {
      call.throwIfCancelled();
      const hashed = await call.backlog.hold(MAX_DATA, () => hashNext(this.#hash, this.file.fd, runs, size));
      if (hashed === 0) break;
    }
    const now = this.#unchanged();
    if (this.#hash.hashed !== size) throw changed();
    const md5 = this.#hash.digest();
    if (sameTime(now.ctime, this.#opened.ctime)) this.#digests.remember(now, md5);
    return md5;
  }

  /** The status of the file. ESTALE where its size or mtime is not what it was when it was opened. */
  #unchanged(): Status {
    const now = statxFd(this.file.fd);
    if (now.size !== this.#opened.size || !sameTime(now.mtime, this.#opened.mtime)) throw changed();
    return now;
  }

  async #hashAfter(
    former: Promise<void>,
    offset: number,
    reading: Promise<Lent>,
    released: () => void,
  ): Promise<void> {
    await former;
    try {
      const { bytes } = await reading;
      if (offset === this.#hash.hashed) await this.#hash.hash(bytes, 0, bytes.length);
    } catch {
      // The reader has the error; the digest will read again.
    } finally {
      released();
    }
  }
}

/** A lent buffer for two users: it is released when both have. */
function share(reading: Promise<Lent>): { shared: Promise<Lent>; released: () => void } {
  let users = 2;
  const shared = reading.then(({ bytes, release }) => ({
    bytes,
    release: () => {
      users -= 1;
      if (users === 0) release();
    },
  }));
  const released = (): void => {
    void shared.then((lent) => lent.release(), nothing);
  };
  return { shared, released };
}

function sameTime(a: Timestamp, b: Timestamp): boolean {
  return a.sec === b.sec && a.nsec === b.nsec;
}

function changed(): Failure {
  return new Failure('ESTALE', 'the file changed while it was read');
}

function nothing(): void {}
