/**
 * The extended attributes of the files of a home: asked for many files at once, and those of one by itself that do not come
 * so.
 */
import type { Client } from '../../protocol/session/client.js';
import { Failure } from '../../protocol/failure.js';
import type { RemotePath } from '../../protocol/ids.js';
import { MAX_FETCH, MAX_XATTRS_TOLD } from '../../protocol/limits.js';
import type { Result } from '../../protocol/methods.js';
import { isReservedXattr, type Xattr } from '../../protocol/xattrs.js';
import { Batches } from '../transfer/batches.js';
import { isFatal } from '../transfer/lanes.js';
import { requireFit, unknownXattrs, type KnownXattrs } from '../transfer/xattrs.js';

type Told = NonNullable<Result<'xattrs'>[number]>;

export class RemoteXattrs {
  readonly #batches: Batches<RemotePath, KnownXattrs>;

  constructor(client: Client) {
    this.#batches = new Batches({
      items: MAX_FETCH,
      weigh: (path) => path.length + MAX_XATTRS_TOLD,
      send: (paths) => ask(client, paths),
    });
  }

  /** Throws what is fatal for the whole command. */
  of(path: RemotePath): Promise<KnownXattrs> {
    return this.#batches.add(path);
  }
}

async function ask(client: Client, paths: readonly RemotePath[]): Promise<KnownXattrs[]> {
  let told: Result<'xattrs'> = [];
  try {
    told = await client.call('xattrs', [paths, paths.length * MAX_XATTRS_TOLD]);
  } catch (error) {
    if (isFatal(error)) throw error;
    // It is about the first of them.
    if (paths.length === 1) return [unknownXattrs(error)];
  }
  return Promise.all(
    paths.map(async (path, at) => {
      const own = told[at];
      if (own !== undefined && own !== null) return withValues(client, path, own);
      const [alone] = paths.length === 1 ? [] : await ask(client, [path]);
      if (alone === undefined) throw new Failure('PROTOCOL', 'the server does not answer for each file');
      return alone;
    }),
  );
}

async function withValues(client: Client, path: RemotePath, told: Told): Promise<KnownXattrs> {
  const xattrs: Xattr[] = [];
  try {
    for (const [name, value] of told) {
      if (isReservedXattr(name)) continue;
      xattrs.push([name, value ?? (await client.call('xattr', [path, name]))]);
      requireFit(xattrs);
    }
    return { xattrs };
  } catch (error) {
    if (isFatal(error)) throw error;
    return unknownXattrs(error);
  }
}
