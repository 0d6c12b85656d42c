/**
 * `ftpctl cat [USER@]HOST:FILE...`: writes files to standard output. Reads ahead, in order; a file that is written
 * meanwhile is read to the end that it has when that is reached.
 */
import type { Client } from '../protocol/client.js';
import { Failure } from '../protocol/failure.js';
import type { RemoteHandle, RemotePath } from '../protocol/ids.js';
import { MAX_DATA } from '../protocol/limits.js';
import { OPEN_READ } from '../protocol/methods.js';
import { Outcome } from './outcome.js';
import { writeOut } from './output/stdout.js';
import { remoteArguments, withSession, type SessionOptions } from './remote/session.js';

const READS_AHEAD = 8;

/** Returns the exit code. */
export async function cat(places: readonly string[], options: SessionOptions): Promise<number> {
  const { target, paths } = remoteArguments(places);
  const outcome = new Outcome();
  await withSession(target, options, async ({ client, signal }) => {
    for (const path of paths) {
      if (signal.aborted) break;
      await outcome.guard(path, () => catFile(client, path, signal));
    }
    if (signal.aborted) throw new Failure('ECANCELED', 'interrupted');
  });
  return outcome.exitCode;
}

async function catFile(client: Client, path: RemotePath, signal: AbortSignal): Promise<void> {
  const [handle, { size }] = await client.call('open', [path, OPEN_READ]);
  // A file that seems empty is read all the same: it may just have been written.
  const ahead = Math.min(READS_AHEAD, Math.max(1, Math.ceil(size / MAX_DATA)));
  const reads = Array.from({ length: ahead }, (_, index) => read(client, handle, index * MAX_DATA));
  try {
    for (let next = ahead; ; next++) {
      const data = await reads.shift();
      if (data === undefined) break;
      await writeOut(data);
      if (data.length < MAX_DATA || signal.aborted) break;
      reads.push(read(client, handle, next * MAX_DATA));
    }
  } finally {
    await Promise.allSettled(reads);
    await client.call('close', [handle]);
  }
}

function read(client: Client, handle: RemoteHandle, position: number): Promise<Buffer> {
  const reading = client.call('read', [handle, position, MAX_DATA]);
  // The loop awaits them in order, and may end before it comes to this one.
  reading.catch(() => undefined);
  return reading;
}
