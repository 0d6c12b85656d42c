/**
 * Local files as stat(2) tells of them.
 */
import { constants, type BigIntStats } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import type { Timestamp } from '../../protocol/attributes.js';
import { Failure } from '../../protocol/failure.js';
import { displayName } from '../names.js';

const NANOSECONDS = 1_000_000_000n;

/** Opens a regular file for `use`; one that is none is EINVAL, and no FIFO is waited for. */
export async function withSource<T>(
  source: Buffer,
  use: (file: FileHandle, status: BigIntStats) => Promise<T>,
): Promise<T> {
  const file = await open(source, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const status = await file.stat({ bigint: true });
    if (!status.isFile()) throw new Failure('EINVAL', `${displayName(source)} is not a regular file`);
    return await use(file, status);
  } finally {
    await file.close();
  }
}

/** Whether nothing was written to it in between. The mtime may have been set back: the ctime cannot. */
export function sameFile(a: BigIntStats, b: BigIntStats): boolean {
  return a.ino === b.ino && a.size === b.size && a.mtimeNs === b.mtimeNs && a.ctimeNs === b.ctimeNs;
}

export function changedMeanwhile(source: Buffer): Failure {
  return new Failure('ESTALE', `${displayName(source)} changed while it was sent: put it again`);
}

export function permissions(status: BigIntStats): number {
  return Number(status.mode & 0o7777n);
}

/** A time in nanoseconds as it travels. */
export function timestamp(nanoseconds: bigint): Timestamp {
  const nsec = ((nanoseconds % NANOSECONDS) + NANOSECONDS) % NANOSECONDS;
  return { sec: Number((nanoseconds - nsec) / NANOSECONDS), nsec: Number(nsec) };
}
