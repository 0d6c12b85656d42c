/**
 * `ftpctl put SRC... [USER@]HOST:DST`: copies files and trees to a home. A file goes into DST if that is a directory, else it
 * becomes DST; a tree goes where rsync puts it: `tree` is made in DST, of `tree/` the contents go there, whether DST is there
 * already or not. So the same command means the same after an interruption.
 *
 * What is there already with the same size and mtime is not sent again; what is there otherwise keeps its mode, but for
 * --preserve, and is replaced, or with --inplace written into. Small files travel many to a message, others so many at once as
 * --jobs says; a directory gets its mode and mtime when all of it is there. Symlinks of a tree stay symlinks; other special
 * files cannot be in a home and are told. --dry-run and --verify go the same way and change nothing: what would be copied is
 * told. `-` as the only source is standard input (put-stream.ts).
 */
import { lstatSync, type BigIntStats } from 'node:fs';
import { lstat, opendir, readlink, stat } from 'node:fs/promises';
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from '../posix/flags.js';
import type { Attributes } from '../protocol/attributes.js';
import { Failure } from '../protocol/failure.js';
import { joinPath, ROOT_PATH, type RemotePath } from '../protocol/ids.js';
import { clientFiles } from '../client/files.js';
import { displayName, isContents, lastComponent, localJoin, STREAM } from './names.js';
import type { Progress, SurveyedKind } from './output/progress.js';
import { putStream } from './put-stream.js';
import { homeText } from './remote/endpoint.js';
import { find, isDirectory, isSymlink, lookUp, openDirectory } from './remote/directory.js';
import { remoteArguments, type Place } from './remote/place.js';
import type { OwnSession } from './remote/session.js';
import { withTransferSession } from './remote/transfer-session.js';
import { remoteTree } from './remove-tree.js';
import { localSize } from './transfer/announced-size.js';
import {
  runTransfer,
  tellSurveyed,
  unlessTold,
  type TransferFlags,
  type TransferOptions,
} from './transfer/command.js';
import { isSame } from './transfer/comparison.js';
import { Deletions } from './transfer/deletions.js';
import { expectedOf } from './transfer/expected.js';
import { isExcluded } from './transfer/filter.js';
import { HardLinks, notCopied } from './transfer/hard-links.js';
import { directoryItself, putXattrs } from './transfer/kept-xattrs.js';
import { allFinished, FILES_AT_ONCE, Lanes, SMALL_FILES_AT_ONCE, isFatal } from './transfer/lanes.js';
import { overwrite } from './transfer/overwrite.js';
import { SmallUploads } from './transfer/small-upload.js';
import { permissions, timestamp } from './transfer/source.js';
import {
  SMALL_FILE_BYTES,
  type TransferContext,
  type Transferred,
  type TransferObserver,
} from './transfer/transfer.js';
import { upload, type Upload } from './transfer/upload.js';

/** Returns the exit code. */
export async function put(
  sources: readonly string[],
  destination: string,
  options: TransferOptions,
): Promise<number> {
  const remote = remoteArguments([destination]);
  if (sources.includes(STREAM)) {
    if (sources.length > 1 || options.passwordFile === STREAM) {
      throw new Failure('USAGE', "'-' is standard input, which can be put by itself only (./- is a file)");
    }
    return putStream(remote, options);
  }
  const local = sources.map((source) => Buffer.from(source));
  return withTransferSession(
    remote,
    options,
    (session, [place]) => putInto(session, local, place, options),
    () => localSize(local, options),
  );
}

/** Copies to a home. Returns the exit code. */
export function putInto(
  session: OwnSession,
  sources: readonly Buffer[],
  { path, text }: Place,
  flags: TransferFlags,
): Promise<number> {
  const made: MadeDirectories = new Map();
  return runTransfer(session, flags, async (context, progress) => {
    const { path: led, attributes } = await find(session.client, path);
    const into = attributes !== undefined && isDirectory(attributes);
    if (!into && flags.recursive !== true && (sources.length > 1 || text.endsWith('/'))) {
      throw noDirectory(text);
    }
    if (flags.recursive === true || sources.length > 1)
      progress.expect((closing) => expectedOf(sources, flags, closing));
    const put = new Put(session, context, flags, progress, made, led);
    await put.run(sources, { path: led, text, attributes });
  });
}

