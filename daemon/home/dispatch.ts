/*
 * Which part of a home answers which method: the daemon's column of the table in protocol/methods.
 *
 * A handler answers at once or later; it gets its parameters checked and typed. Bytes in them are views of the request
 * and are gone when it returns: who goes on later copies.
 */
import { Failure } from '../../protocol/failure.js';
import type { RemotePath } from '../../protocol/ids.js';
import type { MethodName, Params } from '../../protocol/methods.js';
import { statxFd } from '../../posix/status.js';
import type { Outcome } from './answers.js';
import type { Call } from './call.js';
import type { HomeClient } from './clients.js';
import { openDirectory, syncDirectory, type Page } from './directories.js';
import { Download } from './downloads.js';
import type { Handle } from './handles.js';
import type { OpenFile } from './open-files.js';
import type { Lent } from './reading.js';
import type { UserHome } from './user-home.js';
import { wireAttributes } from './wire-attributes.js';

/** Methods of a session that is logged in. */
export type HomeMethod = Exclude<MethodName, 'login' | 'ping'>;

/** The result as it travels; Lent: file data, to be released once it is sealed. */
export type Answer = unknown[] | Buffer | null | LentData;

export class LentData {
  constructor(readonly lent: Lent) {}
}

type Handler<M extends MethodName> = (
  home: UserHome,
  client: HomeClient,
  params: Params<M>,
  call: Call,
) => Answer | Promise<Answer>;

export const HANDLERS: { readonly [M in HomeMethod]: Handler<M> } = {
  getattr: (home, _, [path]) => home.names.getattr(path),
  fgetattr: (_, client, [number]) => wireAttributes(statxFd(openFile(client.handles.get(number)).fd)),
  setattr: (home, client, [path, changes]) => home.setattr.ofPath(client, path, changes),
  fsetattr: (home, client, [number, changes]) =>
    home.setattr.ofFile(client, client.handles.ofKind(number, 'file').file, changes),

  readdir(home, client, [path]) {
    client.handles.requireRoom();
    const cursor = openDirectory(home.tree, path);
    try {
      const attributes = wireAttributes(cursor.status());
      const { entries, last } = cursor.page();
      if (!last) return [attributes, entries, client.handles.add({ kind: 'cursor', cursor })];
      cursor.close();
      return [attributes, entries, null];
    } catch (error) {
      cursor.close();
      throw error;
    }
  },
  readdirNext(_, client, [number], call) {
    const { cursor } = client.handles.ofKind(number, 'cursor');
    const position = cursor.position();
    const page = cursor.page();
    const uncount = page.last ? client.handles.retire(number) : undefined;
    // Pages are too large to keep: one that is asked for again is read again, so the last one keeps its descriptor.
    call.repeat = {
      outcome: () => outcomeOf(() => (cursor.seek(position), nextPage(cursor.page(), number))),
      dropped: () => {
        if (uncount === undefined) return;
        cursor.close();
        uncount();
      },
    };
    return nextPage(page, number);
  },
  readlink: (home, _, [path]) => home.names.readlink(path),
  mkdir: (home, client, [path, permissions]) => home.names.mkdir(client, path, permissions),
  mknod: (home, client, [path, mode]) => home.names.mknod(client, path, mode),
  symlink: (home, client, [path, target]) => home.names.symlink(client, path, target),
  link: (home, client, [existing, path]) => home.names.link(client, existing, path),
  unlink: (home, client, [path]) => home.names.unlink(client, path),
  rmdir: (home, client, [path]) => home.names.rmdir(client, path),
  rename: (home, client, [from, to, flags]) => home.names.rename(client, from, to, flags),

  open(home, client, [path, flags, prefetch], call) {
    const opened = home.files.open(client, path, flags);
    if (prefetch === null) return opened;
    // Asked for again it comes without the data: kept answers should be small.
    call.repeat = { outcome: () => ({ failure: undefined, result: opened }) };
    const data = home.files.beginning(openFile(client.handles.get(opened[0])), prefetch);
    if (data === undefined) return opened;
    const copy = Buffer.from(data.bytes);
    data.release();
    return [...opened, copy];
  },
  create: (home, client, [path, flags, permissions]) => home.files.create(client, path, flags, permissions),
  read(home, client, [number, offset, length]) {
    const handle = client.handles.get(number);
    const data =
      handle.kind === 'download'
        ? handle.download.read(offset, length)
        : home.files.read(openFile(handle), offset, length);
    return data instanceof Promise ? data.then((lent) => new LentData(lent)) : new LentData(data);
  },
  write: (home, client, [number, offset, data]) =>
    home.files.write(client, client.handles.ofKind(number, 'file').file, offset, data),
  fsync: (home, client, [number, dataOnly]) =>
    home.files.sync(client.handles.ofKind(number, 'file').file, dataOnly),
  fsyncdir: (home, _, [path]) => syncDirectory(home.tree, path),
  close(home, client, [number]) {
    home.closeHandle(client.handles.take(number));
    return null;
  },
  statfs: (home) => home.statfs(),

  uploadBegin: (home, client, [path, size, mode, sec, nsec, fingerprint], call) =>
    home.uploads.begin(
      client,
      {
        path: Buffer.from(path) as unknown as RemotePath,
        size,
        mode,
        mtime: { sec, nsec },
        fingerprint: Buffer.from(fingerprint),
      },
      call,
    ),
  uploadWrite: (_, client, [number, offset, data]) =>
    client.handles.ofKind(number, 'upload').upload.write(offset, data),
  async uploadFinish(home, client, [number, md5]) {
    const { upload } = client.handles.ofKind(number, 'upload');
    try {
      return await home.uploads.finish(client, upload, md5);
    } finally {
      if (upload.closed) client.handles.forget(number);
    }
  },
  async uploadAbort(_, client, [number]) {
    const { upload } = client.handles.ofKind(number, 'upload');
    await upload.abort();
    client.handles.forget(number);
    return null;
  },
  download(home, client, [path]) {
    client.handles.requireRoom();
    const { file, status } = home.files.openForReading(path);
    const download = new Download(file, path.toString(), status, home.digests);
    return [client.handles.add({ kind: 'download', download }), wireAttributes(status)];
  },
  async digest(home, client, [number], call) {
    const { download } = client.handles.ofKind(number, 'download');
    const md5 = await download.digest(call);
    const { path, size: bytes, startedAt } = download;
    const ms = Date.now() - startedAt;
    home.transferLog.info(
      { event: 'download', user: home.user, path, bytes, md5: md5.toString('hex'), ms },
      'download',
    );
    return md5;
  },
};

function nextPage({ entries, last }: Page, cursor: number): unknown[] {
  return [entries, last ? null : cursor];
}

function outcomeOf(work: () => unknown): Outcome {
  try {
    return { failure: undefined, result: work() };
  } catch (error) {
    return { failure: Failure.from(error), result: null };
  }
}

/** The open file that a handle reads from. EBADF. */
function openFile(handle: Handle): OpenFile {
  switch (handle.kind) {
    case 'file':
      return handle.file;
    case 'download':
      return handle.download.file;
    default:
      throw new Failure('EBADF', 'the handle is not of a file');
  }
}
