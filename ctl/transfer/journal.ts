/**
 * The journal of a transfer: which file it is about, and the state of MD5 at every CHECKPOINT_BYTES, so that a resumed
 * transfer need not read again what was hashed before.
 *
 *   {"identity":"...","boot":"..."}
 *   {"offset":8388608,"md5":"BASE64 of the 92 bytes of state"}
 *   ...
 *
 * Lines are only appended, so a kill at any moment costs at most the last one. A line that cannot be read ends the
 * journal. Nothing here is trusted for correctness: the whole file is compared by MD5 at the end.
 */
import {
  appendFileSync,
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { Md5 } from '../../posix/libcrypto.js';
import { Failure } from '../../protocol/failure.js';

export interface Checkpoint {
  readonly offset: number;
  readonly md5: Buffer;
}

/** An interrupted put --inplace sends what lies behind the last one again. */
export const CHECKPOINT_BYTES = 8 * 1024 * 1024;

/** Of a journal: that of a file of 5 TB. */
const MAX_BYTES = 128 * 1024 * 1024;
const BOOT_ID = '/proc/sys/kernel/random/boot_id';

export class Journal {
  readonly #path: string | Buffer;
  readonly #identity: string;
  readonly #checkpoints: Checkpoint[];
  /** Whether there is a file with this identity's header. */
  #started: boolean;
  /** There was a journal of another identity: the file of the transfer has changed since. */
  readonly replaced: boolean;
  /** There is one of this identity, begun since this machine booted: what was written to files since then is still there. */
  readonly sameBoot: boolean;

  private constructor(
    path: string | Buffer,
    identity: string,
    found: { identity: string; boot: string; checkpoints: Checkpoint[] } | undefined,
  ) {
    this.#path = path;
    this.#identity = identity;
    this.#started = found?.identity === identity;
    this.#checkpoints = this.#started && found !== undefined ? found.checkpoints : [];
    this.replaced = found !== undefined && !this.#started;
    this.sameBoot = this.#started && found?.boot === bootId();
  }

  /** The journal at a path, empty where there is none of this identity. */
  static open(path: string | Buffer, identity: string): Journal {
    return new Journal(path, identity, read(path));
  }

  /** The last checkpoint at or before an offset. */
  lastBefore(offset: number): Checkpoint | undefined {
    return this.#checkpoints.findLast((checkpoint) => checkpoint.offset <= offset);
  }

  /** Tells from now on what the transfer is about. */
  begin(): void {
    if (!this.#started) this.#start();
  }

  append(offset: number, md5: Buffer): void {
    this.begin();
    this.#checkpoints.push({ offset, md5 });
    appendFileSync(this.#path, `${JSON.stringify({ offset, md5: md5.toString('base64') })}\n`);
  }

  remove(): void {
    rmSync(this.#path, { force: true });
    this.#checkpoints.length = 0;
    this.#started = false;
  }

  #start(): void {
    if (typeof this.#path === 'string') mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
    const header = JSON.stringify({ identity: this.#identity, boot: bootId() });
    // Beside what is downloaded the server may have put something of that name.
    rmSync(this.#path, { force: true });
    writeFileSync(this.#path, `${header}\n`, { mode: 0o600, flag: 'wx' });
    this.#started = true;
  }
}

function read(
  path: string | Buffer,
): { identity: string; boot: string; checkpoints: Checkpoint[] } | undefined {
  const text = readIfJournal(path);
  if (text === undefined) return undefined;
  const [first = '', ...lines] = text.split('\n');
  const header = parseLine(first);
  if (typeof header?.['identity'] !== 'string' || typeof header['boot'] !== 'string') return undefined;
  const checkpoints: Checkpoint[] = [];
  for (const line of lines) {
    const checkpoint = parseCheckpoint(line);
    if (checkpoint === undefined) break;
    checkpoints.push(checkpoint);
  }
  return { identity: header['identity'], boot: header['boot'], checkpoints };
}

/** Undefined where there is none: nothing, a link, what is no file, or too long. */
function readIfJournal(path: string | Buffer): string | undefined {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const failure = Failure.from(error);
    if (failure.kind === 'ENOENT' || failure.kind === 'ELOOP' || failure.kind === 'ENXIO') return undefined;
    throw failure;
  }
  try {
    const status = fstatSync(file);
    return status.isFile() && status.size <= MAX_BYTES ? readFileSync(file, 'utf8') : undefined;
  } finally {
    closeSync(file);
  }
}

/** Undefined where the line is cut off or holds no state of MD5. */
function parseCheckpoint(line: string): Checkpoint | undefined {
  const fields = parseLine(line);
  const { offset, md5 } = fields ?? {};
  if (typeof offset !== 'number' || !Number.isSafeInteger(offset) || typeof md5 !== 'string')
    return undefined;
  const state = Buffer.from(md5, 'base64');
  try {
    Md5.load(state);
    return { offset, md5: state };
  } catch {
    return undefined;
  }
}

function parseLine(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function bootId(): string {
  try {
    return readFileSync(BOOT_ID, 'latin1').trim();
  } catch {
    return '';
  }
}
