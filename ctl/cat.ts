/**
 * `ftpctl cat [USER@]HOST:FILE...`: writes files to standard output. Reads ahead, in order; a file that is written
 * meanwhile is read to the end that it has when that is reached.
 */
import type { Client } from '../protocol/client.js';
import { Failure } from '../protocol/failure.js';
import type { RemotePath } from '../protocol/ids.js';
import { MAX_DATA } from '../protocol/limits.js';
import { packId, type FileId } from '../protocol/references.js';
import { Outcome } from './outcome.js';
import { writeOut } from './output/stdout.js';
import type { SessionOptions } from './remote/session-options.js';
import { remoteArguments, withSession, type RemoteSession } from './remote/session.js';

const READS_AHEAD = 8;

/** Returns the exit code. */
export async function cat(places: readonly string[], options: SessionOptions): Promise<number> {
  const { target, paths } = remoteArguments(places);
  const outcome = new Outcome();
  await withSession(target, options, async (session) => {
    for (const path of paths) {
      if (session.signal.aborted) break;
      await outcome.guard(path, () => catFile(session, path));
    }
    if (session.signal.aborted) throw new Failure('ECANCELED', 'interrupted');
  });
  return outcome.exitCode;
}

/** The file is held meanwhile: one that is replaced while it is read is read to its own end. */
async function catFile(session: RemoteSession, path: RemotePath): Promise<void> {
  const { client, changes, signal } = session;
  const file = await client.call('hold', [path]);
  // A file that seems empty is read all the same: it may just have been written.
  const ahead = Math.min(READS_AHEAD, Math.max(1, Math.ceil(file.size / MAX_DATA)));
  const reads = Array.from({ length: ahead }, (_, index) => read(client, file, index * MAX_DATA));
  try {
    for (let next = ahead; ; next++) {
      const data = await reads.shift();
      if (data === undefined) break;
      await writeOut(data);
      if (data.length < MAX_DATA || signal.aborted) break;
      reads.push(read(client, file, next * MAX_DATA));
    }
  } finally {
    await Promise.allSettled(reads);
    await changes.release(file);
  }
}

function read(client: Client, file: FileId, position: number): Promise<Buffer> {
  const reading = client.call('read', [packId(file), position, MAX_DATA]);
  // The loop awaits them in order, and may end before it comes to this one.
  reading.catch(() => undefined);
  return reading;
}
