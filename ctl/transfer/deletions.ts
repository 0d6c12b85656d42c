/**
 * What a sync deletes in the destination: names that the source does not have, and directories where the source has something
 * else.
 *
 * Invariant: all was listed below the destination, and no symlink is followed. It is deleted when all else is done and nothing of
 * that failed: what could not be read may be missed for that only. What is excluded stays, as with rsync.
 */
import { Failure } from '../../protocol/failure.js';
import { ROOT_PATH } from '../../protocol/ids.js';
import { describe } from '../../program/report.js';
import { displayName, localJoin } from '../names.js';
import type { Progress } from '../output/progress.js';
import { removeTree, type Removal, type Tree } from '../remove-tree.js';
import type { TransferFlags } from './command.js';
import { isExcluded } from './filter.js';
import type { TransferContext } from './transfer.js';

export interface Extraneous<Path extends Buffer> {
  readonly path: Path;
  /** Its path from the destination on: that of the filter rules. */
  readonly listed: Buffer;
  readonly isDirectory: boolean;
}

/** `Item`: something to copy. */
export class Deletions<Path extends Buffer, Item> {
  readonly #context: TransferContext;
  readonly #flags: TransferFlags;
  readonly #progress: Progress;
  readonly #removal: Removal<Path>;
  readonly #extraneous: Extraneous<Path>[] = [];
  readonly #blocked: Item[] = [];

  /** `root`: the destination. */
  constructor(
    tree: Tree<Path>,
    root: Buffer,
    context: TransferContext,
    flags: TransferFlags,
    progress: Progress,
  ) {
    this.#context = context;
    this.#flags = flags;
    this.#progress = progress;
    const without = async (path: Path): Promise<void> => tree.requireRemovable?.(path);
    const isSurvey = flags.survey !== undefined;
    this.#removal = {
      tree: {
        entries: (directory) => tree.entries(directory),
        unlink: (path) => this.#delete(path, isSurvey ? Promise.resolve() : tree.unlink(path)),
        rmdir: (path) => this.#delete(path, isSurvey ? without(path) : tree.rmdir(path)),
      },
      signal: context.signal,
      guard: (listed, action) => progress.guard(localJoin(root, listed), action),
      keeps: (listed, isDirectory) => isExcluded(flags.filter ?? [], listed, isDirectory),
    };
  }

  /** Without --delete it stays. */
  add(extraneous: Extraneous<Path>): void {
    if (this.#flags.sync?.deletes !== true) return;
    if (this.#removal.keeps?.(extraneous.listed, extraneous.isDirectory) !== true) {
      this.#extraneous.push(extraneous);
    }
  }

  /** The directory `path` is where `item` is to be. EISDIR: it is not to be deleted. */
  clear(path: Path, listed: Buffer, item: Item): void {
    if (this.#flags.sync?.deletes !== true) {
      throw new Failure('EISDIR', 'a directory is in its place: --delete removes it, with all that is in it');
    }
    this.add({ path, listed, isDirectory: true });
    this.#blocked.push(item);
  }

  /**
   * Deletes them, unless something failed before. Returns what directories were in the way of, and is now to be copied.
   * ENOTEMPTY: `isSourceEmpty`, which mostly is a disk that is not mounted, and the person did not say that it may be.
   */
  async carryOut(isSourceEmpty: boolean): Promise<readonly Item[]> {
    if (this.#extraneous.length === 0) return this.#blocked;
    if (this.#progress.failure !== undefined) {
      this.#progress.note('nothing was deleted, as not all could be copied');
      return [];
    }
    if (isSourceEmpty && this.#flags.sync?.allowEmpty !== true) {
      const text = 'the source is empty, and the destination would be';
      throw new Failure('ENOTEMPTY', `${text}: nothing was deleted (--allow-empty does it)`);
    }
    const { tree, guard } = this.#removal;
    await Promise.all(
      this.#extraneous
        .filter(({ isDirectory }) => !isDirectory)
        .map(({ path, listed }) => guard(listed, () => tree.unlink(path))),
    );
    for (const { path, listed } of this.#extraneous.filter(({ isDirectory }) => isDirectory)) {
      await guard(listed, () => removeTree(this.#removal, path, listed));
    }
    return this.#blocked;
  }

  /**
   * What is gone already, such as the part of a file that was gone on with, need not be told. The place of a share, or a mount
   * point, stays.
   */
  async #delete(path: Path, deleted: Promise<void>): Promise<void> {
    try {
      await deleted;
    } catch (error) {
      const failure = Failure.from(error);
      if (failure.kind === 'ENOENT') return;
      if (failure.kind !== 'EBUSY') throw error;
      this.#progress.note(`${displayName(path)} stays: ${describe(failure)}`);
      return;
    }
    if (this.#flags.survey !== undefined) {
      // Once over all connections of the command.
      if (this.#context.done.has(path, ROOT_PATH)) return;
      this.#context.done.add(path, ROOT_PATH);
    }
    this.#progress.deleted(path);
  }
}
