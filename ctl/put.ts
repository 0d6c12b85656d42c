/**
 * `ftpctl put SRC... [USER@]HOST:DIR`: copies local files and trees into a home, as cp copies: into DIR if that is a
 * directory, else a single source becomes DIR.
 *
 * Directories are made before what is in them and get their mode and mtime when all of it is there. Symlinks of a tree
 * stay symlinks; other special files cannot be in a home and are told.
 */
import type { BigIntStats } from 'node:fs';
import { lstat, opendir, readlink, stat } from 'node:fs/promises';
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from '../posix/flags.js';
import type { Timestamp } from '../protocol/attributes.js';
import { Failure } from '../protocol/failure.js';
import { joinPath, type RemotePath } from '../protocol/ids.js';
import { clientFiles } from '../protocol/login/client-files.js';
import { displayName, lastComponent, localJoin } from './names.js';
import type { Progress } from './output/progress.js';
import { isDirectory, isSymlink, lookUp } from './remote/directory.js';
import { remoteArgument, type RemoteSession } from './remote/session.js';
import { runTransfer, type TransferOptions } from './transfer/command.js';
import { FILES_AT_ONCE, Lanes, isFatal } from './transfer/lanes.js';
import type { TransferContext } from './transfer/transfer.js';
import { upload } from './transfer/upload.js';

/** Returns the exit code. */
export async function put(
  sources: readonly string[],
  destination: string,
  options: TransferOptions,
): Promise<number> {
  const { target, path, text } = remoteArgument(destination);
  return runTransfer(target, options, async (session, context, progress) => {
    const attributes = await lookUp(session.client, path);
    const into = attributes !== undefined && isDirectory(attributes);
    if (!into && (sources.length > 1 || text.endsWith('/'))) {
      throw new Failure('ENOTDIR', `'${text}' is not a directory on the server: make it with ftpctl mkdir`);
    }
    await new Put(session, context, options, progress).run(sources, path, into);
  });
}

/** A directory whose mode and mtime are set when everything is in it. */
interface MadeDirectory {
  readonly path: RemotePath;
  readonly status: BigIntStats;
}

class Put {
  readonly #session: RemoteSession;
  readonly #context: TransferContext;
  readonly #recursive: boolean;
  readonly #progress: Progress;
  readonly #lanes = new Lanes(FILES_AT_ONCE);
  readonly #made: MadeDirectory[] = [];
  readonly #journals = clientFiles().uploads;

  constructor(
    session: RemoteSession,
    context: TransferContext,
    options: TransferOptions,
    progress: Progress,
  ) {
    this.#session = session;
    this.#context = context;
    this.#recursive = options.recursive === true;
    this.#progress = progress;
  }

  async run(sources: readonly string[], destination: RemotePath, into: boolean): Promise<void> {
    try {
      for (const text of sources) {
        const source = Buffer.from(text);
        const name = lastComponent(source);
        // As cp does: `put -r . HOST:DIR` copies what is in the directory.
        const target = into && name.length > 0 ? joinPath(destination, name) : destination;
        await this.#guard(source, async () => {
          const status = await (this.#recursive ? lstat : stat)(source, { bigint: true });
          await this.#copy(source, status, target);
        });
      }
    } finally {
      await this.#lanes.finished();
    }
    // The deepest last made come first: setting a directory's mtime does not change that of its parent.
    for (const { path, status } of this.#made.toReversed()) {
      await this.#guard(path, async () => {
        const mtime = timestamp(status.mtimeNs);
        await this.#session.changes.setattr(path, { mode: permissions(status), mtime });
      });
    }
  }

  async #copy(source: Buffer, status: BigIntStats, target: RemotePath): Promise<void> {
    if (this.#session.signal.aborted) throw new Failure('ECANCELED', 'interrupted');
    switch (Number(status.mode) & S_IFMT) {
      case S_IFREG:
        return this.#lanes.run(() => this.#guard(source, () => this.#copyFile(source, target), true));
      case S_IFDIR:
        return this.#copyDirectory(source, status, target);
      case S_IFLNK:
        return this.#lanes.run(() => this.#guard(source, () => this.#copySymlink(source, target)));
      default:
        throw new Failure('EINVAL', 'neither a file, a directory nor a symlink: skipped');
    }
  }

  async #copyFile(source: Buffer, target: RemotePath): Promise<void> {
    const job = { source, target, account: this.#session.account, journals: this.#journals };
    await this.#progress.follow(source, (observer) => upload(this.#context, job, observer));
  }

  async #copyDirectory(source: Buffer, status: BigIntStats, target: RemotePath): Promise<void> {
    if (!this.#recursive) throw new Failure('EISDIR', 'a directory: use -r to put it with all that is in it');
    await this.#makeDirectory(target, status);
    const directory = await opendir(source, { encoding: 'buffer' as BufferEncoding });
    for await (const entry of directory) {
      // node's types do not know the encoding 'buffer' here.
      const name = entry.name as unknown as Buffer;
      const path = localJoin(source, name);
      await this.#guard(path, async () =>
        this.#copy(path, await lstat(path, { bigint: true }), joinPath(target, name)),
      );
    }
  }

  /** One that is there already is filled and otherwise left as it is. */
  async #makeDirectory(path: RemotePath, status: BigIntStats): Promise<void> {
    const { client, changes } = this.#session;
    if (path.length === 0) return;
    try {
      // Its owner must be able to fill it, whatever the mode of the source.
      await changes.mkdir(path, permissions(status) | 0o700);
      this.#made.push({ path, status });
    } catch (error) {
      const failure = Failure.from(error);
      if (failure.kind !== 'EEXIST') throw failure;
      if (!isDirectory(await client.call('getattr', [path]))) {
        throw new Failure('ENOTDIR', `'${displayName(path)}' on the server is not a directory`, {
          cause: error,
        });
      }
    }
  }

  async #copySymlink(source: Buffer, target: RemotePath): Promise<void> {
    const { client, changes } = this.#session;
    const points = await readlink(source, { encoding: 'buffer' });
    const existing = await lookUp(client, target);
    if (existing !== undefined) {
      if (isSymlink(existing) && (await client.call('readlink', [target])).equals(points)) return;
      await changes.unlink(target);
    }
    await changes.symlink(target, points);
    const status = await lstat(source, { bigint: true });
    await changes.setattr(target, { mtime: timestamp(status.mtimeNs) });
  }

  /** Tells what goes wrong with one file and goes on with the others, unless nothing can go on. */
  async #guard(name: Buffer, action: () => Promise<void>, told = false): Promise<void> {
    try {
      await action();
    } catch (error) {
      if (isFatal(error)) throw error;
      if (!told) this.#progress.problem(name, error);
    }
  }
}

function permissions(status: BigIntStats): number {
  return Number(status.mode & 0o7777n);
}

function timestamp(nanoseconds: bigint): Timestamp {
  const nsec = ((nanoseconds % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  return { sec: Number((nanoseconds - nsec) / 1_000_000_000n), nsec: Number(nsec) };
}