function noDirectory(text: string): Failure {
  return new Failure('ENOTDIR', `'${text}' is not a directory on the server: make it with ftpctl mkdir`);
}

/** Something to copy. */
interface Item {
  readonly source: Buffer;
  readonly status: BigIntStats;
  readonly target: RemotePath;
  /** What is there. */
  readonly existing: Attributes | undefined;
  /** Its path from what was named on the command line on: that of the filter rules. */
  readonly listed: Buffer;
}

/** What a survey tells of. */
type Told = Pick<Item, 'source' | 'target' | 'existing'>;

interface Destination {
  readonly path: RemotePath;
  /** As typed. */
  readonly text: string;
  /** Undefined where there is nothing. */
  readonly attributes: Attributes | undefined;
}

/** A directory whose mode and mtime are set when everything is in it. */
interface MadeDirectory {
  readonly path: RemotePath;
  readonly status: BigIntStats;
}

/** In the order in which they were made, by path in Latin-1; over all connections of the command. */
type MadeDirectories = Map<string, MadeDirectory>;

/** What a directory on the server has: the attributes by name, in Latin-1. */
type Existing = ReadonlyMap<string, Attributes>;

const ALL_PERMISSIONS = 0o7777;
const NOTHING: Existing = new Map();
/** Of a directory here; they are looked at synchronously, as in get.ts. */
const ENTRIES_AT_ONCE = 512;

class Put {
  readonly #session: OwnSession;
  readonly #context: TransferContext;
  readonly #flags: TransferFlags;
  readonly #progress: Progress;
  readonly #lanes: Lanes;
  readonly #smallLanes = new Lanes(SMALL_FILES_AT_ONCE);
  readonly #small: SmallUploads;
  readonly #made: MadeDirectories;
  readonly #deletions: Deletions<RemotePath, Item>;
  #isSourceEmpty = true;
  readonly #hardLinks = new HardLinks<Item>();
  readonly #journals = clientFiles().uploads;

  constructor(
    session: OwnSession,
    context: TransferContext,
    flags: TransferFlags,
    progress: Progress,
    made: MadeDirectories,
    root: RemotePath,
  ) {
    this.#session = session;
    this.#context = context;
    this.#flags = flags;
    this.#lanes = new Lanes(flags.jobs ?? FILES_AT_ONCE);
    this.#progress = progress;
    this.#made = made;
    this.#small = new SmallUploads(context);
    this.#deletions = new Deletions(remoteTree(session), root, context, flags, progress);
  }

