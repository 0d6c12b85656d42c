/**
 * Puts a small file: it is read whole, and travels with others in one message, which is answered when all of them are on the
 * server's disk under their names.
 */
import { closeSync, constants, fstatSync, openSync, readSync, type BigIntStats } from 'node:fs';
import { fd } from '../../posix/fd.js';
import { Md5 } from '../../posix/libcrypto.js';
import type { Timestamp } from '../../protocol/attributes.js';
import type { Client } from '../../protocol/session/client.js';
import { Failure, failureFrom } from '../../protocol/failure.js';
import type { RemotePath } from '../../protocol/ids.js';
import { MAX_UPLOAD_FILES } from '../../protocol/limits.js';
import { bytesOfXattrs, type Xattr } from '../../protocol/xattrs.js';
import { displayName } from '../names.js';
import { Batches } from './batches.js';
import { changedMeanwhile, sameFile, timestamp } from './source.js';
import {
  SMALL_FILE_BYTES,
  type TransferContext,
  type Transferred,
  type TransferObserver,
} from './transfer.js';
import { localXattrs, NO_XATTRS, sendWithXattrs, type KnownXattrs } from './xattrs.js';

/** Of a file in a message, beside its path and data: some numbers, and the MD5. */
const OVERHEAD_BYTES = 64;
/** Of an extended attribute, beside its name and value: no message holds too many elements. */
const XATTR_OVERHEAD_BYTES = 64;

interface WholeFile {
  readonly target: RemotePath;
  readonly data: Buffer;
  readonly mode: number;
  readonly mtime: Timestamp;
  readonly md5: Buffer;
  readonly xattrs: readonly Xattr[];
}

/** How a file ended: the failure, or nothing. */
interface Outcome {
  readonly failure: Failure | undefined;
}

export interface SmallUpload {
  /** Local path of a regular file of up to SMALL_FILE_BYTES. */
  readonly source: Buffer;
  readonly target: RemotePath;
  readonly mode: number;
}

export class SmallUploads {
  readonly #context: TransferContext;
  readonly #batches: Batches<WholeFile, Outcome>;

  constructor(context: TransferContext) {
    this.#context = context;
    this.#batches = new Batches({
      items: MAX_UPLOAD_FILES,
      weigh: ({ target, data, xattrs }) => target.length + data.length + OVERHEAD_BYTES + weightOf(xattrs),
      send: (files) => context.blocks.during(() => send(context.client, files)),
    });
  }

  /** Undefined where the file has grown too large meanwhile, or its extended attributes are. */
  async upload(job: SmallUpload, observer: TransferObserver): Promise<Transferred | undefined> {
    const { limit, signal, xattrs } = this.#context;
    const read = readWhole(job.source, xattrs !== undefined);
    if (read === undefined || weightOf(read.known.xattrs) > SMALL_FILE_BYTES) return undefined;
    const { data, status, known } = read;
    const md5 = new Md5();
    md5.update(data);
    const digest = md5.digest();
    observer.started(data.length, 0);
    if (limit !== undefined) await limit.take(data.length, signal);
    const file = { target: job.target, data, mode: job.mode, mtime: timestamp(status.mtimeNs), md5: digest };
    const unkept = await sendWithXattrs(known, async (kept) => {
      const { failure } = await this.#batches.add({ ...file, xattrs: kept });
      if (failure !== undefined) throw failure;
    });
    observer.advanced(data.length);
    return { bytes: data.length, md5: digest, resumedAt: 0, unkept };
  }
}

/** The bytes of a file up to its end, also of one that does not know its size (/proc). */
function readWhole(
  source: Buffer,
  withXattrs: boolean,
): { data: Buffer; status: BigIntStats; known: KnownXattrs } | undefined {
  const file = openSync(source, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const status = fstatSync(file, { bigint: true });
    if (!status.isFile()) throw new Failure('EINVAL', `${displayName(source)} is not a regular file`);
    if (status.size > SMALL_FILE_BYTES) return undefined;
    const size = Number(status.size);
    const block = Buffer.allocUnsafe(size === 0 ? SMALL_FILE_BYTES + 1 : size + 1);
    let length = 0;
    for (let got = -1; got !== 0 && length < block.length; length += got) {
      got = readSync(file, block, length, block.length - length, length);
    }
    const known = withXattrs ? localXattrs({ fd: fd(file) }) : NO_XATTRS;
    if (!sameFile(status, fstatSync(file, { bigint: true }))) throw changedMeanwhile(source);
    if (size === 0 ? length > SMALL_FILE_BYTES : length !== size) {
      const text = `${displayName(source)} does not tell its size: put it as standard input, by - and <`;
      throw new Failure('EINVAL', text);
    }
    return { data: block.subarray(0, length), status, known };
  } finally {
    closeSync(file);
  }
}

function weightOf(xattrs: readonly Xattr[]): number {
  return bytesOfXattrs(xattrs) + xattrs.length * XATTR_OVERHEAD_BYTES;
}

async function send(client: Client, files: readonly WholeFile[]): Promise<Outcome[]> {
  const wire = files.map(({ target, data, mode, mtime, md5, xattrs }) => [
    ...[target, data.length, mode, mtime.sec, mtime.nsec, md5, xattrs],
  ]);
  const data = Buffer.concat(files.map((file) => file.data));
  const failures = await new Promise<readonly (readonly [string, string] | null)[]>((resolve, reject) => {
    client.request('uploadFiles', [wire], data, (failure, result) => {
      if (failure !== undefined) reject(failure);
      else if (result?.length === files.length) resolve(result);
      else reject(new Failure('PROTOCOL', 'the server does not tell what became of each file'));
    });
  });
  return failures.map((failure) => ({ failure: failure === null ? undefined : failureFrom(failure) }));
}
