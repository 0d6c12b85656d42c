/**
 * Gets one file: into `.NAME.ftpmount-part` next to the target, which becomes the target in one rename after its MD5
 * agrees with the server's, so the old file stays whole until then.
 *
 * An interrupted get leaves the part and its journal. It is continued if the file on the server is still the same (inode,
 * birth, size, mtime). What was written since the machine booted is there, so that nothing of it is sent again: what lies behind the
 * last checkpoint is read and hashed. After a reboot the page cache may have been lost: the part is trusted up to the last
 * checkpoint, if it is read and hashed again as it was.
 *
 * Invariant: a part is written in order, and so has no gap wherever it ends.
 */
import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { dataRuns } from '../../posix/data-runs.js';
import { fd, type Fd } from '../../posix/fd.js';
import { FileRuns } from '../../posix/file-runs.js';
import { pwrite } from '../../posix/files.js';
import { Md5 } from '../../posix/libcrypto.js';
import { utimensat } from '../../posix/names.js';
import { statxFd } from '../../posix/status.js';
import type { Attributes } from '../../protocol/attributes.js';
import { Failure } from '../../protocol/failure.js';
import type { RemoteHandle, RemotePath } from '../../protocol/ids.js';
import { localJoin } from '../names.js';
import { Flusher } from './flusher.js';
import { Journal } from './journal.js';
import { journalOf, lockPart, PART_FLAGS, PART_MODE, partName, PERMISSIONS } from './part.js';
import { moveRange, type Range } from './pipeline.js';
import { runsFrom } from './remote-runs.js';
import { resumingAt, type TransferContext, type Transferred, type TransferObserver } from './transfer.js';
import { giveXattrs } from './xattrs.js';

const ZERO = Buffer.alloc(1);

export interface Download {
  readonly source: RemotePath;
  /** Local directory and the name in it. */
  readonly directory: Buffer;
  readonly name: Buffer;
  /** Permissions; undefined: those of the source. */
  readonly mode: number | undefined;
}

export async function download(
  context: TransferContext,
  job: Download,
  observer: TransferObserver,
): Promise<Transferred> {
  const { client } = context;
  const [handle, attributes] = await client.call('download', [job.source]);
  try {
    const part = localJoin(job.directory, partName(job.name));
    const file = await open(part, PART_FLAGS, PART_MODE);
    try {
      return await downloadInto(context, job, observer, { handle, attributes, part, file });
    } finally {
      await file.close();
    }
  } finally {
    await client.call('close', [handle]).catch(() => undefined);
  }
}

interface Opened {
  readonly handle: RemoteHandle;
  readonly attributes: Attributes;
  readonly part: Buffer;
  readonly file: FileHandle;
}

async function downloadInto(
  context: TransferContext,
  job: Download,
  observer: TransferObserver,
  opened: Opened,
): Promise<Transferred> {
  const { client } = context;
  const { handle, attributes, part, file } = opened;
  const { size } = attributes;
  lockPart(fd(file.fd), job.name);
  const journal = Journal.open(journalOf(part), identityOf(attributes));
  if (journal.replaced && context.resume) {
    observer.note('the file on the server has changed since the interruption: starting anew');
  }
  const range = { blocks: context.blocks, signal: context.signal };
  const { md5, offset } = context.resume ? await trusted(range, journal, file, size) : nothing();
  if (offset === 0) journal.remove();
  else observer.note(resumingAt(offset, size));
  await file.truncate(offset);
  journal.begin();
  observer.started(size, offset);
  const flusher = new Flusher(file);
  const runs = await runsFrom(client, handle, attributes, offset);
  const early = runs && new EarlyDigest(context, handle);
  let written = Promise.resolve();
  let digest: Buffer;
  try {
    await moveRange({
      ...range,
      start: offset,
      end: size,
      md5,
      runs,
      fill: (block, position) => receive(context, handle, block, position),
      drain: (block, position, isHole) => {
        if (!isHole) written = written.then(() => writeData(file, block, position));
        return written;
      },
      progress: (bytes) => observer.advanced(bytes),
      checkpoint: (at, state) => {
        reach(fd(file.fd), at);
        journal.append(at, state);
        flusher.start();
      },
    });
    await file.truncate(size);
    digest = md5.digest();
    await compareDigest(context, opened, journal, digest, early);
  } finally {
    early?.end();
  }
  const known = await context.xattrs?.of(job.source);
  const unkept = known && giveXattrs({ fd: fd(file.fd) }, known);
  await file.chmod(job.mode ?? attributes.mode & PERMISSIONS);
  utimensat(fd(file.fd), undefined, undefined, attributes.mtime, 0);
  await flusher.idle();
  await file.sync();
  await rename(part, localJoin(job.directory, job.name));
  journal.remove();
  return { bytes: size, md5: digest, resumedAt: offset, unkept };
}

