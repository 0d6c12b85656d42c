/**
 * `ftpctl cat [USER@]HOST:FILE...`: writes files to standard output. Reads ahead, in order; a file that is written
 * meanwhile is read to the end that it has when that is reached.
 */
import type { Client } from '../protocol/session/client.js';
import { Failure } from '../protocol/failure.js';
import type { RemotePath } from '../protocol/ids.js';
import { MAX_DATA } from '../protocol/limits.js';
import { packId, type FileId } from '../protocol/references.js';
import { Outcome } from './outcome.js';
import { writeOut } from './output/stdout.js';
import { isSymlink, throughLinks } from './remote/directory.js';
import type { SessionOptions } from './remote/session-options.js';
import { withPlaces } from './remote/matching.js';
import type { Place } from './remote/place.js';
import type { RemoteSession } from './remote/session.js';

const READS_AHEAD = 8;

/** Takes what is read, in order, and resolves when it can take more. */
export type Sink = (bytes: Buffer) => Promise<void>;

/** Returns the exit code. */
export async function cat(texts: readonly string[], options: SessionOptions): Promise<number> {
  return withPlaces(texts, options, (session, places) => readFiles(session, places, writeOut));
}

/** Reads files of a home one after the other. Returns the exit code. */
export async function readFiles(
  session: RemoteSession,
  places: readonly Place[],
  sink: Sink,
): Promise<number> {
  const outcome = new Outcome();
  for (const { path, shown } of places) {
    if (session.signal.aborted) break;
    await outcome.guard(shown, () => readFile(session, path, sink));
  }
  if (session.signal.aborted) throw new Failure('ECANCELED', 'interrupted');
  return outcome.exitCode;
}

/** The file is held meanwhile: one that is replaced while it is read is read to its own end. */
async function readFile(session: RemoteSession, path: RemotePath, sink: Sink): Promise<void> {
  const { client, changes, signal } = session;
  const file = await throughLinks(client, path, 'followed', async (there) => {
    const held = await client.call('hold', [there]);
    if (!isSymlink(held)) return held;
    await changes.release(held);
    throw new Failure('ELOOP');
  });
  // A file that seems empty is read all the same: it may just have been written.
  const ahead = Math.min(READS_AHEAD, Math.max(1, Math.ceil(file.size / MAX_DATA)));
  const reads = Array.from({ length: ahead }, (_, index) => read(client, file, index * MAX_DATA));
  try {
    for (let next = ahead; ; next++) {
      const data = await reads.shift();
      if (data === undefined) break;
      await sink(data);
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
