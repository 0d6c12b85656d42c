/**
 * Which operation of the file system serves which operation of the kernel. Here are also the few rules that lie
 * between the two: offsets beyond 2^53, listings that fill a reply, data that is answered from inside an operation.
 */
import { FALLOC_FL_PUNCH_HOLE, SEEK_DATA, SEEK_HOLE } from '../../posix/flags.js';
import { Failure } from '../../protocol/failure.js';
import type { HandleId } from '../../protocol/ids.js';
import type { Eventually, EntrySink, Filesystem } from '../operations.js';
import { Writer } from './cursor.js';
import type { Exchange } from './exchange.js';
import { MAX_WRITE } from './negotiate.js';
import type { OperationName, ReplyOf, RequestOf } from './opcodes.js';
import { OUT_HEADER_SIZE, writeDirent } from './structs.js';

/** Serves one request. The result is encoded by the operation's row, unless the exchange is answered by then. */
export type Handler<Name extends OperationName> = (
  filesystem: Filesystem,
  exchange: Exchange,
  request: RequestOf<Name>,
) => Eventually<ReplyOf<Name>>;

/** Operations that concern the driver or are not answered: dispatch.ts does them. */
type Unhandled = 'INIT' | 'INTERRUPT' | 'FORGET' | 'BATCH_FORGET';
export type HandledName = Exclude<OperationName, Unhandled>;

const MAX_U32 = 2 ** 32 - 1;

/** A file of the mount is below 2^53 bytes: there is nothing to read beyond, and nothing can be written. */
function checkEnd(end: number): void {
  if (end > Number.MAX_SAFE_INTEGER) throw new Failure('EFBIG');
}

export const HANDLERS: { readonly [Name in HandledName]: Handler<Name> } = {
  LOOKUP: (filesystem, exchange, name) => filesystem.lookup(exchange.header.nodeId, name, exchange),
  GETATTR: (filesystem, exchange, { handle }) => filesystem.getattr(exchange.header.nodeId, handle, exchange),
  STATX: (filesystem, exchange, { handle }) => filesystem.getattr(exchange.header.nodeId, handle, exchange),
  SETATTR: (filesystem, exchange, { handle, changes, clearSetId }) => {
    checkEnd(changes.size ?? 0);
    const setattr = () => filesystem.setattr(exchange.header.nodeId, handle, changes, exchange);
    return clearSetId ? whenCleared(filesystem, exchange, setattr) : setattr();
  },
  READLINK: (filesystem, exchange) => filesystem.readlink(exchange.header.nodeId, exchange),
  SYMLINK: (filesystem, exchange, { name, target }) =>
    filesystem.symlink(exchange.header.nodeId, name, target, exchange),
  MKNOD: (filesystem, exchange, { name, mode, umask, rdev }) =>
    filesystem.mknod(exchange.header.nodeId, name, mode, rdev, exchange.withUmask(umask)),
  MKDIR: (filesystem, exchange, { name, mode, umask }) =>
    filesystem.mkdir(exchange.header.nodeId, name, mode, exchange.withUmask(umask)),
  UNLINK: (filesystem, exchange, name) => filesystem.unlink(exchange.header.nodeId, name, exchange),
  RMDIR: (filesystem, exchange, name) => filesystem.rmdir(exchange.header.nodeId, name, exchange),
  RENAME: rename,
  RENAME2: rename,
  LINK: (filesystem, exchange, { node, newName }) =>
    filesystem.link(node, exchange.header.nodeId, newName, exchange),
  OPEN: (filesystem, exchange, { flags, clearSetId }) => {
    const open = () => filesystem.open(exchange.header.nodeId, flags, exchange);
    return clearSetId ? whenCleared(filesystem, exchange, open) : open();
  },
  CREATE: (filesystem, exchange, { name, flags, mode, umask }) =>
    filesystem.create(exchange.header.nodeId, name, flags, mode, exchange.withUmask(umask)),
  TMPFILE: (filesystem, exchange, { flags, mode, umask }) =>
    filesystem.tmpfile(exchange.header.nodeId, flags, mode, exchange.withUmask(umask)),
  READ: (filesystem, exchange, { handle, offset, size }) => {
    if (offset > Number.MAX_SAFE_INTEGER) return exchange.answerData([]);
    const reply = (pieces: readonly Buffer[]) => exchange.answerData(pieces);
    return filesystem.read(exchange.header.nodeId, handle, offset, size, reply, exchange);
  },
  WRITE: (filesystem, exchange, { handle, offset, data, fromCache, clearSetId }) => {
    checkEnd(offset + data.length);
    const write = (bytes: Buffer) =>
      filesystem.write(exchange.header.nodeId, handle, offset, bytes, fromCache, exchange);
    if (!clearSetId) return write(data);
    const cleared = filesystem.clearSetId(exchange.header.nodeId, exchange);
    if (!(cleared instanceof Promise)) return write(data);
    const copy = Buffer.from(data);
    return cleared.then(() => write(copy));
  },
  FALLOCATE: (filesystem, exchange, { handle, offset, length, mode }) => {
    // A hole never makes a file longer.
    const end = (mode & FALLOC_FL_PUNCH_HOLE) === 0 ? offset + length : offset;
    checkEnd(end);
    const within = Math.min(length, Number.MAX_SAFE_INTEGER - offset);
    return filesystem.allocate(exchange.header.nodeId, handle, mode, offset, within, exchange);
  },
  LSEEK: (filesystem, exchange, { handle, offset, whence }) => {
    if (whence !== SEEK_DATA && whence !== SEEK_HOLE) throw new Failure('EINVAL');
    if (offset > Number.MAX_SAFE_INTEGER) throw new Failure('ENXIO');
    const what = whence === SEEK_DATA ? 'data' : 'hole';
    return filesystem.seek(exchange.header.nodeId, handle, offset, what, exchange);
  },
  // The answer has 32 bits for how much was copied.
  COPY_FILE_RANGE: (filesystem, exchange, request) => copy(filesystem, exchange, request, MAX_U32),
  COPY_FILE_RANGE_64: (filesystem, exchange, request) =>
    copy(filesystem, exchange, request, Number.MAX_SAFE_INTEGER),
  FLUSH: (filesystem, exchange, { handle, lockOwner }) =>
    filesystem.flush(exchange.header.nodeId, handle, lockOwner, exchange),
  FSYNC: (filesystem, exchange, { handle, dataOnly }) =>
    filesystem.fsync(exchange.header.nodeId, handle, dataOnly, exchange),
  RELEASE: (filesystem, exchange, { handle }) => filesystem.release(exchange.header.nodeId, handle),
  GETLK: (filesystem, exchange, { handle, wanted }) =>
    filesystem.getlk(exchange.header.nodeId, handle, wanted, exchange),
  SETLK: (filesystem, exchange, { handle, wanted }) =>
    filesystem.setlk(exchange.header.nodeId, handle, wanted, false, exchange),
  SETLKW: (filesystem, exchange, { handle, wanted }) =>
    filesystem.setlk(exchange.header.nodeId, handle, wanted, true, exchange),
  OPENDIR: (filesystem, exchange) => filesystem.opendir(exchange.header.nodeId, exchange),
  READDIR: (filesystem, exchange, request) => list(filesystem, exchange, request, false),
  READDIRPLUS: (filesystem, exchange, request) => list(filesystem, exchange, request, true),
  FSYNCDIR: (filesystem, exchange, { handle }) =>
    filesystem.fsyncdir(exchange.header.nodeId, handle, exchange),
  RELEASEDIR: (filesystem, exchange, { handle }) => filesystem.releasedir(exchange.header.nodeId, handle),
  STATFS: (filesystem, exchange) => filesystem.statfs(exchange.header.nodeId, exchange),
  SETXATTR: (filesystem, exchange, { name, value, flags }) =>
    filesystem.setxattr(exchange.header.nodeId, name, value, flags, exchange),
  GETXATTR: (filesystem, exchange, { name, size }) =>
    answerUpTo(size, exchange, filesystem.getxattr(exchange.header.nodeId, name, exchange)),
  LISTXATTR: (filesystem, exchange, size) =>
    answerUpTo(size, exchange, filesystem.listxattr(exchange.header.nodeId, exchange)),
  REMOVEXATTR: (filesystem, exchange, name) => filesystem.removexattr(exchange.header.nodeId, name, exchange),
  ACCESS: (filesystem, exchange, mask) => filesystem.access(exchange.header.nodeId, mask, exchange),
};

