/** What a get means by a place of a home: the same for what is copied and for what that comes to (expected.ts). */
import type { Client } from '../../protocol/session/client.js';
import { isContents } from '../names.js';
import { findThere, isDirectory, throughLinks, type Found } from '../remote/directory.js';
import type { Place } from '../remote/place.js';

export interface RemoteSource extends Found {
  /** What it is copied as, and listed as for the filter rules; empty: it is what is in a directory that is copied. */
  readonly listed: Buffer;
}

/** With `recursive` a link is one, unless a slash asks for what it leads to. ENOENT. */
export async function findSource(
  client: Client,
  { path, text, name }: Place,
  recursive: boolean,
): Promise<RemoteSource> {
  const contents = isContents(Buffer.from(text));
  const found =
    !recursive || contents
      ? await findThere(client, path)
      : await throughLinks(client, path, 'kept', async (there) => ({
          path: there,
          attributes: await client.call('getattr', [there]),
        }));
  const isEntered = recursive && contents && isDirectory(found.attributes);
  return { ...found, listed: isEntered ? Buffer.alloc(0) : name };
}
