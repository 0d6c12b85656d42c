/**
 * `ftpctl get [USER@]HOST:FILE -`: writes a file to standard output. Its MD5 is compared at the end, so only the exit code tells
 * whether what was written is the file.
 */
import { writeOut } from './output/stdout.js';
import type { Place } from './remote/place.js';
import type { OwnSession } from './remote/session.js';
import { runTransfer, unlessTold, type TransferFlags } from './transfer/command.js';
import { StreamDownload } from './transfer/stream-download.js';

const ENDINGS = { repeats: true, advice: 'what was written is not the whole file' };

/** Copies a file of a home to standard output. Returns the exit code. */
export function getStream(session: OwnSession, source: Place, flags: TransferFlags): Promise<number> {
  const download = new StreamDownload(source.path, writeOut);
  return runTransfer(
    session,
    { ...flags, toStdout: true },
    (context, progress) =>
      unlessTold(progress.follow(source.shown, (observer) => download.run(context, observer))),
    ENDINGS,
  );
}