function rename(filesystem: Filesystem, exchange: Exchange, request: RequestOf<'RENAME2'>): Eventually<void> {
  const { name, newParent, newName, flags } = request;
  return filesystem.rename(exchange.header.nodeId, name, newParent, newName, flags, exchange);
}

/** Does what takes the set-id bits of a file (FUSE_HANDLE_KILLPRIV_V2). */
function whenCleared<T>(filesystem: Filesystem, exchange: Exchange, act: () => Eventually<T>): Eventually<T> {
  const cleared = filesystem.clearSetId(exchange.header.nodeId, exchange);
  return cleared instanceof Promise ? cleared.then(act) : act();
}

/** Answers with bytes that have to fit, or, where none are asked for, with their length. ERANGE. */
function answerUpTo(size: number, exchange: Exchange, bytes: Eventually<Buffer>): Eventually<number> {
  if (bytes instanceof Promise) return bytes.then((settled) => answerUpTo(size, exchange, settled));
  if (size === 0) return bytes.length;
  if (bytes.length > size) throw new Failure('ERANGE');
  exchange.answerData([bytes]);
  return bytes.length;
}

function copy(
  filesystem: Filesystem,
  exchange: Exchange,
  request: RequestOf<'COPY_FILE_RANGE'>,
  most: number,
): Eventually<number> {
  const { handle, offset, targetHandle, targetOffset, length, flags } = request;
  if (flags !== 0) throw new Failure('EINVAL');
  if (offset > Number.MAX_SAFE_INTEGER) return 0;
  checkEnd(targetOffset + 1);
  const within = Math.min(length, most, Number.MAX_SAFE_INTEGER - Math.max(offset, targetOffset));
  return filesystem.copy(handle, offset, targetHandle, targetOffset, within, exchange);
}

/** Lists into a reply of at most `size` bytes; an empty reply is the end of the directory. */
function list(
  filesystem: Filesystem,
  exchange: Exchange,
  request: { handle: HandleId; offset: bigint; size: number },
  plus: boolean,
): Eventually<void> {
  const { handle, offset, size } = request;
  const reply = new Writer(Buffer.allocUnsafe(OUT_HEADER_SIZE + Math.min(size, MAX_WRITE)));
  reply.seek(OUT_HEADER_SIZE);
  const sink: EntrySink = plus
    ? (entry, resolved) => writeDirent(reply, entry, resolved ?? 'plus')
    : (entry) => writeDirent(reply, entry);
  const listed = filesystem.readdir(exchange.header.nodeId, handle, offset, plus, sink, exchange);
  if (listed instanceof Promise) return listed.then(() => exchange.answerMessage(reply));
  return exchange.answerMessage(reply);
}
