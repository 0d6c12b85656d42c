/**
 * `ftpctl get [USER@]HOST:SRC... DST`: copies files and trees of a home to this machine, as put copies to a home (put.ts): a
 * file goes into DST if that is a directory, else it becomes DST; `tree` is made in DST, of `tree/` the contents go there.
 * What is there already with the same size and mtime is not got again; what is there otherwise keeps its mode, but for
 * --preserve. --dry-run and --verify go the same way and change nothing. `-` is standard output (get-stream.ts).
 *
 * Files are looked at synchronously: one after the other that would be a hop to another thread each, and the messages of small
 * files would not fill.
 *
 * The server is not trusted with local paths: names are single components, a directory that is entered is one and no
 * symlink, and symlinks of a tree are made last, so that nothing is ever written through one of them.
 */
import { chmodSync, lstatSync, readlinkSync, statSync, type BigIntStats } from 'node:fs';
import { chmod, link, mkdir, rename, rm, symlink } from 'node:fs/promises';
import { AT_FDCWD, AT_SYMLINK_NOFOLLOW, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from '../posix/flags.js';
import { utimensat } from '../posix/names.js';
import type { Attributes } from '../protocol/attributes.js';
import { Failure } from '../protocol/failure.js';
import type { RemotePath } from '../protocol/ids.js';
import { getStream } from './get-stream.js';
import { displayName, lastComponent, localJoin, STREAM } from './names.js';
import type { Progress, SurveyedKind } from './output/progress.js';
import { isDirectory, openDirectory } from './remote/directory.js';
import { matching } from './remote/matching.js';
import { remoteArguments, type Place } from './remote/place.js';
import type { OwnSession } from './remote/session.js';
import { isSharePlace } from './remote/shared-path.js';
import { withTransferSession } from './remote/transfer-session.js';
import { LOCAL_TREE } from './remove-tree.js';
import { remoteSize } from './transfer/announced-size.js';
import {
  requireMove,
  runTransfer,
  tellSurveyed,
  unlessTold,
  type TransferFlags,
  type TransferOptions,
} from './transfer/command.js';
import { isSame } from './transfer/comparison.js';
import { Deletions } from './transfer/deletions.js';
import { expectedThere } from './transfer/expected.js';
import { isExcluded } from './transfer/filter.js';
import { HardLinks, notCopied } from './transfer/hard-links.js';
import { download } from './transfer/download.js';
import { directoryItself, getXattrs } from './transfer/kept-xattrs.js';
import { allFinished, FILES_AT_ONCE, Lanes, SMALL_FILES_AT_ONCE } from './transfer/lanes.js';
import {
  isDirectoryHere,
  isLocalDirectory,
  isOtherHere,
  makeIfMissing,
  parentOf,
} from './transfer/local-directories.js';
import { LocalSyncs } from './transfer/local-syncs.js';
import { PERMISSIONS } from './transfer/part.js';
import { findSource, type RemoteSource } from './transfer/remote-source.js';
import { SmallDownloads } from './transfer/small-download.js';
import { permissions } from './transfer/source.js';
import { SMALL_FILE_BYTES, type TransferContext } from './transfer/transfer.js';

const SLASH = 0x2f;

/** Returns the exit code. */
export async function get(
  sources: readonly string[],
  destination: string,
  options: TransferOptions,
): Promise<number> {
  const remote = remoteArguments(sources);
  if (destination === STREAM) {
    requireMove(options);
    onlyOne(remote.places);
    return withTransferSession(remote, options, async (session, places) =>
      getStream(session, onlyOne(await matching(session, places)), options),
    );
  }
  const local = Buffer.from(destination);
  // Before a password is asked for.
  await destinationIsDirectory(remote.places, local, options);
  return withTransferSession(
    remote,
    options,
    async (session, places) => getInto(session, await matching(session, places), local, options),
    (session, places) => remoteSize(session, places, options),
  );
}

function onlyOne(places: readonly Place[]): Place {
  const [place, ...others] = places;
  if (place === undefined || others.length > 0)
    throw new Failure('USAGE', "one file only can be got to '-', standard output");
  return place;
}

/** Copies from a home. Returns the exit code. */
export async function getInto(
  session: OwnSession,
  sources: readonly Place[],
  destination: Buffer,
  flags: TransferFlags,
): Promise<number> {
  const into = await destinationIsDirectory(sources, destination, flags);
  const changes: LocalChanges = { made: [], named: new Set() };
  return runTransfer(session, flags, (context, progress) => {
    if (flags.recursive === true || sources.length > 1)
      progress.expect((closing) => expectedThere(session.client, sources, flags, closing));
    return new Get(session, context, flags, progress, changes, destination).run(sources, destination, into);
  });
}

/** Whether the destination is a directory. Throws ENOTDIR where it is none and has to be. */
async function destinationIsDirectory(
  sources: readonly Place[],
  destination: Buffer,
  flags: TransferFlags,
): Promise<boolean> {
  const into = await isLocalDirectory(destination);
  if (!into && flags.recursive !== true && (sources.length > 1 || destination.at(-1) === SLASH)) {
    throw noDirectory(destination);
  }
  return into;
}

/** Where something is copied to. */
interface LocalTarget {
  readonly directory: Buffer;
  /** Empty: the directory itself. */
  readonly name: Buffer;
}

function pathOf({ directory, name }: LocalTarget): Buffer {
  return localJoin(directory, name);
}

interface MadeDirectory {
  readonly path: Buffer;
  readonly attributes: Attributes;
}

/** What a command has changed here, over all its connections. */
interface LocalChanges {
  /** In the order in which they were made. */
  readonly made: MadeDirectory[];
  /** Directories in which names were made, by path in Latin-1. */
  readonly named: Set<string>;
}

/** Something to copy. */
interface Item {
  readonly source: RemotePath;
  readonly attributes: Attributes;
  readonly target: LocalTarget;
  /** Its path from what was named on the command line on: that of the filter rules. */
  readonly listed: Buffer;
  /** What is there is deleted first, and counts for nothing. */
  readonly isGone?: boolean;
}

class Get {
  readonly #session: OwnSession;
  readonly #context: TransferContext;
  readonly #flags: TransferFlags;
  readonly #progress: Progress;
  readonly #lanes: Lanes;
  readonly #smallLanes = new Lanes(SMALL_FILES_AT_ONCE);
  readonly #small: SmallDownloads;
  readonly #changes: LocalChanges;
  readonly #deletions: Deletions<Buffer, Item>;
  #isSourceEmpty = true;
  readonly #hardLinks = new HardLinks<Item>();
  readonly #syncs = new LocalSyncs();
  #symlinks: Item[] = [];

  constructor(
    session: OwnSession,
    context: TransferContext,
    flags: TransferFlags,
    progress: Progress,
    changes: LocalChanges,
    root: Buffer,
  ) {
    this.#session = session;
    this.#context = context;
    this.#flags = flags;
    this.#lanes = new Lanes(flags.jobs ?? FILES_AT_ONCE);
    this.#progress = progress;
    this.#changes = changes;
    this.#small = new SmallDownloads(context);
    this.#deletions = new Deletions(LOCAL_TREE, root, context, flags, progress);
  }

  get #recursive(): boolean {
    return this.#flags.recursive === true;
  }

  get #isSurvey(): boolean {
    return this.#flags.survey !== undefined;
  }

  async run(sources: readonly Place[], destination: Buffer, into: boolean): Promise<void> {
    try {
      for (const source of sources) {
        await this.#progress.guard(source.shown, async () => {
          const found = await findSource(this.#session.client, source, this.#recursive);
          await this.#copySource(found, destination, into, sources.length === 1);
        });
      }
    } finally {
      await allFinished(this.#lanes, this.#smallLanes);
    }
    await this.#makeLinks();
    await this.#delete();
    for (const { path, attributes } of this.#changes.made.toReversed()) {
      await this.#progress.guard(path, async () => {
        await chmod(path, attributes.mode & PERMISSIONS);
        utimensat(AT_FDCWD, path, undefined, attributes.mtime, AT_SYMLINK_NOFOLLOW);
      });
    }
    for (const directory of this.#changes.named) {
      const path = Buffer.from(directory, 'latin1');
      await this.#smallLanes.run(() => this.#progress.guard(path, () => this.#syncs.syncDirectory(path)));
    }
    await allFinished(this.#smallLanes);
  }

  /** When no file is under way. */
  async #makeLinks(): Promise<void> {
    for (const { item, first } of this.#hardLinks.take()) {
      await this.#progress.guard(item.source, () => this.#link(item, first));
    }
    const symlinks = this.#symlinks;
    this.#symlinks = [];
    for (const item of symlinks) await this.#progress.guard(item.source, () => this.#copySymlink(item));
  }

  /** Deletes what has to be, and copies what that was in the way of. */
  async #delete(): Promise<void> {
    for (const item of await this.#deletions.carryOut(this.#isSourceEmpty)) {
      await this.#progress.guard(item.source, () => this.#copy({ ...item, isGone: true }));
    }
    await allFinished(this.#lanes, this.#smallLanes);
    await this.#makeLinks();
  }

  async #copySource(
    { path, attributes, listed }: RemoteSource,
    local: Buffer,
    into: boolean,
    isOnly: boolean,
  ): Promise<void> {
    const item = { source: path, attributes, listed };
    if (this.#recursive && isDirectory(attributes)) {
      if (listed.length > 0 && this.#isExcluded(item)) return undefined;
      if (!into) await this.#makeDestination(local);
      return this.#copyDirectory({ ...item, target: { directory: local, name: listed } });
    }
    if (this.#flags.sync !== undefined)
      throw new Failure('ENOTDIR', 'not a directory: get it with ftpctl get');
    if (into) return this.#copy({ ...item, target: { directory: local, name: listed } });
    if (!isOnly || local.at(-1) === SLASH) throw noDirectory(local);
    return this.#copy({ ...item, target: { directory: parentOf(local), name: lastComponent(local) } });
  }

  async #copy(item: Item): Promise<void> {
    if (this.#session.signal.aborted) throw new Failure('ECANCELED', 'interrupted');
    if (this.#isExcluded(item)) return undefined;
    this.#isSourceEmpty = false;
    const { source, attributes } = item;
    switch (attributes.mode & S_IFMT) {
      case S_IFREG:
        if (this.#isBlocked(item) || this.#isOtherName(item)) return undefined;
        return (attributes.size > SMALL_FILE_BYTES ? this.#lanes : this.#smallLanes).run(() =>
          this.#progress.guard(source, () => this.#copyFile(item)),
        );
      case S_IFDIR:
        return this.#copyDirectory(item);
      case S_IFLNK:
        if (!this.#isBlocked(item)) this.#symlinks.push(item);
        return undefined;
      default:
        throw new Failure('EINVAL', 'neither a file, a directory nor a symlink: skipped');
    }
  }

  /** Whether a sync has to delete a directory first. EISDIR: it may not. */
  #isBlocked(item: Item): boolean {
    if (this.#flags.sync === undefined || item.isGone === true) return false;
    const path = pathOf(item.target);
    if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) return false;
    this.#deletions.clear(path, item.listed, item);
    return true;
  }

  #isOtherName(item: Item): boolean {
    const { ino, birth, nlink } = item.attributes;
    return this.#flags.hardLinks === true && nlink > 1 && this.#hardLinks.isOther(`${ino} ${birth}`, item);
  }

  #isExcluded({ listed, attributes }: Pick<Item, 'listed' | 'attributes'>): boolean {
    return isExcluded(this.#flags.filter ?? [], listed, isDirectory(attributes));
  }

  async #copyFile({ source, attributes, target, isGone }: Item): Promise<void> {
    const { done } = this.#context;
    const { size } = attributes;
    const path = pathOf(target);
    const there = isGone === true ? undefined : lstatSync(path, { bigint: true, throwIfNoEntry: false });
    const isFollowed = this.#flags.sync === undefined && there?.isSymbolicLink() === true;
    const led = isFollowed ? statSync(path, { throwIfNoEntry: false }) : there;
    if (led?.isDirectory() === true) {
      throw new Failure('EISDIR', `${displayName(path)} is a directory here`);
    }
    if (there !== undefined && !there.isFile() && !there.isSymbolicLink()) {
      throw new Failure('EEXIST', `${displayName(path)} is a device, FIFO or socket here: remove it first`);
    }
    if (done.has(path, source)) return;
    const former = there?.isFile() === true ? there : undefined;
    const remote = { path: source, attributes };
    if (former !== undefined && (await isSame(this.#context, { path, status: former }, remote))) {
      const differs = await getXattrs(this.#context, { local: path, remote: source }, this.#isSurvey);
      if (differs && this.#isSurvey) return this.#tell('file', source, path, true);
      this.#preserveMode(path, attributes, former);
      done.add(path, source);
      this.#progress.skipped(path, size);
      return;
    }
    if (this.#flags.survey !== undefined) {
      return this.#tell('file', source, path, there !== undefined, size);
    }
    const isKept = former !== undefined && this.#flags.preserve !== true;
    const job = { source, ...target, mode: isKept ? permissions(former) : undefined };
    const moved = this.#progress.follow(path, async (observer) => {
      const small = size > SMALL_FILE_BYTES ? undefined : await this.#small.download(job, size, observer);
      const transferred = small ?? (await download(this.#context, job, observer));
      this.#named(target.directory);
      done.add(path, source);
      return transferred;
    });
    return unlessTold(moved);
  }

  /** Of a file that is here with the same content. */
  #preserveMode(path: Buffer, { mode }: Attributes, former: BigIntStats): void {
    const { preserve, survey } = this.#flags;
    if (preserve !== true || survey !== undefined) return;
    if ((mode & PERMISSIONS) !== permissions(former)) chmodSync(path, mode & PERMISSIONS);
  }

  /** Tells what is not here as it is there, and is left so. */
  #tell(kind: SurveyedKind, source: Buffer, path: Buffer, exists: boolean, bytes = 0): void {
    tellSurveyed(this.#context, this.#progress, path, source, { kind, exists, bytes });
  }

  async #copyDirectory({ source, target, listed, isGone }: Item): Promise<void> {
    if (!this.#recursive) throw new Failure('EISDIR', 'a directory: use -r to get it with all that is in it');
    if (isSharePlace(this.#session, source)) {
      this.#progress.note(`${displayName(source)} is a share, a home of its own: get it by itself`);
      return;
    }
    const path = pathOf(target);
    const { attributes, entries } = await openDirectory(this.#session.client, source);
    const isDestination = target.name.length === 0;
    const isReplacing = this.#flags.sync !== undefined && !isDestination && isOtherHere(path);
    const isNew = isGone === true || isReplacing || !isDirectoryHere(path, isDestination);
    if (this.#flags.survey === undefined) {
      if (isReplacing) await rm(path);
      await this.#makeDirectory(path, attributes, isDestination);
    }
    // The destination was told already.
    else if (isNew && !isDestination) this.#tell('directory', source, path, isReplacing);
    if (!isNew || !this.#isSurvey) await this.#getDirectoryXattrs(source, path);
    // Before anything is made in it: parts come and go.
    const present = isNew || this.#flags.sync?.deletes !== true ? [] : await LOCAL_TREE.entries(path);
    const extraneous = new Map(present.map((entry) => [entry.name.toString('latin1'), entry]));
    for await (const entry of entries) {
      extraneous.delete(entry.name.toString('latin1'));
      await this.#progress.guard(entry.path, () =>
        this.#copy({
          source: entry.path,
          attributes: entry.attributes,
          target: { directory: path, name: entry.name },
          listed: localJoin(listed, entry.name),
          isGone: isNew,
        }),
      );
    }
    for (const entry of extraneous.values()) {
      this.#deletions.add({ ...entry, listed: localJoin(listed, entry.name) });
    }
  }

  async #getDirectoryXattrs(source: RemotePath, path: Buffer): Promise<void> {
    if (this.#context.xattrs === undefined) return;
    const pair = { local: directoryItself(path), remote: source };
    await this.#smallLanes.run(() =>
      this.#progress.guard(path, async () => {
        const differs = await getXattrs(this.#context, pair, this.#isSurvey);
        if (differs && this.#isSurvey) this.#tell('directory', source, path, true);
      }),
    );
  }

  async #makeDestination(local: Buffer): Promise<void> {
    if (this.#flags.survey !== undefined) this.#tell('directory', local, local, false);
    else if (await makeIfMissing(local)) this.#named(parentOf(local));
  }

  #named(directory: Buffer): void {
    this.#changes.named.add(directory.toString('latin1'));
  }

  /** One that is there already is filled and otherwise left as it is; the destination itself may be behind a symlink. */
  async #makeDirectory(path: Buffer, attributes: Attributes, isDestination: boolean): Promise<void> {
    try {
      // Its owner must be able to fill it; the rest, should it end here for good.
      await mkdir(path, { mode: (attributes.mode & PERMISSIONS) | 0o700 });
      this.#named(parentOf(path));
      this.#changes.made.push({ path, attributes });
    } catch (error) {
      const failure = Failure.from(error);
      if (failure.kind !== 'EEXIST') throw failure;
      isDirectoryHere(path, isDestination);
      // A destination that is a link stays as it is.
      if (this.#flags.preserve === true && !isOtherHere(path)) this.#changes.made.push({ path, attributes });
    }
  }

  async #copySymlink({ source, target, attributes, isGone }: Item): Promise<void> {
    const points = await this.#session.client.call('readlink', [source]);
    const path = pathOf(target);
    if (this.#flags.survey !== undefined) {
      const there = isGone === true ? undefined : lstatSync(path, { throwIfNoEntry: false });
      const isSameLink = there?.isSymbolicLink() === true && points.equals(readlinkSync(path, 'buffer'));
      return isSameLink ? undefined : this.#tell('symlink', source, path, there !== undefined);
    }
    await this.#replace(target, async (temporary) => {
      await symlink(points, temporary);
      utimensat(AT_FDCWD, temporary, undefined, attributes.mtime, AT_SYMLINK_NOFOLLOW);
    });
  }

  async #link({ source, target, isGone }: Item, first: Item): Promise<void> {
    const { done } = this.#context;
    const [path, firstPath] = [pathOf(target), pathOf(first.target)];
    if (!done.has(firstPath, first.source)) throw notCopied(firstPath);
    const there = isGone === true ? undefined : lstatSync(path, { bigint: true, throwIfNoEntry: false });
    const file = lstatSync(firstPath, { bigint: true, throwIfNoEntry: false });
    if (there !== undefined && there.ino === file?.ino && there.dev === file.dev) return undefined;
    if (this.#flags.survey !== undefined) return this.#tell('file', source, path, there !== undefined);
    return this.#replace(target, (temporary) => link(firstPath, temporary));
  }

  /** What is made under another name gets its own by a rename, which replaces a file or symlink, and never a directory. */
  async #replace(target: LocalTarget, make: (temporary: Buffer) => Promise<void>): Promise<void> {
    const temporary = localJoin(target.directory, Buffer.from(`.ftpmount-link-${process.pid}`));
    await rm(temporary, { force: true });
    try {
      await make(temporary);
      await rename(temporary, pathOf(target));
      this.#named(target.directory);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }
}

function noDirectory(destination: Buffer): Failure {
  return new Failure('ENOTDIR', `'${displayName(destination)}' is not a directory: make it first`);
}
