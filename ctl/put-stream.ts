/**
 * `ftpctl put - [USER@]HOST:FILE`: what comes from standard input becomes a file when it has ended, and nothing before.
 */
import type { Readable } from 'node:stream';
import { S_IFMT, S_IFREG } from '../posix/flags.js';
import { Failure } from '../protocol/failure.js';
import { STREAM } from './names.js';
import { find, isDirectory } from './remote/directory.js';
import type { Place, RemoteArguments } from './remote/place.js';
import type { OwnSession } from './remote/session.js';
import { withTransferSession } from './remote/transfer-session.js';
import {
  requireMove,
  runTransfer,
  unlessTold,
  type TransferFlags,
  type TransferOptions,
} from './transfer/command.js';
import { standardInput } from './transfer/standard-input.js';
import { uploadStream } from './transfer/stream-upload.js';

const NAME = Buffer.from(STREAM);
const ENDINGS = {
  repeats: false,
  advice: 'standard input cannot be read again, and nothing of it was kept: run all of it again',
};

/** Copies standard input to a home. Returns the exit code. */
export async function putStream(remote: RemoteArguments, options: TransferOptions): Promise<number> {
  requireMove(options);
  if (options.inplace === true) {
    throw new Failure(
      'USAGE',
      'standard input replaces what is there when it has ended: leave out --inplace',
    );
  }
  const source = standardInput();
  return withTransferSession(remote, options, (session, [place]) => putFrom(source, session, place, options));
}

function putFrom(source: Readable, session: OwnSession, place: Place, flags: TransferFlags): Promise<number> {
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