/** How much of a part can be gone on with, in bytes, and the hash of that. */
interface Trusted {
  readonly md5: Md5;
  readonly offset: number;
}

function nothing(): Trusted {
  return { md5: new Md5(), offset: 0 };
}

async function trusted(
  range: Pick<Range, 'blocks' | 'signal'>,
  journal: Journal,
  file: FileHandle,
  size: number,
): Promise<Trusted> {
  const length = Math.min((await file.stat()).size, size);
  const checkpoint = journal.lastBefore(length);
  const hash = async (start: number, end: number, md5: Md5): Promise<Trusted> => {
    await moveRange({
      ...{ ...range, start, end, md5 },
      fill: (block, position) => readFully(file, block, position),
      runs: new FileRuns(fd(file.fd)),
      drain: () => Promise.resolve(),
      progress: () => undefined,
      checkpoint: (at, state) => {
        if (journal.sameBoot) journal.append(at, state);
      },
    });
    return { md5, offset: end };
  };
  if (journal.sameBoot) {
    const { offset = 0, md5 } = checkpoint ?? {};
    return hash(offset, length, md5 === undefined ? new Md5() : Md5.load(md5));
  }
  if (checkpoint === undefined) return nothing();
  const there = await hash(0, checkpoint.offset, new Md5());
  return there.md5.save().equals(checkpoint.md5) ? there : nothing();
}

/** Fills a block. The result is a view of the record that lives only during the call, so it is copied: the one copy of a get. */
export async function receive(
  { client, limit, signal }: TransferContext,
  handle: RemoteHandle,
  block: Buffer,
  position: number,
): Promise<void> {
  if (limit !== undefined) await limit.take(block.length, signal);
  return new Promise((resolve, reject) => {
    client.request('downloadRead', [handle, position, block.length], undefined, (failure, data) => {
      if (failure !== undefined) reject(failure);
      else if (data?.length === block.length) {
        data.copy(block);
        resolve();
      } else reject(changedMeanwhile());
    });
  });
}

/** Equal, or the part is worthless and is removed. */
async function compareDigest(
  context: TransferContext,
  { handle, part }: Opened,
  journal: Journal,
  digest: Buffer,
  early: EarlyDigest | undefined,
): Promise<void> {
  try {
    await requireDigest(context, handle, digest, early?.answer);
  } catch (error) {
    const { kind } = Failure.from(error);
    if (kind === 'EBADMSG' || kind === 'ESTALE') {
      await rm(part, { force: true });
      journal.remove();
    }
    throw error;
  }
}

/** The file on the server has this MD5, and is as it was when the download began. EBADMSG, ESTALE. */
export async function requireDigest(
  { client }: TransferContext,
  handle: RemoteHandle,
  digest: Buffer,
  answer = client.call('digest', [handle]),
): Promise<void> {
  const remote = await answer.catch((error: unknown) => {
    const failure = Failure.from(error);
    throw failure.kind === 'ESTALE' ? changedMeanwhile() : failure;
  });
  if (remote.equals(digest)) return;
  throw new Failure('EBADMSG', 'what was received differs from the file on the server: get it again');
}

/** The server hashes a file with holes while it is got: that takes longer than to send what is in it. */
class EarlyDigest {
  readonly answer: Promise<Buffer>;
  readonly #unwanted = new AbortController();

  constructor({ client }: TransferContext, handle: RemoteHandle) {
    this.answer = client.call('digest', [handle], { signal: this.#unwanted.signal });
    this.answer.catch(() => undefined);
  }

  /** Who does not wait for the answer does not want it. */
  end(): void {
    this.#unwanted.abort();
  }
}

export function changedMeanwhile(): Failure {
  return new Failure('ESTALE', 'it changed on the server while it was read: get it again');
}

/** What a part is not written to has only zeros. */
async function writeData(file: FileHandle, block: Buffer, position: number): Promise<void> {
  for (const { start, end } of dataRuns(block)) {
    for (let at = start; at < end;) {
      const { bytesWritten } = await file.write(block, at, end - at, position + at);
      at += bytesWritten;
    }
  }
}

/** A part is as long as its checkpoints tell, also where it ends with a hole. Blocks behind it may be written meanwhile. */
function reach(file: Fd, size: number): void {
  if (statxFd(file).size < size) pwrite(file, ZERO, 0, 1, size - 1);
}

async function readFully(file: FileHandle, block: Buffer, position: number): Promise<void> {
  for (let filled = 0; filled < block.length;) {
    const { bytesRead } = await file.read(block, filled, block.length - filled, position + filled);
    if (bytesRead === 0) throw new Failure('EIO', 'the partial file was cut while it was read: get it again');
    filled += bytesRead;
  }
}

/** Names this state of a file of the server. */
export function identityOf({ ino, birth, size, mtime }: Attributes): string {
  return `${ino} ${birth} ${size} ${mtime.sec}.${mtime.nsec}`;
}
