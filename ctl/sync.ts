/**
 * `ftpctl sync SRC DST`, one of them [USER@]HOST:PATH: makes the directory DST as SRC is, by put or get of `SRC/`. Something else of
 * a name is replaced; what only DST has is deleted with --delete (transfer/deletions.ts).
 */
import { stat } from 'node:fs/promises';
import { Failure } from '../protocol/failure.js';
import { isRemote } from '../client/target.js';
import { getInto } from './get.js';
import { displayName } from './names.js';
import { putInto } from './put.js';
import { remoteArguments, type Place } from './remote/place.js';
import type { OwnSession } from './remote/session.js';
import { withTransferSession } from './remote/transfer-session.js';
import type { SyncFlags, TransferFlags, TransferOptions } from './transfer/command.js';

const SLASH = Buffer.from('/');

type Syncing<Flags extends TransferFlags> = Flags & { readonly sync: SyncFlags };

/** Returns the exit code. */
export async function sync(
  source: string,
  destination: string,
  options: Syncing<TransferOptions>,
): Promise<number> {
  if (isRemote(source) === isRemote(destination)) {
    throw new Failure('USAGE', 'one of the two is [USER@]HOST:PATH, the other one a directory here');
  }
  if (isRemote(source)) {
    return withTransferSession(remoteArguments([source]), options, (session, [place]) =>
      syncFrom(session, place, Buffer.from(destination), options),
    );
  }
  const remote = remoteArguments([destination]);
  const local = Buffer.from(source);
  // Before a password is asked for.
  await requireDirectory(local);
  return withTransferSession(remote, options, (session, [place]) => syncTo(session, local, place, options));
}

/** Makes a directory of the home as `source` is. Returns the exit code. */
export async function syncTo(
  session: OwnSession,
  source: Buffer,
  destination: Place,
  flags: Syncing<TransferFlags>,
): Promise<number> {
  await requireDirectory(source);
  const contents = Buffer.concat([source, SLASH]);
  return putInto(session, [contents], destination, { ...flags, recursive: true });
}

/** Makes a directory here as `source` is. Returns the exit code. */
export function syncFrom(
  session: OwnSession,
  source: Place,
  destination: Buffer,
  flags: Syncing<TransferFlags>,
): Promise<number> {
  const contents = { ...source, text: `${source.text}/` };
  return getInto(session, [contents], destination, { ...flags, recursive: true });
}

async function requireDirectory(source: Buffer): Promise<void> {
  if ((await stat(source)).isDirectory()) return;
  throw new Failure('ENOTDIR', `${displayName(source)} is not a directory: put it with ftpctl put`);
}
