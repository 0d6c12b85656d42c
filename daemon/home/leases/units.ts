/*
 * What an operation touches, in units of leases. A unit is the inode number of a directory, and covers the directory itself,
 * its names, and the files that have their only name there; a file with several names, or none, is a unit of its own.
 */
import {
  ALLOCATE,
  COPY,
  LINK,
  RELEASE,
  REMOVEXATTR,
  RENAME,
  RMDIR,
  SETATTR,
  SETXATTR,
  TMPFILE,
  UNLINK,
  WRITE,
  type Operation,
} from '../../../protocol/operations.js';
import { statusIfAny } from '../disk/confined.js';
import { isDirectory } from '../disk/file-ids.js';
import type { Directory, Identities } from '../files/identities.js';
import type { Located } from '../disk/located.js';
import type { ProvisionalIds } from '../files/provisional-ids.js';

/** The unit that covers a file's attributes and data, as it is now. */
export function unitOfFile(located: Located): bigint {
  const { status } = located;
  return 'fd' in located || isDirectory(status) || status.nlink > 1 ? status.ino : located.parent;
}

/** The units that an operation changes, as things are now; none twice. Throws as Identities does. */
export function unitsOfOperation(
  identities: Identities,
  provisional: ProvisionalIds,
  operation: Operation,
): bigint[] {
  const op = provisional.resolve(operation);
  switch (op.kind) {
    case RELEASE:
    case TMPFILE:
      return [];
    case SETATTR:
    case WRITE:
    case SETXATTR:
    case REMOVEXATTR:
    case ALLOCATE:
    case COPY:
      return [unitOfFile(identities.file(op.file))];
    case LINK: {
      const file = unitOfFile(identities.file(op.file));
      return distinct([identities.directoryOf(op.directory).ino, file]);
    }
    case RENAME: {
      const from = identities.directoryOf(op.directory);
      const to = identities.directoryOf(op.newDirectory);
      return distinct([from.ino, to.ino, ...ownUnitAt(from, op.name), ...ownUnitAt(to, op.newName)]);
    }
    case UNLINK:
    case RMDIR: {
      const directory = identities.directoryOf(op.directory);
      return [directory.ino, ...ownUnitAt(directory, op.name)];
    }
    default:
      return [identities.directoryOf(op.directory).ino];
  }
}

/** The units that it only reads, as things are now. Throws as Identities does. */
export function unitsReadBy(
  identities: Identities,
  provisional: ProvisionalIds,
  operation: Operation,
): bigint[] {
  switch (operation.kind) {
    case COPY:
      return [unitOfFile(identities.file(provisional.ref(operation.source)))];
    case TMPFILE:
      return [identities.directoryOf(provisional.ref(operation.directory)).ino];
    default:
      return [];
  }
}

/** The unit of what a name leads to, where it is one of its own: a directory, or a file with several names. */
function ownUnitAt(directory: Directory, name: Buffer): bigint[] {
  const status = statusIfAny(directory.fd, name);
  if (status === undefined || !(isDirectory(status) || status.nlink > 1)) return [];
  return [status.ino];
}

function distinct(units: bigint[]): bigint[] {
  return [...new Set(units)];
}
