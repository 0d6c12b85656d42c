/**
 * The frame of the two transfer commands: a session with progress, an exit code, and what a person is told when all
 * of it ends early.
 */
import { Failure } from '../../protocol/failure.js';
import { exitCodeOf } from '../../protocol/login/exit-codes.js';
import type { Target } from '../../protocol/login/target.js';
import { Progress, type ProgressOptions } from '../output/progress.js';
import type { SessionOptions } from '../remote/session-options.js';
import { withSession, type RemoteSession } from '../remote/session.js';
import { BlockPool } from './blocks.js';
import { isFatal } from './lanes.js';
import type { TransferContext } from './transfer.js';

export interface TransferOptions extends SessionOptions, ProgressOptions {
  readonly recursive?: boolean;
  /** False with --no-resume. */
  readonly resume: boolean;
}

/** Runs `transfer` in a session. Returns the exit code: that of the first problem, if there was one. */
export async function runTransfer(
  target: Target,
  options: TransferOptions,
  transfer: (session: RemoteSession, context: TransferContext, progress: Progress) => Promise<void>,
): Promise<number> {
  const progress = new Progress(options);
  try {
    await withSession(target, options, async (session) => {
      const { client, signal } = session;
      try {
        await transfer(
          session,
          { client, signal, resume: options.resume, blocks: new BlockPool() },
          progress,
        );
      } catch (error) {
        throw isFatal(error) ? resumable(Failure.from(error)) : error;
      }
    });
  } finally {
    progress.close();
  }
  return progress.failure === undefined ? 0 : exitCodeOf(progress.failure);
}

function resumable(failure: Failure): Failure {
  const text = `${failure.message}: run the same command again to resume`;
  return new Failure(failure.kind, text, { cause: failure.cause });
}
