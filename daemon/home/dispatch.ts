/*
 * Which part of a home answers which method: the daemon's column of the table in protocol/methods.
 *
 * Two tables: methods that touch units of leases are prepared, and run in the same turn once nothing stands in their way
 * (lease-waits.ts); the others run at once. A method answers at once or later; it gets its parameters checked and typed.
 * Bytes in them are views of the request and are gone when it returns: who goes on later copies.
 */
import { Failure } from '../../protocol/failure.js';
import { packLock } from '../../protocol/file-locks.js';
import type { RemotePath } from '../../protocol/ids.js';
import { METHODS, type MethodName, type Params } from '../../protocol/methods.js';
import type { FileRef } from '../../protocol/references.js';
import type { Xattr } from '../../protocol/xattrs.js';
import { lseek } from '../../posix/files.js';
import { S_IFLNK, S_IFMT, SEEK_DATA, SEEK_HOLE } from '../../posix/flags.js';
import { readlinkat } from '../../posix/names.js';
import type { Status } from '../../posix/status.js';
import type { Call } from './calls/call.js';
import { copyOf } from './calls/copies.js';
import { Download } from './transfers/downloads.js';
import { requireRegular } from './files/file-access.js';
import type { HomeClient } from './home-client.js';
import { isUnlock } from './home-locks.js';
import type { Prepared } from './leases/lease-waits.js';
import type { Touch } from './leases/lease-table.js';
import type { Located } from './disk/located.js';
import { readOnWay } from './leases/path-units.js';
import { keepLent, readDuplicate, readIfCached, type Lent } from './transfers/reading.js';
import { spaceOf } from './quota/space.js';
import { unitOfFile } from './leases/units.js';
import type { UserHome } from './user-home.js';
import type { WholeFile } from './whole-uploads.js';

/** Methods of a session that is logged in. */
export type HomeMethod = Exclude<MethodName, 'login' | 'ping' | 'logout'>;

/** The result as it travels; Lent: file data, to be released once it is sealed. */
export type Answer = unknown[] | Buffer | number | null | LentData;
type Work = Answer | Promise<Answer>;

export class LentData {
  constructor(readonly lent: Lent) {}
}

type Touching<M extends MethodName> = (
  home: UserHome,
  client: HomeClient,
  params: Params<M>,
  call: Call,
) => Prepared<Work>;

type Immediate<M extends MethodName> = (
  home: UserHome,
  client: HomeClient,
  params: Params<M>,
  call: Call,
) => Work;

