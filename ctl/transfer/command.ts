/**
 * The frame of the transfer commands: progress, an exit code, another connection where the line breaks, and what a person
 * is told when all of it ends early.
 */
import { Failure } from '../../protocol/failure.js';
import { EXIT_DIFFERENT, EXIT_OK, exitCodeOf } from '../../program/exit-codes.js';
import { Progress, type ProgressOptions, type SurveyedKind } from '../output/progress.js';
import type { SessionOptions } from '../remote/session-options.js';
import { isPassing, type OwnSession } from '../remote/session.js';
import { RemoteXattrs } from '../remote/xattrs.js';
import { blockBytes, BlockPool } from './blocks.js';
import { isFatal } from './lanes.js';
import type { FilterRule } from './filter.js';
import { DoneFiles } from './done-files.js';
import { RateLimit } from './rate-limit.js';
import type { TransferContext } from './transfer.js';

/** That the destination becomes as the source is, whatever was there. */
export interface SyncFlags {
  /** What only the destination has is deleted. */
  readonly deletes: boolean;
  /** Also where the source has nothing at all. */
  readonly allowEmpty: boolean;
}

export interface TransferFlags extends ProgressOptions {
  readonly recursive?: boolean;
  /** Seconds for which a server that is away is waited for. */
  readonly retry: number;
  /** False with --no-resume. */
  readonly resume: boolean;
  /** What is the same is found by MD5, not by size and mtime. */
  readonly checksum?: boolean | undefined;
  /** The first that matches decides; by default there are none. */
  readonly filter?: readonly FilterRule[];
  /** Of sync; undefined: directories stay what they are, and nothing is deleted. */
  readonly sync?: SyncFlags | undefined;
  /** What is there gets the source's mode, too, and directories its mtime; else only what is new does. */
  readonly preserve?: boolean | undefined;
  /** Names of one file become names of one file. */
  readonly hardLinks?: boolean | undefined;
  /** Extended attributes are kept, also of what is there already. */
  readonly xattrs?: boolean | undefined;
  /** Of put: what is there is written into, and not replaced. */
  readonly inplace?: boolean | undefined;
  /** Bytes a second; 0: none, as by default. */
  readonly limit?: number | undefined;
  /** The command that goes on with it, as a shell reads it; undefined: it cannot be written down, or is the line at a prompt. */
  readonly command?: string | undefined;
  /** How many large files are moved at once; by default FILES_AT_ONCE. */
  readonly jobs?: number | undefined;
}

/** What a break means to a transfer. */
export interface Endings {
  /** Whether it is begun once more over another connection. */
  readonly repeats: boolean;
  /** What the person is told when it ends early. */
  readonly advice: string;
}

export interface TransferOptions extends SessionOptions, TransferFlags {}

/** Runs `transfer`. Returns the exit code: that of the first problem, if there was one. */
export async function runTransfer(
  session: OwnSession,
  flags: TransferFlags,
  transfer: (context: TransferContext, progress: Progress) => Promise<void>,
  endings = resumable(flags),
): Promise<number> {
  const progress = new Progress(flags);
  try {
    await untilDone(session, flags, transfer, progress, endings);
  } finally {
    progress.close();
  }
  if (progress.failure !== undefined) return exitCodeOf(progress.failure);
  return flags.survey === 'verify' && progress.found > 0 ? EXIT_DIFFERENT : EXIT_OK;
}

function resumable({ command }: TransferFlags): Endings {
  const again = command === undefined ? 'run the same command again to resume' : `to resume: ${command}`;
  return { repeats: true, advice: again };
}

/** A stream can neither be compared nor left alone. Throws USAGE. */
export function requireMove({ survey, checksum }: TransferFlags): void {
  if (survey === undefined && checksum !== true) return;
  throw new Failure('USAGE', "nothing can be compared with '-', which is always copied");
}

/** Awaits what tells its own failures, as Progress.follow does: throws those that are fatal for all of the command. */
export async function unlessTold(moved: Promise<unknown>): Promise<void> {
  try {
    await moved;
  } catch (error) {
    if (isFatal(error)) throw error;
  }
}

/** Tells what a survey found of a local file, once over all connections of the command. */
export function tellSurveyed(
  { done }: TransferContext,
  progress: Progress,
  local: Buffer,
  remote: Buffer,
  { kind, exists, bytes = 0 }: { kind: SurveyedKind; exists: boolean; bytes?: number },
): void {
  if (done.has(local, remote)) return;
  done.add(local, remote);
  progress.surveyed(kind, local, exists, bytes);
}

async function untilDone(
  session: OwnSession,
  flags: TransferFlags,
  transfer: (context: TransferContext, progress: Progress) => Promise<void>,
  progress: Progress,
  { repeats, advice }: Endings,
): Promise<void> {
  const limit = flags.limit === 0 ? undefined : flags.limit;
  const isVerified = flags.survey === 'verify';
  const command = {
    signal: session.signal,
    skip: flags.resume || isVerified,
    byContent: flags.checksum === true || isVerified,
    done: new DoneFiles(),
    limit: limit === undefined ? undefined : new RateLimit(limit),
  };
  const bytes = limit === undefined ? undefined : blockBytes(limit);
  for (let { resume } = flags; ; resume = true) {
    try {
      const { client } = session;
      const xattrs = flags.xattrs === true ? new RemoteXattrs(client) : undefined;
      const context = { ...command, client, resume, blocks: new BlockPool(bytes), xattrs };
      return await transfer(context, progress);
    } catch (error) {
      const lost = Failure.from(error);
      if (!repeats || flags.retry === 0 || !isPassing(lost)) {
        throw isFatal(lost) ? advised(lost, advice) : error;
      }
      progress.lost(lost);
      await session.reconnect(flags.retry * 1000).catch((thrown: unknown) => {
        throw advised(Failure.from(thrown), advice);
      });
    }
  }
}

function advised(failure: Failure, advice: string): Failure {
  return new Failure(failure.kind, `${failure.message}: ${advice}`, { cause: failure.cause });
}
