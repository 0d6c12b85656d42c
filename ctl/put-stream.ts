/**
 * `ftpctl put - [USER@]HOST:FILE`: what comes from standard input becomes a file when it has ended, and nothing before.
 */
import type { Readable } from 'node:stream';
import { S_IFMT, S_IFREG } from '../posix/flags.js';
import { Failure } from '../protocol/failure.js';
import { STREAM } from './names.js';
import { find, isDirectory } from './remote/directory.js';
import type { Place } from './remote/place.js';
import type { OwnSession } from './remote/session.js';
import { runTransfer, unlessTold, type TransferFlags } from './transfer/command.js';
import { uploadStream } from './transfer/stream-upload.js';

const NAME = Buffer.from(STREAM);
const ENDINGS = {
  repeats: false,
  advice: 'standard input cannot be read again, and nothing of it was kept: run all of it again',
};

/** Copies a stream to a home. Returns the exit code. */
export function putStream(
  session: OwnSession,
  source: Readable,
  place: Place,
  flags: TransferFlags,
): Promise<number> {
  return runTransfer(
    session,
    flags,
    async (context, progress) => {
      const { path, text } = place;
      const { path: target, attributes: there } = await find(session.client, path);
      if (text.endsWith('/') || (there !== undefined && isDirectory(there))) {
        const name = text === '' ? 'the home' : `'${text}'`;
        throw new Failure('EISDIR', `${name} is a directory: write what the file is to be called, too`);
      }
      const isFile = there !== undefined && (there.mode & S_IFMT) === S_IFREG;
      const mode = isFile ? there.mode & 0o7777 : 0o666 & ~process.umask();
      const job = { source, target, mode };
      await unlessTold(progress.follow(NAME, (observer) => uploadStream(context, job, observer)));
    },
    ENDINGS,
  );
}
