/**
 * Gets a small file: it comes with others in one message, is written to its part, and becomes the target when it is on the
 * disk, which it gets to together with others.
 */
import { closeSync, fchmodSync, ftruncateSync, openSync, renameSync, rmSync } from 'node:fs';
import { fd, type Fd } from '../../posix/fd.js';
import { pwrite } from '../../posix/files.js';
import { Md5 } from '../../posix/libcrypto.js';
import { utimensat } from '../../posix/names.js';
import type { Attributes } from '../../protocol/attributes.js';
import type { Client } from '../../protocol/session/client.js';
import { Failure } from '../../protocol/failure.js';
import type { RemotePath } from '../../protocol/ids.js';
import { MAX_FETCH } from '../../protocol/limits.js';
import { localJoin } from '../names.js';
import { Batches } from './batches.js';
import type { Download } from './download.js';
import { LocalSyncs } from './local-syncs.js';
import { journalOf, lockPart, PART_FLAGS, PART_MODE, partName, PERMISSIONS } from './part.js';
import type { TransferContext, Transferred, TransferObserver } from './transfer.js';
import { giveXattrs, type KnownXattrs } from './xattrs.js';

/** A file as it was when its data were read; nil: it is to be got by itself. */
interface Fetched {
  readonly file: { readonly attributes: Attributes; readonly data: Buffer } | undefined;
}

interface Wanted {
  readonly source: RemotePath;
  readonly size: number;
}

export class SmallDownloads {
  readonly #context: TransferContext;
  readonly #batches: Batches<Wanted, Fetched>;
  readonly #syncs = new LocalSyncs();

  constructor(context: TransferContext) {
    this.#context = context;
    this.#batches = new Batches({
      items: MAX_FETCH,
      weigh: ({ source, size }) => source.length + size,
      send: (wanted) => context.blocks.during(() => fetch(context.client, wanted)),
    });
  }

  /** Undefined where it cannot come with others: somebody else has a lease of it, or it has grown. */
  async download(job: Download, size: number, observer: TransferObserver): Promise<Transferred | undefined> {
    const { limit, signal, xattrs } = this.#context;
    if (limit !== undefined) await limit.take(size, signal);
    const [{ file }, known] = await Promise.all([
      this.#batches.add({ source: job.source, size }),
      xattrs?.of(job.source),
    ]);
    if (file === undefined) return undefined;
    const { attributes, data } = file;
    observer.started(data.length, 0);
    const part = localJoin(job.directory, partName(job.name));
    const descriptor = openSync(part, PART_FLAGS, PART_MODE);
    let unkept: Failure | undefined;
    try {
      lockPart(fd(descriptor), job.name);
      try {
        unkept = writePart(fd(descriptor), job, attributes, data, known);
        await this.#syncs.sync(fd(descriptor));
        renameSync(part, localJoin(job.directory, job.name));
      } catch (error) {
        // Nothing of it would be gone on with.
        rmSync(part, { force: true });
        throw error;
      }
    } finally {
      closeSync(descriptor);
    }
    rmSync(journalOf(part), { force: true });
    observer.advanced(data.length);
    const md5 = new Md5();
    md5.update(data);
    return { bytes: data.length, md5: md5.digest(), resumedAt: 0, unkept };
  }
}

/** Returns why some of the extended attributes were not kept. */
function writePart(
  part: Fd,
  job: Download,
  attributes: Attributes,
  data: Buffer,
  known: KnownXattrs | undefined,
): Failure | undefined {
  ftruncateSync(part, 0);
  pwrite(part, data, 0, data.length, 0);
  // Before its mode, which may let nobody write.
  const unkept = known && giveXattrs({ fd: part }, known);
  fchmodSync(part, job.mode ?? attributes.mode & PERMISSIONS);
  utimensat(part, undefined, undefined, attributes.mtime, 0);
  return unkept;
}

/** What comes is a view of the record that lives only during the call, so it is copied. */
function fetch(client: Client, wanted: readonly Wanted[]): Promise<Fetched[]> {
  const bytes = wanted.reduce((sum, { size }) => sum + size, 0);
  return new Promise((resolve, reject) => {
    client.request('fetch', [wanted.map(({ source }) => source), bytes], undefined, (failure, files) => {
      if (failure !== undefined) reject(failure);
      else if (files?.length !== wanted.length) {
        reject(new Failure('PROTOCOL', 'the server does not answer for each file'));
      } else {
        resolve(
          files.map((file) => {
            if (file === null) return { file: undefined };
            const [attributes, data] = file;
            return {
              file: attributes.size === data.length ? { attributes, data: Buffer.from(data) } : undefined,
            };
          }),
        );
      }
    });
  });
}
