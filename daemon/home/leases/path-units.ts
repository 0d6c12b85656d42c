/*
 * The directories that are read where a path is walked: somebody may have changed names in them and not told yet.
 */
import type { RemotePath } from '../../../protocol/ids.js';
import type { FileRef } from '../../../protocol/references.js';
import { PosixError } from '../../../posix/error.js';
import { Failure } from '../../../protocol/failure.js';
import { idOf, isDirectory } from '../disk/file-ids.js';
import type { Identities } from '../files/identities.js';
import type { Touch } from './lease-table.js';
import type { Located } from '../disk/located.js';

const SLASH = 0x2f;

/** What is read on the way to a file, as far as the way leads. An id needs no way. */
export function readOnWay(identities: Identities, ref: FileRef): Touch[] {
  return ref.ino === null ? directoriesOn(identities, ref.path) : [];
}

function directoriesOn(identities: Identities, path: RemotePath): Touch[] {
  const touches: Touch[] = [];
  let directory: FileRef = { ino: identities.root.ino, birth: identities.root.birth, path: null };
  for (let start = 0; start < path.length;) {
    touches.push({ unit: directory.ino, write: false });
    const slash = path.indexOf(SLASH, start);
    const end = slash < 0 ? path.length : slash;
    const found = lookupIfAny(identities, directory, path.subarray(start, end));
    if (found === undefined || !isDirectory(found.status)) break;
    directory = { ...idOf(found.status), path: null };
    start = end + 1;
  }
  return touches;
}

function lookupIfAny(identities: Identities, directory: FileRef, name: Buffer): Located | undefined {
  try {
    return identities.lookup(directory, name);
  } catch (error) {
    // Who asks meets it again.
    if (error instanceof PosixError || error instanceof Failure) return undefined;
    throw error;
  }
}