const TOUCHING = {
  lookup(home, client, [directory, name]) {
    const look = lookup(home, client, directory, name);
    return {
      touches: look.touches,
      run() {
        const located = look.located();
        return [home.telling.attributesOf(located), targetOf(located)];
      },
    };
  },
  getattr(home, client, [file]) {
    const look = find(home, client, file);
    return { touches: look.touches, run: () => home.telling.attributesOf(look.located()) };
  },
  readlink(home, client, [file]) {
    const look = find(home, client, file);
    return {
      touches: look.touches,
      run() {
        const target = targetOf(look.located());
        if (target === null) throw new Failure('EINVAL', 'not a symbolic link');
        return target;
      },
    };
  },
  list(home, client, [directory, entries], call) {
    const ref = client.provisional.ref(directory);
    return {
      touches: readingDirectory(home, ref),
      run: () => home.listings.list(client, ref, entries, call),
    };
  },
  listNext(home, client, [number, position], call) {
    const { cursor } = client.handles.ofKind(number, 'cursor');
    return {
      touches: [{ unit: cursor.ino, write: false }],
      run: () => home.listings.next(client, number, position, call),
    };
  },
  read(home, client, [file, offset, length], call) {
    // Who has all need not be asked where a file is.
    const look = home.leases.holdsAll(client) ? undefined : find(home, client, file);
    return {
      touches: look?.touches ?? [],
      run() {
        look?.located();
        const ref = client.provisional.ref(file);
        const cached = readIfCached(home.identities.readable(ref).fd, offset, length);
        if (cached !== undefined) return new LentData(cached);
        const kept = copyOf(ref) as FileRef;
        const read = () => readDuplicate(home.identities.readable(kept).fd, offset, length);
        return call.backlog.hold(length, read).then((lent) => new LentData(lent));
      },
    };
  },
  seek(home, client, [file, offset, hole]) {
    const look = find(home, client, file);
    return {
      touches: look.touches,
      run() {
        look.located();
        const { fd } = home.identities.readable(client.provisional.ref(file));
        return lseek(fd, offset, hole ? SEEK_HOLE : SEEK_DATA);
      },
    };
  },
  // Only a home that has just been started keeps it waiting.
  fetch: (home, client, [files, bytes], call) => ({
    touches: [],
    run: () => home.fetching.fetch(client, files, bytes, call),
  }),
  xattrs(home, client, [[file, ...others], bytes]) {
    if (file === undefined) throw new Failure('EINVAL', 'no file');
    const look = find(home, client, file);
    return {
      touches: look.touches,
      run: () => home.xattrs.ofFiles(client, look.located(), others, bytes),
    };
  },
  xattr(home, client, [file, name]) {
    const look = find(home, client, file);
    return { touches: look.touches, run: () => home.xattrs.value(look.located(), name) };
  },
  hold(home, client, [file]) {
    const look = find(home, client, file);
    return {
      touches: look.touches,
      run() {
        const located = look.located();
        client.held.hold(located, client.grant.awaited);
        return home.telling.attributesOf(located);
      },
    };
  },
  lock(home, client, [file, owner, kind, lock, wait], call) {
    const asked = { owner, kind, lock };
    // Who gives back waits for nobody.
    if (isUnlock(lock)) {
      return { touches: [], run: () => home.locks.unlock(client, client.provisional.ref(file), asked) };
    }
    const look = find(home, client, file);
    return {
      touches: look.touches,
      run: () => home.locks.lock(client, look.located(), asked, wait, call),
    };
  },
  getLock(home, client, [file, owner, lock]) {
    const look = find(home, client, file);
    return {
      touches: look.touches,
      run() {
        const found = home.locks.find(client, look.located(), owner, lock);
        return found === null ? null : packLock(found);
      },
    };
  },
  change: (home, client, [number, operation, data]) => home.changes.prepare(client, number, operation, data),
  uploadBegin(home, client, [path, size, mode, sec, nsec, fingerprint], call) {
    if ((size === null) !== (fingerprint === null)) {
      throw new Failure('EINVAL', 'a stream has neither size nor fingerprint, a file has both');
    }
    const isStream = size === null || fingerprint === null;
    const target = {
      path: Buffer.from(path) as unknown as RemotePath,
      mode,
      mtime: { sec, nsec },
      source: isStream ? undefined : { size, fingerprint: Buffer.from(fingerprint) },
    };
    return {
      touches: readOnWay(home.identities, { path, ino: null }),
      run: () => home.uploads.begin(client, target, call),
    };
  },
  download(home, client, [path]) {
    const look = find(home, client, { path, ino: null });
    return {
      touches: look.touches,
      run() {
        client.handles.requireRoom();
        const located = look.located();
        requireRegular(home.owners.told(located));
        const file = home.held.keep(located);
        const download = new Download(file, path.toString(), located.status, home.digests);
        return [client.handles.add({ kind: 'download', download }), home.telling.attributesOf(located)];
      },
    };
  },
  trashRestore: (home, _, [id, path]) => home.restoring.prepare(id, path),
  trashRemove: (home, _, [id]) => ({
    touches: [],
    run() {
      home.trash.remove(id);
      return null;
    },
  }),
} satisfies { readonly [M in HomeMethod]?: Touching<M> };

const IMMEDIATE = {
  statfs: ({ tree, quota, soft }) => spaceOf(tree, quota, soft),
  apply: (home, client, [first, operations, data]) => home.log.apply(client, first, operations, data),
  sync: (home, client) => home.sync(client),
  grant: (home, client, asked, call) => home.room.grant(client, asked, call),
  returned(home, client, [items]) {
    home.waits.returned(client, items);
    return null;
  },
  relock: (home, client, [file, owner, kind, locks]) =>
    home.locks.relock(client, client.provisional.ref(file), owner, kind, locks),
  close(home, client, [number]) {
    home.closeHandle(client.handles.take(number));
    return null;
  },
  uploadWrite: (_, client, [number, offset, data], call) =>
    client.handles.ofKind(number, 'upload').upload.write(offset, data, call),
  uploadHole: (_, client, [number, offset, length], call) =>
    client.handles.ofKind(number, 'upload').upload.write(offset, { length }, call),
  uploadFinish: (home, client, [number, md5, xattrs], call) =>
    home.uploads.finish(client, number, { md5: Buffer.from(md5), xattrs: copyOfXattrs(xattrs) }, call),
  uploadFiles: (home, client, [files, data], call) =>
    home.wholeUploads.upload(client, files.map(wholeFile), Buffer.from(data), call),
  async uploadAbort(_, client, [number]) {
    const { upload } = client.handles.ofKind(number, 'upload');
    await upload.abort();
    client.handles.forget(number);
    return null;
  },
  uploads: (home, _, [after]) => home.uploads.page(after),
  async uploadRemove(home, _, [id]) {
    await home.uploads.remove(id);
    return null;
  },
  trash: (home, _, [from]) => home.trash.page(from),
  async trashEmpty(home) {
    await home.trash.empty();
    return null;
  },
  downloadRead(_, client, [number, offset, length], call) {
    const data = client.handles.ofKind(number, 'download').download.read(offset, length, call);
    return data instanceof Promise ? data.then((lent) => new LentData(lent)) : new LentData(data);
  },
  downloadRuns: (_, client, [number, offset]) =>
    client.handles.ofKind(number, 'download').download.runsFrom(offset),
  async digest({ transferLog }, client, [number], call) {
    const { download } = client.handles.ofKind(number, 'download');
    const md5 = await download.digest(call);
    const { path, size: bytes, startedAt } = download;
    const ms = Date.now() - startedAt;
    const moved = download.wasRead ? 'download' : 'md5';
    transferLog.info({ user: client.user, path, bytes, md5: md5.toString('hex'), ms }, moved);
    return md5;
  },
} satisfies { readonly [M in HomeMethod]?: Immediate<M> };

