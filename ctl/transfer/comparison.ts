/**
 * Compares a file of this machine with one of a home by MD5, which each side computes: nothing is moved.
 */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { Md5 } from '../../posix/libcrypto.js';
import type { Client } from '../../protocol/client.js';
import type { RemotePath } from '../../protocol/ids.js';
import { moveRange } from './pipeline.js';
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

/** Whether two files hold the same. */
export async function isSameContent(
  context: TransferContext,
  local: Buffer,
  remote: RemotePath,
): Promise<boolean> {
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
      drain: () => Promise.resolve(),
      progress: () => undefined,
    });
    return md5.digest();
  } finally {
    await file.close();
  }
}
