/**
 * Puts one file: into a partial file of the server, which becomes the target in one rename after size and MD5 agree.
 *
 * The server tells how far an interrupted put of the same source came; the state of MD5 at that point comes from the
 * journal, so that nothing is read or sent twice; where the journal does not reach as far, the rest is read again.
 * A source is the same while its path, inode, size, mtime and ctime are; one that changes while it is read fails the put.
 */
import { createHash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import { realpath, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { fd } from '../../posix/fd.js';
import { FileRuns } from '../../posix/file-runs.js';
import { Md5 } from '../../posix/libcrypto.js';
import { Failure } from '../../protocol/failure.js';
import type { RemoteHandle, RemotePath } from '../../protocol/ids.js';
import type { Xattr } from '../../protocol/xattrs.js';
import { CHECKPOINT_BYTES, Journal } from './journal.js';
import { moveRange, type Range } from './pipeline.js';
import { changedMeanwhile, sameFile, timestamp, withSource } from './source.js';
import { resumingAt, type TransferContext, type Transferred, type TransferObserver } from './transfer.js';
import { localXattrs, NO_XATTRS, sendWithXattrs } from './xattrs.js';

export interface Upload {
  /** Local path of a regular file. */
  readonly source: Buffer;
  readonly target: RemotePath;
  readonly mode: number;
  /** Server, user and share, as one text: the same target elsewhere is another upload. */
  readonly home: string;
  /** Directory of journals. */
  readonly journals: string;
}

export async function upload(
  context: TransferContext,
  job: Upload,
  observer: TransferObserver,
): Promise<Transferred> {
  return withSource(job.source, (file, status) => uploadOpened(context, job, observer, file, status));
}

async function uploadOpened(
  context: TransferContext,
  job: Upload,
  observer: TransferObserver,
  file: FileHandle,
  status: BigIntStats,
): Promise<Transferred> {
  const { client, signal } = context;
  const size = Number(status.size);
  const fingerprint = await fingerprintOf(job.source, status);
  const journal = Journal.open(journalPath(job), fingerprint.toString('hex'));
  const { handle, offset, replaced } = await begin(context, job, status, fingerprint);
  if (offset === 0) journal.remove();
  try {
    if (replaced && context.resume)
      observer.note('the source has changed since the interruption: starting anew');
    if (offset > 0) observer.note(resumingAt(offset, size));
    observer.started(size, offset);
    const range = {
      blocks: context.blocks,
      signal,
      fill: (block: Buffer, position: number) => readFully(file, block, position, job.source),
      runs: new FileRuns(fd(file.fd)),
    };
    if (offset >= CHECKPOINT_BYTES && journal.lastBefore(offset) === undefined) {
      observer.note('reading again what was sent before');
    }
    const md5 = await hashUpTo(range, journal, offset);
    await moveRange({
      ...range,
      start: offset,
      end: size,
      md5,
      drain: (block, position, isHole) =>
        isHole ? sendHole(context, handle, block.length, position) : send(context, handle, block, position),
      progress: (bytes) => observer.advanced(bytes),
      checkpoint: (at, state) => journal.append(at, state),
    });
    const xattrs = context.xattrs === undefined ? NO_XATTRS : localXattrs({ fd: fd(file.fd) });
    if (!sameFile(status, await file.stat({ bigint: true }))) throw changedMeanwhile(job.source);
    const digest = md5.digest();
    const unkept = await sendWithXattrs(xattrs, (kept) => finish(context, handle, digest, kept));
    journal.remove();
    return { bytes: size, md5: digest, resumedAt: offset, unkept };
  } catch (error) {
    const failure = Failure.from(error);
    if (failure.kind === 'EBADMSG') journal.remove();
    // A partial file of a source that is no more would never be continued. Else `close` keeps it. Either is a
    // courtesy: where the connection is gone, the server keeps the partial file anyway.
    await client.call(failure.kind === 'ESTALE' ? 'uploadAbort' : 'close', [handle]).catch(() => undefined);
    throw failure;
  }
}

async function begin(
  context: TransferContext,
  job: Upload,
  status: BigIntStats,
  fingerprint: Buffer,
): Promise<{ handle: RemoteHandle; offset: number; replaced: boolean }> {
  const { client, resume } = context;
  const { sec, nsec } = timestamp(status.mtimeNs);
  const params = [job.target, Number(status.size), job.mode, sec, nsec, fingerprint];
  let [handle, offset, replaced] = await client.call('uploadBegin', params);
  if (offset > 0 && !resume) {
    await client.call('uploadAbort', [handle]);
    [handle, offset, replaced] = await client.call('uploadBegin', params);
  }
  if (offset > status.size) {
    throw new Failure('PROTOCOL', 'the server wants to resume at an impossible offset');
  }
  return { handle, offset, replaced };
}

/** MD5 of what the server has already: from the journal as far as it reaches, the rest read again. */
export async function hashUpTo(
  range: Pick<Range, 'blocks' | 'signal' | 'fill' | 'runs'>,
  journal: Journal,
  offset: number,
): Promise<Md5> {
  const checkpoint = journal.lastBefore(offset);
  const md5 = checkpoint === undefined ? new Md5() : Md5.load(checkpoint.md5);
  await moveRange({
    ...range,
    start: checkpoint?.offset ?? 0,
    end: offset,
    md5,
    drain: () => Promise.resolve(),
    progress: () => undefined,
    checkpoint: (at, state) => journal.append(at, state),
  });
  return md5;
}

/** Sends a piece; `position` is where the one before ended. */
export async function send(
  { client, limit, signal }: TransferContext,
  handle: RemoteHandle,
  block: Buffer,
  position: number,
): Promise<void> {
  if (limit !== undefined) await limit.take(block.length, signal);
  return new Promise((resolve, reject) => {
    client.request('uploadWrite', [handle, position], block, (failure) =>
      failure === undefined ? resolve() : reject(failure),
    );
  });
}

/** The same of a hole: nothing of it travels. */
async function sendHole(
  { client }: TransferContext,
  handle: RemoteHandle,
  length: number,
  position: number,
): Promise<void> {
  await client.call('uploadHole', [handle, position, length]);
}

/** EBADMSG: the server received something else. */
export async function finish(
  { client }: TransferContext,
  handle: RemoteHandle,
  digest: Buffer,
  xattrs: readonly Xattr[] = [],
): Promise<void> {
  try {
    await client.call('uploadFinish', [handle, digest, xattrs]);
  } catch (error) {
    const failure = Failure.from(error);
    if (failure.kind !== 'EBADMSG') throw failure;
    throw new Failure(
      'EBADMSG',
      'what the server received differs from the source, and was thrown away: put it again',
      { cause: error },
    );
  }
}

/** Fills a block with the bytes of a file from `position` on. ESTALE: it has become shorter. */
export async function readFully(
  file: FileHandle,
  block: Buffer,
  position: number,
  source: Buffer,
): Promise<void> {
  for (let filled = 0; filled < block.length;) {
    const { bytesRead } = await file.read(block, filled, block.length - filled, position + filled);
    if (bytesRead === 0) throw changedMeanwhile(source);
    filled += bytesRead;
  }
}

/** Names this state of this file. The device is left out, as its number may differ after a reboot. */
export async function fingerprintOf(source: Buffer, status: BigIntStats): Promise<Buffer> {
  const path = await realpath(source, { encoding: 'buffer' });
  const { ino, size, mtimeNs, ctimeNs } = status;
  return createHash('sha256').update(`${ino} ${size} ${mtimeNs} ${ctimeNs} `).update(path).digest();
}

/** One journal for a target, as the server has one partial file for it. */
export function journalPath(job: Upload): string {
  const name = createHash('sha256').update(`${job.home}:`).update(job.target).digest('hex');
  return join(job.journals, name);
}
