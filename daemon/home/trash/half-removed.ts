/*
 * What a removal has left that was cut short between its two steps (trash.ts): a file with its name in the home and one in the
 * trash. It was not removed, and who asked for it asks again or was never answered; so the trash gives its name back. Else the
 * file would be told as removed and restored beside itself, as one file with two names, and would miss the trash when it is removed.
 */
import { PosixError } from '../../../posix/error.js';
import { O_PATH } from '../../../posix/flags.js';
import { unlinkat } from '../../../posix/names.js';
import type { Status } from '../../../posix/status.js';
import { TRASH_NAME } from '../../../state/home-layout.js';
import { closing, statusIfAny, type ConfinedTree } from '../disk/confined.js';
import { idOf, isId } from '../disk/file-ids.js';
import { pathOfBatch } from './trash-batches.js';
import { itemId, type ItemPlace } from './trash-layout.js';

/** Takes an item out of the trash that is where it was, too; whether it was so. To be called while nothing else uses the home. */
export function takeBack(tree: ConfinedTree, place: ItemPlace, item: Status): boolean {
  try {
    const trash = tree.openOwn(TRASH_NAME);
    if (trash === undefined) return false;
    return closing(trash, () => {
      const path = pathOfBatch(trash, place);
      if (path === undefined || !leadsTo(tree, path, place.name, item)) return false;
      unlinkat(trash, itemId(place), 0);
      return true;
    });
  } catch (error) {
    // It stays as it is: no home is kept from being opened for this.
    if (error instanceof PosixError) return false;
    throw error;
  }
}

function leadsTo(tree: ConfinedTree, path: Buffer, name: Buffer, item: Status): boolean {
  return closing(tree.openDirectory(tree.root, path, O_PATH), (directory) => {
    const found = statusIfAny(directory, name);
    return found !== undefined && isId(found, idOf(item));
  });
}