  get #recursive(): boolean {
    return this.#flags.recursive === true;
  }

  async run(sources: readonly Buffer[], destination: Destination): Promise<void> {
    try {
      for (const source of sources) {
        await this.#progress.guard(source, async () => {
          const status = await (this.#recursive ? lstat : stat)(source, { bigint: true });
          await this.#copySource(source, status, destination, sources.length === 1);
        });
      }
    } finally {
      await allFinished(this.#lanes, this.#smallLanes);
    }
    await this.#linkOthers();
    await this.#delete();
    // The deepest last made come first: setting a directory's mtime does not change that of its parent.
    for (const { path, status } of [...this.#made.values()].toReversed()) {
      await this.#progress.guard(path, async () => {
        const mtime = timestamp(status.mtimeNs);
        await this.#session.changes.setattr(path, { mode: permissions(status), mtime });
      });
    }
    // Directories and symlinks; the files are durable when they are answered.
    await this.#session.changes.durable();
  }

  /** Deletes what has to be, and copies what that was in the way of. */
  async #delete(): Promise<void> {
    for (const item of await this.#deletions.carryOut(this.#isSourceEmpty)) {
      await this.#progress.guard(item.source, () => this.#copy({ ...item, existing: undefined }));
    }
    await allFinished(this.#lanes, this.#smallLanes);
    await this.#linkOthers();
  }

  /** When no file is under way. */
  async #linkOthers(): Promise<void> {
    for (const { item, first } of this.#hardLinks.take()) {
      await this.#progress.guard(item.source, () => this.#link(item, first));
    }
  }

  async #copySource(
    source: Buffer,
    status: BigIntStats,
    { path, text, attributes }: Destination,
    isOnly: boolean,
  ): Promise<void> {
    const name = lastComponent(source);
    const item = { source, status, listed: name };
    if (this.#recursive && status.isDirectory()) {
      if (isContents(source)) {
        return this.#copyDirectory({ ...item, listed: ROOT_PATH, target: path, existing: attributes });
      }
      if (this.#isExcluded(item)) return undefined;
      const existing = await this.#makeDirectory(path, attributes);
      const target = joinPath(path, name);
      return this.#copy({ ...item, target, existing: existing.get(name.toString('latin1')) });
    }
    if (attributes !== undefined && isDirectory(attributes)) {
      const target = joinPath(path, name);
      return this.#copy({ ...item, target, existing: await lookUp(this.#session.client, target) });
    }
    if (!isOnly || text.endsWith('/')) throw noDirectory(text);
    return this.#copy({ ...item, target: path, existing: attributes });
  }

  async #copy(item: Item): Promise<void> {
    if (this.#session.signal.aborted) throw new Failure('ECANCELED', 'interrupted');
    if (this.#isExcluded(item)) return undefined;
    this.#isSourceEmpty = false;
    const { source, status } = item;
    switch (Number(status.mode) & S_IFMT) {
      case S_IFREG:
        if (this.#isBlocked(item) || this.#isOtherName(item)) return undefined;
        return (status.size > SMALL_FILE_BYTES ? this.#lanes : this.#smallLanes).run(() =>
          this.#progress.guard(source, () => this.#copyFile(item)),
        );
      case S_IFDIR:
        return this.#copyDirectory(item);
      case S_IFLNK:
        if (this.#isBlocked(item)) return undefined;
        return this.#lanes.run(() => this.#progress.guard(source, () => this.#copySymlink(item)));
      default:
        throw new Failure('EINVAL', 'neither a file, a directory nor a symlink: skipped');
    }
  }

  /** Whether a sync has to delete a directory first. EISDIR: it may not. */
  #isBlocked(item: Item): boolean {
    const { target, existing, listed } = item;
    if (this.#flags.sync === undefined || existing === undefined || !isDirectory(existing)) return false;
    this.#deletions.clear(target, listed, item);
    return true;
  }

  #isOtherName(item: Item): boolean {
    const { dev, ino, nlink } = item.status;
    return this.#flags.hardLinks === true && nlink > 1n && this.#hardLinks.isOther(`${dev} ${ino}`, item);
  }

  #isExcluded({ listed, status }: Pick<Item, 'listed' | 'status'>): boolean {
    return isExcluded(this.#flags.filter ?? [], listed, status.isDirectory());
  }

  async #copyFile({ source, status, target, existing }: Item): Promise<void> {
    const { done } = this.#context;
    if (done.has(source, target)) return;
    const there = existing !== undefined && (existing.mode & S_IFMT) === S_IFREG ? existing : undefined;
    const size = Number(status.size);
    const local = { path: source, status };
    if (there !== undefined && (await isSame(this.#context, local, { path: target, attributes: there }))) {
      const differs = await this.#putXattrs(source, target);
      if (differs && this.#flags.survey !== undefined)
        return this.#tell('file', { source, target, existing });
      await this.#preserveMode(target, permissions(status), there);
      done.add(source, target);
      this.#progress.skipped(source, size);
      return;
    }
    if (this.#flags.survey !== undefined) return this.#tell('file', { source, target, existing }, size);
    const isKept = there !== undefined && this.#flags.preserve !== true;
    const mode = isKept ? there.mode & ALL_PERMISSIONS : permissions(status);
    const job = { source, target, mode, home: homeText(this.#session), journals: this.#journals };
    const moved = this.#progress.follow(source, async (observer) => {
      const transferred = await this.#move(job, size, there, observer);
      done.add(source, target);
      return transferred;
    });
    return unlessTold(moved);
  }

  async #move(
    job: Upload,
    size: number,
    there: Attributes | undefined,
    observer: TransferObserver,
  ): Promise<Transferred> {
    if (there === undefined) return this.#upload(job, size, observer);
    if (this.#flags.inplace === true) {
      return overwrite(this.#context, this.#session.changes, { ...job, there }, observer);
    }
    try {
      return await this.#upload(job, size, observer);
    } catch (error) {
      const { kind, message } = Failure.from(error);
      if (kind !== 'EDQUOT' && kind !== 'ENOSPC') throw error;
      const text = 'the file that is there stays until the new one is whole (put --inplace writes into it)';
      throw new Failure(kind, `${message}, as ${text}`, { cause: error });
    }
  }

  async #upload(job: Upload, size: number, observer: TransferObserver): Promise<Transferred> {
    const small = size > SMALL_FILE_BYTES ? undefined : await this.#small.upload(job, observer);
    return small ?? upload(this.#context, job, observer);
  }

  async #link({ source, target, existing }: Item, first: Item): Promise<void> {
    const { done, client } = this.#context;
    if (done.has(source, target)) return;
    if (!done.has(first.source, first.target)) throw notCopied(first.source);
    const file = await lookUp(client, first.target);
    if (existing !== undefined && existing.ino === file?.ino && existing.birth === file.birth) return;
    if (this.#flags.survey !== undefined) return this.#tell('file', { source, target, existing });
    const { changes } = this.#session;
    if (existing !== undefined) await changes.unlink(target);
    await changes.link(first.target, target);
    done.add(source, target);
  }

  /** Of a file that is there with the same content. */
  async #preserveMode(target: RemotePath, mode: number, there: Attributes): Promise<void> {
    const { preserve, survey } = this.#flags;
    if (preserve !== true || survey !== undefined || (there.mode & ALL_PERMISSIONS) === mode) return;
    await this.#session.changes.setattr(target, { mode });
  }

  /** Tells what is not there as it is here, and is left so. */
  #tell(kind: SurveyedKind, { source, target, existing }: Told, bytes = 0): void {
    const found = { kind, exists: existing !== undefined, bytes };
    tellSurveyed(this.#context, this.#progress, source, target, found);
  }

  async #copyDirectory({ source, status, target, existing, listed }: Item): Promise<void> {
    if (!this.#recursive) throw new Failure('EISDIR', 'a directory: use -r to put it with all that is in it');
    const isRoot = listed.length === 0;
    if (this.#flags.sync !== undefined && existing !== undefined && !isDirectory(existing) && !isRoot) {
      if (this.#flags.survey === undefined) await this.#session.changes.unlink(target);
      else {
        this.#tell('directory', { source, target, existing });
        return this.#fillDirectory(source, target, listed, NOTHING);
      }
    }
    const there = await this.#makeDirectory(target, existing, status, source);
    await this.#putDirectoryXattrs({ source, target, existing });
    await this.#fillDirectory(source, target, listed, there);
  }

  /** Of one that would be made by now there is nothing to compare. */
  async #putDirectoryXattrs({ source, target, existing }: Told): Promise<void> {
    const isSurvey = this.#flags.survey !== undefined;
    if (this.#context.xattrs === undefined || (isSurvey && existing === undefined)) return;
    await this.#smallLanes.run(() =>
      this.#progress.guard(source, async () => {
        const differs = await this.#putXattrs(directoryItself(source), target);
        if (differs && isSurvey) this.#tell('directory', { source, target, existing });
      }),
    );
  }

  /** Returns whether they were not the same. */
  #putXattrs(local: Buffer, remote: RemotePath): Promise<boolean> {
    const changes = this.#flags.survey === undefined ? this.#session.changes : 'survey';
    return putXattrs(this.#context, { local, remote }, changes);
  }

  async #fillDirectory(
    source: Buffer,
    target: RemotePath,
    listed: Buffer,
    existing: Existing,
  ): Promise<void> {
    const options = { encoding: 'buffer' as BufferEncoding, bufferSize: ENTRIES_AT_ONCE };
    const directory = await opendir(source, options);
    const extraneous = new Map(this.#flags.sync?.deletes === true ? existing : NOTHING);
    for await (const entry of directory) {
      // node's types do not know the encoding 'buffer' here.
      const name = entry.name as unknown as Buffer;
      const path = localJoin(source, name);
      const key = name.toString('latin1');
      extraneous.delete(key);
      await this.#progress.guard(path, async () =>
        this.#copy({
          source: path,
          status: lstatSync(path, { bigint: true }),
          target: joinPath(target, name),
          existing: existing.get(key),
          listed: localJoin(listed, name),
        }),
      );
    }
    for (const [key, attributes] of extraneous) {
      const name = Buffer.from(key, 'latin1');
      this.#deletions.add({
        path: joinPath(target, name),
        listed: localJoin(listed, name),
        isDirectory: isDirectory(attributes),
      });
    }
  }

  /** Makes a directory as that of `status` is. Returns what it has: one that is there stays as it is, but for --preserve. */
  async #makeDirectory(
    path: RemotePath,
    there: Attributes | undefined,
    status?: BigIntStats,
    source: Buffer = path,
  ): Promise<Existing> {
    const { client, changes } = this.#session;
    if (this.#flags.survey !== undefined) return this.#surveyDirectory(source, path, there);
    const key = path.toString('latin1');
    const before = this.#made.has(key);
    try {
      if (path.length > 0) {
        // First, for the answer may be lost.
        if (status !== undefined && !before) this.#made.set(key, { path, status });
        // Its owner must be able to fill it, whatever the mode of the source.
        await changes.mkdir(
          path,
          status === undefined ? 0o777 & ~process.umask() : permissions(status) | 0o700,
        );
        return NOTHING;
      }
    } catch (error) {
      const failure = Failure.from(error);
      if (!before && !isFatal(failure)) this.#made.delete(key);
      if (failure.kind !== 'EEXIST') throw failure;
      requireDirectory(path, await client.call('getattr', [path]));
      if (status !== undefined && this.#flags.preserve === true) this.#made.set(key, { path, status });
    }
    return this.#list(path);
  }

  /** What #makeDirectory would find. */
  async #surveyDirectory(source: Buffer, path: RemotePath, there: Attributes | undefined): Promise<Existing> {
    if (there === undefined) {
      this.#tell('directory', { source, target: path, existing: there });
      return NOTHING;
    }
    requireDirectory(path, there);
    return this.#list(path);
  }

  async #list(path: RemotePath): Promise<Existing> {
    const existing = new Map<string, Attributes>();
    const { entries } = await openDirectory(this.#session.client, path);
    for await (const { name, attributes } of entries) existing.set(name.toString('latin1'), attributes);
    return existing;
  }

  async #copySymlink({ source, target, existing }: Item): Promise<void> {
    const { client, changes } = this.#session;
    const points = await readlink(source, { encoding: 'buffer' });
    if (existing !== undefined && isSymlink(existing)) {
      if ((await client.call('readlink', [target])).equals(points)) return;
    }
    if (this.#flags.survey !== undefined) return this.#tell('symlink', { source, target, existing });
    if (existing !== undefined) await changes.unlink(target);
    await changes.symlink(target, points);
    const status = await lstat(source, { bigint: true });
    await changes.setattr(target, { mtime: timestamp(status.mtimeNs) });
  }
}

function requireDirectory(path: RemotePath, attributes: Attributes): void {
  if (isDirectory(attributes)) return;
  throw new Failure('ENOTDIR', `'${displayName(path)}' on the server is not a directory`);
}
