/**
 * Puts one file with --inplace: into the file that is there, which needs no room for both, and is neither the old one nor the
 * new one until all is written; whoever has it open sees that, and its hard links stay.
 *
 * What it may grow by is asked for first, so that a full quota costs nothing. The journal (of the source, and of the file that is
 * there) tells where an interrupted one goes on; that what was written then is still there the MD5 at the end tells, for which the
 * server reads the file. Only then it gets its mtime, by which it counts as the same.
 */
import type { BigIntStats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { fd } from '../../posix/fd.js';
import { FileRuns } from '../../posix/file-runs.js';
import type { Attributes } from '../../protocol/attributes.js';
import { Failure } from '../../protocol/failure.js';
import type { Changes } from '../remote/changes.js';
import { remoteMd5 } from './comparison.js';
import { Journal } from './journal.js';
import { putXattrs } from './kept-xattrs.js';
import { isFatal } from './lanes.js';
import { moveRange } from './pipeline.js';
import { changedMeanwhile, sameFile, timestamp, withSource } from './source.js';
import { resumingAt, type TransferContext, type Transferred, type TransferObserver } from './transfer.js';
import { fingerprintOf, hashUpTo, journalPath, readFully, type Upload } from './upload.js';

/** A put into the regular file that is at the target. */
export interface Overwrite extends Upload {
  readonly there: Attributes;
}

export async function overwrite(
  context: TransferContext,
  changes: Changes,
  job: Overwrite,
  observer: TransferObserver,
): Promise<Transferred> {
  return withSource(job.source, (file, status) =>
    overwriteFrom(context, changes, job, observer, file, status),
  );
}

async function overwriteFrom(
  context: TransferContext,
  changes: Changes,
  job: Overwrite,
  observer: TransferObserver,
  file: FileHandle,
  status: BigIntStats,
): Promise<Transferred> {
  const { source, target, there } = job;
  const size = Number(status.size);
  const fingerprint = await fingerprintOf(source, status);
  const identity = `${fingerprint.toString('hex')} in ${there.ino} ${there.birth}`;
  const journal = Journal.open(journalPath(job), identity);
  const checkpoint = context.resume ? journal.lastBefore(Math.min(size, there.size)) : undefined;
  const start = checkpoint?.offset ?? 0;
  if (start > 0) observer.note(resumingAt(start, size));
  else journal.remove();
  observer.started(size, start);
  if (size > there.size) await changes.setattr(target, { size });
  // Behind it all are zeros then, as a hole is.
  await changes.setattr(target, { size: start });
  const range = {
    ...{ blocks: context.blocks, signal: context.signal, runs: new FileRuns(fd(file.fd)) },
    fill: (block: Buffer, position: number) => readFully(file, block, position, source),
  };
  const md5 = await hashUpTo(range, journal, start);
  await moveRange({
    ...{ ...range, start, end: size, md5 },
    drain: async (block, position, isHole) => {
      if (isHole) return;
      await context.limit?.take(block.length, context.signal);
      await changes.write(target, position, block);
    },
    progress: (bytes) => observer.advanced(bytes),
    checkpoint: (at, state) => journal.append(at, state),
  });
  await changes.setattr(target, { size });
  if (!sameFile(status, await file.stat({ bigint: true }))) throw changedMeanwhile(source);
  const digest = md5.digest();
  if (!(await remoteMd5(context.client, target)).equals(digest)) {
    journal.remove();
    throw new Failure('EBADMSG', 'what is there now differs from the source: put it again');
  }
  const unkept = await putXattrs(context, { local: source, remote: target }, changes).catch(failureOf);
  await changes.setattr(target, { mode: job.mode, mtime: timestamp(status.mtimeNs) });
  await changes.durable();
  journal.remove();
  return {
    ...{ bytes: size, md5: digest, resumedAt: start },
    unkept: unkept instanceof Failure ? unkept : undefined,
  };
}

function failureOf(error: unknown): Failure {
  if (isFatal(error)) throw error;
  return Failure.from(error);
}
