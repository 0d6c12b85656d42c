/**
 * `ftpctl md5 [USER@]HOST:PATH...`: the MD5 of files, which the server computes or remembers, as md5sum --tag prints it.
 */
import { Failure } from '../protocol/failure.js';
import { Outcome } from './outcome.js';
import { md5Line } from './output/progress.js';
import { writeOut } from './output/stdout.js';
import { throughLinks } from './remote/directory.js';
import { withPlaces } from './remote/matching.js';
import type { Place } from './remote/place.js';
import type { SessionOptions } from './remote/session-options.js';
import type { RemoteSession } from './remote/session.js';
import { remoteMd5 } from './transfer/comparison.js';

/** Returns the exit code. */
export async function md5(texts: readonly string[], options: SessionOptions): Promise<number> {
  return withPlaces(texts, options, (session, places) => showMd5(session, places));
}

/** Tells the MD5 of files of a home. Returns the exit code. */
export async function showMd5(session: RemoteSession, places: readonly Place[]): Promise<number> {
  const outcome = new Outcome();
  for (const { path, shown } of places) {
    if (session.signal.aborted) throw new Failure('ECANCELED', 'interrupted');
    await outcome.guard(shown, async () => {
      const { client } = session;
      const sum = await throughLinks(client, path, 'followed', (there) => remoteMd5(client, there));
      await writeOut(md5Line(shown, sum));
    });
  }
  return outcome.exitCode;
}
