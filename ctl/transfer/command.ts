/**
 * The frame of the two transfer commands: progress, an exit code, another connection where the line breaks, and what a person
 * is told when all of it ends early.
 */
import { Failure } from '../../protocol/failure.js';
import { exitCodeOf } from '../../protocol/login/exit-codes.js';
import { Progress, type ProgressOptions } from '../output/progress.js';
import type { SessionOptions } from '../remote/session-options.js';
import { isPassing, type RemoteSession } from '../remote/session.js';
import { BlockPool } from './blocks.js';
import { isFatal } from './lanes.js';
import { DoneFiles } from './done-files.js';
import type { TransferContext } from './transfer.js';

export interface TransferFlags extends ProgressOptions {
  readonly recursive?: boolean;
  /** Seconds for which a server that is away is waited for. */
  readonly retry: number;
  /** False with --no-resume. */
  readonly resume: boolean;
}

export interface TransferOptions extends SessionOptions, TransferFlags {}

/** Runs `transfer`. Returns the exit code: that of the first problem, if there was one. */
export async function runTransfer(
  session: RemoteSession,
  flags: TransferFlags,
  transfer: (context: TransferContext, progress: Progress) => Promise<void>,
): Promise<number> {
  const progress = new Progress(flags);
  try {
    await untilDone(session, flags, transfer, progress);
  } finally {
    progress.close();
  }
  return progress.failure === undefined ? 0 : exitCodeOf(progress.failure);
}

async function untilDone(
  session: RemoteSession,
  flags: TransferFlags,
  transfer: (context: TransferContext, progress: Progress) => Promise<void>,
  progress: Progress,
): Promise<void> {
  const command = { signal: session.signal, skip: flags.resume, done: new DoneFiles() };
  for (let { resume } = flags; ; resume = true) {
    try {
      const context = { ...command, client: session.client, resume, blocks: new BlockPool() };
      return await transfer(context, progress);
    } catch (error) {
      if (flags.retry === 0 || !isPassing(error)) {
        throw isFatal(error) ? resumable(Failure.from(error)) : error;
      }
      await reconnected(session, flags.retry * 1000, progress, Failure.from(error));
    }
  }
}

/** What was begun goes on then. */
async function reconnected(
  session: RemoteSession,
  ms: number,
  progress: Progress,
  lost: Failure,
): Promise<void> {
  progress.lost(lost);
  try {
    await session.reconnect(ms);
  } catch (error) {
    throw resumable(Failure.from(error));
  }
}

function resumable(failure: Failure): Failure {
  const text = `${failure.message}: run the same command again to resume`;
  return new Failure(failure.kind, text, { cause: failure.cause });
}