type ImmediateMethod = keyof typeof IMMEDIATE;

/** Answers a call: at once, or when what stands in its way is gone. `params` as the row of METHODS yields them. */
export function answer(
  home: UserHome,
  client: HomeClient,
  method: HomeMethod,
  params: unknown,
  call: Call,
): Work {
  call.throwIfCancelled();
  if (client.isReadOnly && METHODS[method].changes(params as never)) {
    throw new Failure('EROFS', 'you may only read here');
  }
  // Each row takes what the same row of METHODS yields.
  if (isImmediate(method)) {
    const run = IMMEDIATE[method] as Immediate<MethodName>;
    return run(home, client, params as never, call);
  }
  const prepare = TOUCHING[method] as Touching<MethodName>;
  let kept: unknown;
  return home.waits.run<Work>({
    client,
    call,
    prepare() {
      if (kept === undefined) return prepare(home, client, params as never, call);
      const { touches, run } = prepare(home, client, kept as never, call);
      return { touches, run: () => outlivingTurn(run()) };
    },
    keep: () => {
      kept = copyOf(params);
    },
  });
}

/** Of a request that waited: the answer is sent when others, which waited too, have run. */
function outlivingTurn(answer: Work): Work {
  return answer instanceof LentData ? new LentData(keepLent(answer.lent)) : answer;
}

function isImmediate(method: HomeMethod): method is ImmediateMethod {
  return Object.hasOwn(IMMEDIATE, method);
}

type WireFile = Params<'uploadFiles'>[0][number];

/** A file of an upload, with bytes of its own. */
function wholeFile([path, size, mode, sec, nsec, md5, xattrs]: WireFile): WholeFile {
  const own = Buffer.from(path) as unknown as RemotePath;
  const mtime = { sec, nsec };
  return { path: own, size, mode, mtime, md5: Buffer.from(md5), xattrs: copyOfXattrs(xattrs) };
}

function copyOfXattrs(xattrs: readonly Xattr[]): Xattr[] {
  return xattrs.map(([name, value]) => [Buffer.from(name), Buffer.from(value)]);
}

/** A file that was looked for: what was read for that, and where it is. */
interface Look {
  readonly touches: Touch[];
  /** Throws what was met instead. */
  located(): Located;
}

function find(home: UserHome, client: HomeClient, file: FileRef): Look {
  const ref = client.provisional.ref(file);
  return look(readOnWay(home.identities, ref), () => home.identities.file(ref));
}

function lookup(home: UserHome, client: HomeClient, directory: FileRef, name: Buffer): Look {
  const ref = client.provisional.ref(directory);
  return look(readingDirectory(home, ref), () => home.identities.lookup(ref, name));
}

function look(touches: Touch[], locate: () => Located): Look {
  try {
    const found = locate();
    return { touches: [...touches, { unit: unitOfFile(found), write: false }], located: () => found };
  } catch (error) {
    return {
      touches,
      located: () => {
        throw error;
      },
    };
  }
}

/** Reading the names of a directory. */
function readingDirectory(home: UserHome, ref: FileRef): Touch[] {
  const touches = readOnWay(home.identities, ref);
  try {
    touches.push({ unit: home.identities.directoryOf(ref).ino, write: false });
  } catch {
    // Who reads it meets the same.
  }
  return touches;
}

function targetOf(located: Located): Buffer | null {
  if (!isSymlink(located.status)) return null;
  return 'fd' in located
    ? readlinkat(located.fd, Buffer.alloc(0))
    : readlinkat(located.directory, located.name);
}

function isSymlink({ mode }: Status): boolean {
  return (mode & S_IFMT) === S_IFLNK;
}
