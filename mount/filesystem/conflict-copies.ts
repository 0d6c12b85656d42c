/**
 * How both versions are kept where somebody else changed the same: what was done here gets a name beside, NAME.conflict-DATE-HOST.
 *
 * - A name that is taken: the file, directory or link that was made or moved here is made or moved to the name beside. What
 *   was done in it later follows by itself, as it goes by id.
 * - A directory that is gone: the same, in the nearest directory above that is still there.
 * - Data of a file that was changed or removed: a new file beside it. It holds what a program here would have read: the data
 *   that were written here, as far as the log has them, over what the file holds now, as there is no older version of it.
 *
 * All by ordinary changes of this client; where they fail (no room), the operation has failed.
 */
import { Failure } from '../../protocol/failure.js';
import type { Attributes } from '../../protocol/attributes.js';
import { MAX_DATA } from '../../protocol/limits.js';
import {
  CREATE,
  REMOVEXATTR,
  SETATTR,
  SETXATTR,
  WRITE,
  type Operation,
  type RemoveXattr,
  type SetAttributes,
  type SetXattr,
  type Write,
} from '../../protocol/operations.js';
import { sameId, type FileId, type FileRef } from '../../protocol/references.js';
import type { Entry } from '../log/entry.js';
import type { DirectoryInode, Inode } from '../tree/inode.js';
import type { Tree } from '../tree/tree.js';
import { isMissing, type AwaitedChanges } from './awaited-changes.js';
import { conflictName } from './conflict-name.js';
import { markLost, type Losses } from './losses.js';
import type { ServerIds } from './server-ids.js';

/** A name in a directory. */
export interface Place {
  readonly directory: FileRef;
  readonly name: Buffer;
}

/** What is done to a file itself, whatever its names are. */
export type FileChange = SetAttributes | Write | SetXattr | RemoveXattr;

/** Where data of a file go from now on; a failure: they cannot be kept there. */
export type Copy = FileRef | Failure;

/** Names that are tried. */
const MAX_ATTEMPTS = 1000;

/** A change that was made: what it left, and where, if not where it was meant to be. */
export interface Placed {
  readonly left: readonly Attributes[];
  readonly place: Place | undefined;
}

export class ConflictCopies {
  readonly #tree: Tree;
  readonly #ids: Pick<ServerIds, 'of'>;
  readonly #changes: AwaitedChanges;
  readonly #losses: Losses;
  readonly #suffix: string;
  readonly #copies: { readonly of: FileId; readonly copy: Copy }[] = [];
  /** What was put beside. */
  count = 0;

  constructor(parts: {
    tree: Tree;
    ids: Pick<ServerIds, 'of'>;
    changes: AwaitedChanges;
    losses: Losses;
    suffix: string;
  }) {
    this.#tree = parts.tree;
    this.#ids = parts.ids;
    this.#changes = parts.changes;
    this.#losses = parts.losses;
    this.#suffix = parts.suffix;
  }

  /**
   * Has a change made at a place, or beside it where the name is taken (`isTaken`) or the directory is gone. `attempt` is
   * called with `meant` itself first.
   */
  async atNameOrBeside(
    meant: Place,
    attempt: (place: Place) => Promise<readonly Attributes[]>,
    isTaken: (failure: Failure) => boolean = ({ kind }) => kind === 'EEXIST',
  ): Promise<Placed> {
    try {
      return { left: await attempt(meant), place: undefined };
    } catch (thrown) {
      const failure = Failure.from(thrown);
      if (!isTaken(failure) && !isMissing(failure)) throw failure;
      const directory = await this.#nearest(meant.directory);
      if (directory === meant.directory && !isTaken(failure)) throw failure;
      const placed = await this.#beside({ directory, name: meant.name }, attempt);
      const reason = directory === meant.directory ? 'the name was taken' : 'the directory was removed';
      this.#losses.conflict({ path: this.pathOf(meant), reason, kept: this.pathOf(placed.place) });
      return placed;
    }
  }

  /** Where the data of a file go, if not into itself. */
  of(file: FileId): Copy | undefined {
    return this.#copies.find((each) => sameId(each.of, file))?.copy;
  }

  /**
   * Makes the copy of a file. `there`: its other version is; `first`: what is done to it next; `until`: the entry of the log
   * that is of. From now on the program is told that it writes to another file.
   */
  async make(
    inode: Inode,
    file: FileId & FileRef,
    { there, first, until }: { there: boolean; first: FileChange; until: Entry },
  ): Promise<Copy> {
    let copy: Copy;
    try {
      copy = await this.#copyOf(inode, file, there && !(first.kind === SETATTR && first.size === 0), until);
    } catch (thrown) {
      copy = Failure.from(thrown);
    }
    this.#copies.push({ of: { ino: file.ino, birth: file.birth }, copy });
    return copy;
  }

