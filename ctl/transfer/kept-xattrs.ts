/**
 * Extended attributes of what is on both sides already, with -X: directories, and files of the same content. Those of a file
 * that is moved go with it.
 */
import { Failure } from '../../protocol/failure.js';
import type { RemotePath } from '../../protocol/ids.js';
import { localJoin } from '../names.js';
import type { Changes } from '../remote/changes.js';
import { isFatal } from './lanes.js';
import type { TransferContext } from './transfer.js';
import { giveXattrs, localXattrs, xattrChanges, xattrsNotKept, type XattrChanges } from './xattrs.js';

/** One file on both sides. */
export interface Pair {
  readonly local: Buffer;
  readonly remote: RemotePath;
}

/** Of a directory here, also behind a symlink. */
export function directoryItself(path: Buffer): Buffer {
  return localJoin(path, Buffer.from('.'));
}

/** Gives the file of the home what the one here has; a survey only looks. Returns whether it had others. */
export async function putXattrs(
  context: TransferContext,
  { local, remote }: Pair,
  changes: Changes | 'survey',
): Promise<boolean> {
  if (context.xattrs === undefined) return false;
  const [wanted, there] = [localXattrs({ path: local }), await context.xattrs.of(remote)];
  const failure = wanted.failure ?? there.failure;
  if (failure !== undefined) throw xattrsNotKept(failure);
  const found = xattrChanges(there.xattrs, wanted.xattrs);
  if (!isAny(found) || changes === 'survey') return isAny(found);
  try {
    for (const name of found.removed) await changes.removexattr(remote, name);
    for (const xattr of found.set) await changes.setxattr(remote, xattr);
  } catch (error) {
    throw isFatal(error) ? error : xattrsNotKept(Failure.from(error));
  }
  return true;
}

/** The other way round. */
export async function getXattrs(
  context: TransferContext,
  { local, remote }: Pair,
  isSurvey: boolean,
): Promise<boolean> {
  if (context.xattrs === undefined) return false;
  const wanted = await context.xattrs.of(remote);
  const found = xattrChanges(localXattrs({ path: local }).xattrs, wanted.xattrs);
  if (isSurvey && wanted.failure === undefined) return isAny(found);
  const failure = giveXattrs({ path: local }, wanted);
  if (failure !== undefined) throw xattrsNotKept(failure);
  return isAny(found);
}

function isAny({ set, removed }: XattrChanges): boolean {
  return set.length > 0 || removed.length > 0;
}
