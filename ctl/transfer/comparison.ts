/**
 * Compares a file of this machine with one of a home: by size and mtime, or by MD5, which each side computes. Nothing is moved.
 */
import { constants, type BigIntStats } from 'node:fs';
import { open } from 'node:fs/promises';
import { fd } from '../../posix/fd.js';
import { FileRuns } from '../../posix/file-runs.js';
import { Md5 } from '../../posix/libcrypto.js';
import type { Attributes } from '../../protocol/attributes.js';
import type { Client } from '../../protocol/session/client.js';
import type { RemotePath } from '../../protocol/ids.js';
import { moveRange } from './pipeline.js';
import { timestamp } from './source.js';
import type { TransferContext } from './transfer.js';
import { readFully } from './upload.js';

/** The MD5 of a file of a home, as the server remembers it, or reads it for that: 16 bytes. */
export async function remoteMd5(client: Client, path: RemotePath): Promise<Buffer> {
  const [handle] = await client.call('download', [path]);
  try {
    return await client.call('digest', [handle]);
  } finally {
    await client.call('close', [handle]).catch(() => undefined);
  }
}

/** A file of this machine, and as it is. */
export interface LocalFile {
  readonly path: Buffer;
  readonly status: Pick<BigIntStats, 'size' | 'mtimeNs'>;
}

/** A file of a home, and as it is. */
export interface RemoteFile {
  readonly path: RemotePath;
  readonly attributes: Attributes;
}

/** Whether one need not be moved to where the other is: by size and mtime, or by MD5, as the command wants it. */
export async function isSame(
  context: TransferContext,
  local: LocalFile,
  { path, attributes }: RemoteFile,
): Promise<boolean> {
  const { size, mtimeNs } = local.status;
  if (!context.skip || attributes.size !== Number(size)) return false;
  if (context.byContent) return isSameContent(context, local.path, path);
  const { sec, nsec } = timestamp(mtimeNs);
  return attributes.mtime.sec === sec && attributes.mtime.nsec === nsec;
}

async function isSameContent(context: TransferContext, local: Buffer, remote: RemotePath): Promise<boolean> {
  const [here, there] = await Promise.allSettled([
    localMd5(context, local),
    remoteMd5(context.client, remote),
  ]);
  if (here.status === 'rejected') throw here.reason;
  if (there.status === 'rejected') throw there.reason;
  return here.value.equals(there.value);
}

async function localMd5({ blocks, signal }: TransferContext, path: Buffer): Promise<Buffer> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const { size } = await file.stat();
    const md5 = new Md5();
    await moveRange({
      ...{ start: 0, end: size, blocks, signal, md5 },
      fill: (block, position) => readFully(file, block, position, path),
      runs: new FileRuns(fd(file.fd)),
      drain: () => Promise.resolve(),
      progress: () => undefined,
    });
    return md5.digest();
  } finally {
    await file.close();
  }
}