  async apply(copy: Copy, operation: FileChange): Promise<void> {
    if (copy instanceof Failure) throw copy;
    await this.#changes.change({ ...operation, file: copy });
  }

  async #copyOf(inode: Inode, file: FileId & FileRef, withBase: boolean, until: Entry): Promise<FileRef> {
    const [name] = inode.names;
    if (name === undefined) throw new Failure('ESTALE', 'the file was removed here, and changed elsewhere');
    const meant = { directory: this.#refOf(name.parent), name: Buffer.from(name.key, 'latin1') };
    const directory = await this.#nearest(meant.directory);
    const { mode, owner } = inode.attributes;
    const { left, place } = await this.#beside({ directory, name: meant.name }, (at) =>
      this.#changes.change({ kind: CREATE, ...at, time: null, mode, id: null, owner }),
    );
    const [made] = left;
    if (made === undefined) throw new Failure('EPROTO', 'the server does not tell what it made');
    const copy: FileRef = { ino: made.ino, birth: made.birth, path: null };
    if (withBase) await this.#copyData(file, copy, inode.attributes.size);
    // What the server had already, and the log still has.
    for (const entry of before(until)) {
      const { operation } = entry;
      if (!isFileChange(operation)) continue;
      const { file: named } = operation;
      if (named.ino !== null && sameId(this.#ids.of(named), file)) await this.apply(copy, operation);
    }
    const [path, kept] = [this.pathOf(meant), this.pathOf(place)];
    const reason = withBase ? 'changed elsewhere' : 'changed or removed elsewhere';
    this.#losses.conflict({ path, reason, kept });
    markLost(inode, new Failure('ESTALE', `${reason}: what was written here is in ${kept ?? 'a copy'}`));
    return copy;
  }

  /** Copies what the file holds now, at most so many bytes of it. */
  async #copyData(from: FileRef, to: FileRef, size: number): Promise<void> {
    for (let offset = 0; offset < size;) {
      const data = await this.#changes.read(from, offset, Math.min(MAX_DATA, size - offset));
      if (data.length === 0) return;
      await this.#changes.change({ kind: WRITE, file: to, time: null, offset, data });
      offset += data.length;
    }
  }

  async #beside(
    { directory, name }: Place,
    attempt: (place: Place) => Promise<readonly Attributes[]>,
  ): Promise<Placed & { place: Place }> {
    for (let number = 1; number <= MAX_ATTEMPTS; number++) {
      const place = { directory, name: conflictName(name, this.#suffix, number) };
      try {
        const left = await attempt(place);
        this.count += 1;
        return { left, place };
      } catch (thrown) {
        const failure = Failure.from(thrown);
        if (failure.kind !== 'EEXIST') throw failure;
      }
    }
    throw new Failure('EEXIST', 'there is no free name beside');
  }

  /** The directory, or where it is gone the nearest one above that is there. */
  async #nearest(directory: FileRef): Promise<FileRef> {
    for (let at: FileRef = directory; ;) {
      try {
        const { nlink } = await this.#changes.getattr(at);
        if (nlink > 0) return at;
      } catch (thrown) {
        if (!isMissing(Failure.from(thrown))) throw thrown;
      }
      const inode: Inode | undefined = at.ino === null ? undefined : this.#tree.byId(at);
      if (inode === this.#tree.root) throw new Failure('ENOENT', 'the mounted directory was removed');
      const [name] = inode?.names ?? [];
      at = this.#refOf(name?.parent ?? this.#tree.root);
    }
  }

  #refOf(directory: DirectoryInode): FileRef {
    return this.#tree.refOf(directory);
  }

  /** For people; undefined where it is not known. */
  pathOf({ directory, name }: Place): string | undefined {
    const inode = directory.ino === null ? undefined : this.#tree.byId(directory);
    const path = inode === undefined ? undefined : this.#tree.pathOf(inode)?.toString();
    return path === undefined || path === '' ? name.toString() : `${path}/${name.toString()}`;
  }
}

function isFileChange(operation: Operation): operation is FileChange {
  const { kind } = operation;
  return kind === WRITE || kind === SETATTR || kind === SETXATTR || kind === REMOVEXATTR;
}

/** The entries of the log before one, in order. */
function before(entry: Entry): Entry[] {
  const entries: Entry[] = [];
  for (let at = entry.previous; at !== undefined; at = at.previous) entries.push(at);
  return entries.toReversed();
}
