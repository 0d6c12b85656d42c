/**
 * Puts what a stream gives, up to its end, which tells the size. It cannot be read again: nothing of it is gone on with, and
 * where it breaks off the server throws away what it has.
 */
import type { Readable } from 'node:stream';
import { Md5 } from '../../posix/libcrypto.js';
import type { RemotePath } from '../../protocol/ids.js';
import { moveStream } from './pipeline.js';
import { timestamp } from './source.js';
import type { TransferContext, Transferred, TransferObserver } from './transfer.js';
import { finish, send } from './upload.js';

export interface StreamUpload {
  readonly source: Readable;
  readonly target: RemotePath;
  readonly mode: number;
}

export async function uploadStream(
  context: TransferContext,
  { source, target, mode }: StreamUpload,
  observer: TransferObserver,
): Promise<Transferred> {
  const { client, blocks, signal } = context;
  const { sec, nsec } = timestamp(BigInt(Date.now()) * 1_000_000n);
  const [handle] = await client.call('uploadBegin', [target, null, mode, sec, nsec, null]);
  try {
    observer.started(undefined, 0);
    const md5 = new Md5();
    const bytes = await moveStream({
      ...{ source, blocks, signal, md5 },
      drain: (block, position) => send(context, handle, block, position),
      progress: (moved) => observer.advanced(moved),
    });
    const digest = md5.digest();
    await finish(context, handle, digest);
    return { bytes, md5: digest, resumedAt: 0 };
  } catch (error) {
    await client.call('uploadAbort', [handle]).catch(() => undefined);
    throw error;
  }
}
