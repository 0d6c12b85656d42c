/**
 * The one table of methods and notifications: name, parameters, result, and what the two ends need to know of each.
 * Dispatch (daemon), calls (protocol/session/client) and protocol.md all follow it; nothing else lists methods.
 *
 * File data is always the last element of the parameters or the whole result: so it is sealed from, and handed over
 * in, the buffer where it already is.
 */
import { attributes, nanoseconds, permissions, seconds } from './attributes.js';
import { fileLock, lockKind } from './file-locks.js';
import {
  MAX_DATA,
  MAX_FETCH,
  MAX_HELD,
  MAX_GRANTED_INODES,
  MAX_LEASE_ITEMS,
  MAX_LEASE_TERM_MS,
  MAX_LOCKS,
  MAX_OPERATIONS,
  MAX_PAGE_ENTRIES,
  MAX_PAGE_TRASH,
  MAX_PAGE_UPLOADS,
  MAX_PASSWORD,
  MAX_RUNS,
  MAX_SHARES,
  MAX_TARGET,
  MAX_TEXT,
  MAX_TRASH_ID,
  MAX_TRASH_POSITION,
  MAX_UPLOAD_FILES,
  MAX_USER_NAME,
  MAX_XATTRS,
  MIN_LEASE_TERM_MS,
  POSITION_BYTES,
} from './limits.js';
import { operation, RELEASE, type Operation } from './operations.js';
import { fileRef, realId } from './references.js';
import {
  bool,
  bytes,
  handle,
  int,
  list,
  name,
  nil,
  optional,
  path,
  size,
  text,
  tuple,
  u32,
  u64,
  type Shape,
  type Shaped,
} from './shape.js';
import { share } from './shares.js';
import { diskLimits } from './disk-limits.js';
import { xattrName, xattrsToGive, xattrValue } from './xattrs.js';

/** What a client wants to be leased (`login`) and what a lease of a unit allows (`lease`, `recall`, `returned`). */
export const LEASE_NONE = 0;
/** What the server said may be believed until it is recalled. */
export const LEASE_READ = 1;
/** Nobody else believes or changes anything: the client may change, and tell the server later. */
export const LEASE_WRITE = 2;
/** A mode of a lease: LEASE_NONE, LEASE_READ, LEASE_WRITE. */
export type LeaseMode = typeof LEASE_NONE | typeof LEASE_READ | typeof LEASE_WRITE;
const leaseMode = int(LEASE_NONE, LEASE_WRITE) as Shape<LeaseMode>;

/** For how long leases are good without a word (milliseconds). */
const leaseTerm = int(MIN_LEASE_TERM_MS, MAX_LEASE_TERM_MS);

/** The unit that stands for all of a home that no other unit in the server's table covers. */
export const WHOLE_HOME = 0n;

/** [name, value or nil: there is more of it than is told here] */
const xattr = tuple(xattrName, optional(xattrValue));
const md5 = bytes(16, 16);
/** Numbers of operations count up from 1. */
const operationNumber = int(0, Number.MAX_SAFE_INTEGER);
/** [name, attributes, the target of a symbolic link or nil] */
const entry = tuple(name, attributes, optional(bytes(MAX_TARGET)));
/** The positions behind the entries of a page, in order, 64 bits each, big-endian. */
const positions = bytes(POSITION_BYTES * MAX_PAGE_ENTRIES);
/** [attributes of the directory, entries, cursor of the next page or nil at the end] */
const listing = tuple(attributes, list(entry, MAX_PAGE_ENTRIES), optional(handle));
/**
 * [id, path where the file will appear or nil: not known, size of the whole file or nil: not known, bytes that are there, seconds
 * since the last of them came, seconds until it is removed, whether a client that is connected has it open]
 */
const partialUpload = tuple(name, optional(path), optional(size), size, u32, u32, bool);
/** An item of the trash: for this server alone to read. */
const trashId = bytes(MAX_TRASH_ID, 1);
/** Where a page of the trash begins: for this server alone to read. */
const trashPosition = bytes(MAX_TRASH_POSITION, 1);
/** [id, path where it was or nil: not known, st_mode, bytes, when it was removed: sec, nsec] */
const trashItem = tuple(trashId, optional(path), u32, size, seconds, nanoseconds);
/** [error name, text] */
const error = tuple(text(64), text(MAX_TEXT));
/**
 * [number of the operation, error or nil, attributes that it left]: for operations that failed, and for those that made a
 * file whose id the client could not know.
 */
const outcome = tuple(operationNumber, optional(error), list(attributes, 2));
/** [unit: the inode number of a directory, or of a file with several names; or WHOLE_HOME, mode] */
const leaseItem = tuple(u64, leaseMode);

interface Method<P, R> {
  readonly params: Shape<P>;
  readonly result: Shape<R>;
  /** May be called before login; every other method then is a protocol fault. */
  readonly beforeLogin: boolean;
  /** Whether it changes something, with these parameters: then it is EROFS where the home may only be read. */
  readonly changes: (params: P) => boolean;
}

function method<P, R>(params: Shape<P>, result: Shape<R>): Method<P, R> {
  return { params, result, beforeLogin: false, changes: () => false };
}

function changing<P, R>(
  params: Shape<P>,
  result: Shape<R>,
  changes: Method<P, R>['changes'] = () => true,
): Method<P, R> {
  return { params, result, beforeLogin: false, changes };
}

/** What a client held is let go by an operation, too. */
function isChange({ kind }: Operation): boolean {
  return kind !== RELEASE;
}

export const METHODS = {
  /**
   * (user, password or nil, client id, lease wanted, program and version, share or nil: the user's own home)
   * -> (server version, boot verifier, resumed, root attributes, applied, leased, covered, term, limits of the disk, limit of open
   * files, shares of the user; of a session of a share: that one).
   * Without a password the client's static key must be one of the user's: ENOKEY asks for a password.
   * EKEYREJECTED: wrong user or password. EKEYEXPIRED: the account has expired. EAGAIN: too many wrong ones. EUSERS: the queue is full. EBUSY: too many sessions of this user.
   * `resumed`: the client is known: its handles and held files are there. `applied`: the last operation of its log that
   * was carried out, and need not be sent again. `leased`: the leases that it had are still its own. `covered`: what is
   * left of its log is taken, as it was made under leases that nobody else has had. `term`: for how long
   * leases are good without a word (milliseconds). The limits are those of the disk.
   */
  login: {
    params: tuple(
      text(MAX_USER_NAME),
      optional(text(MAX_PASSWORD)),
      bytes(16, 16),
      leaseMode,
      text(MAX_TEXT),
      optional(text(MAX_USER_NAME)),
    ),
    result: tuple(
      text(MAX_TEXT),
      bytes(8, 8),
      bool,
      attributes,
      operationNumber,
      bool,
      bool,
      leaseTerm,
      diskLimits,
      int(1, MAX_HELD),
      list(share, MAX_SHARES),
    ),
    beforeLogin: true,
    changes: () => false,
  } satisfies Method<unknown, unknown>,
  /** Keepalive. */
  ping: { params: tuple(), result: nil, beforeLogin: true, changes: () => false } satisfies Method<
    unknown,
    unknown
  >,
  /** Ends the client in order: its handles, held files, leases and grants go at once. */
  logout: method(tuple(), nil),

  /** (directory, name) -> attributes, and the target of a symbolic link. ENOENT, ENOTDIR. */
  lookup: method(tuple(fileRef, name), tuple(attributes, optional(bytes(MAX_TARGET)))),
  /** (file) -> attributes; of a symlink itself; also of a file that is held and has no name. */
  getattr: method(tuple(fileRef), attributes),
  readlink: method(tuple(fileRef), bytes(MAX_TARGET)),
  /**
   * (directory, entries) -> listings: the directory's own first, then, while there is room for `entries` entries in all,
   * whole listings of the directories below it, breadth first. None at all for 0: only a cursor.
   */
  list: method(tuple(fileRef, int(0, MAX_PAGE_ENTRIES)), list(listing, MAX_PAGE_ENTRIES)),
  /**
   * (cursor, position or nil: where the last page ended) -> the page of a listing from there on: entries, cursor, positions.
   * The cursor is closed by the server with the last page, else by `close`.
   */
  listNext: method(
    tuple(handle, optional(u64)),
    tuple(list(entry, MAX_PAGE_ENTRIES), optional(handle), optional(positions)),
  ),
  /** (file, offset, length) -> data; shorter only at the end of the file. Only regular files: EISDIR, ELOOP, ENXIO. */
  read: method(tuple(fileRef, size, int(0, MAX_DATA)), bytes(MAX_DATA)),
  /** (file, offset, hole) -> where from there on the next data, or the next hole, begin. ENXIO: there are none. */
  seek: method(tuple(fileRef, size, bool), size),
  /**
   * (files, bytes) -> [attributes, data] or nil for each, in the order asked for: whole regular files while `bytes` are not
   * used up, nil for what is no regular file, does not fit, or is gone.
   */
  fetch: method(
    tuple(list(fileRef, MAX_FETCH), int(0, MAX_DATA)),
    list(optional(tuple(attributes, bytes(MAX_DATA))), MAX_FETCH),
  ),
  /**
   * (files, bytes) -> the extended attributes of each in the order asked for; of the first one as they are when nobody else
   * has it for writing, of the others nil where that is not so, or one is gone. Values of a file that come to more than
   * MAX_XATTRS_TOLD, do not fit `bytes`, or are too many to be read at once, are not told.
   */
  xattrs: method(
    tuple(list(fileRef, MAX_FETCH), int(0, MAX_DATA)),
    list(optional(list(xattr, MAX_XATTRS)), MAX_FETCH),
  ),
  /** (file, name) -> the value of one extended attribute. ENODATA. */
  xattr: method(tuple(fileRef, xattrName), xattrValue),
  /** (file) -> attributes: the file is kept for this client until a RELEASE, whatever happens to its names. Counted. */
  hold: method(tuple(fileRef), attributes),
  /**
   * -> (block size, bytes: limit, used, free on disk; inodes: limit, used, free on disk; soft limit of bytes, seconds of grace
   * that are left, or nil: the use is within the soft limit; bytes and inodes in the trash). Limit 0: none. What is in the trash is
   * not used: it goes when there is need.
   */
  statfs: method(tuple(), tuple(u32, size, size, size, size, size, size, size, optional(size), size, size)),

  /**
   * (number of the first operation, operations, data of the last one if it is a WRITE without)
   * -> (applied, durable, bytes and files left of the client's grant, outcomes). Carried out in order, at once, and once:
   * those up to `applied` are passed over. Of units that are leased to the client for writing; else ESTALE and nothing is
   * done from that operation on, as with an id that the server has forgotten: it is sent again with a hint. Where the first
   * number is not the one after `applied`, nothing is done and the answer says what is.
   */
  apply: changing(
    tuple(operationNumber, list(operation, MAX_OPERATIONS), optional(bytes(MAX_DATA))),
    tuple(operationNumber, operationNumber, size, size, list(outcome, MAX_OPERATIONS + 1)),
    ([, operations]) => operations.some(isChange),
  ),
  /**
   * (number of the change, operation, its data if it is a WRITE without) -> attributes that it left: of the file, and where
   * a name was made or removed, of the directory; none for RELEASE; of an append, also with the size where it began. One
   * operation, awaited: it waits until those who have a lease of what it touches have given it back. A number that was
   * carried out before is not carried out again.
   */
  change: changing(
    tuple(operationNumber, operation, optional(bytes(MAX_DATA))),
    list(attributes, 4),
    ([, one]) => isChange(one),
  ),
  /** (number) -> durable: all operations of the log up to this one, and all changes answered, are on the disk. */
  sync: method(tuple(operationNumber), operationNumber),
  /**
   * (bytes, files, regular files, directories, needed bytes, needed files, ids received) -> (bytes, files, ids of regular files,
   * ids of directories): room in the quota and inode numbers given ahead, as far as there are some. What is needed of the
   * bytes and files is got back from others first. A negative number gives back.
   */
  grant: changing(
    tuple(
      int(-Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
      int(-Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
      int(0, MAX_GRANTED_INODES),
      int(0, MAX_GRANTED_INODES),
      optional(size),
      optional(size),
      optional(size),
    ),
    tuple(size, size, list(realId, MAX_GRANTED_INODES), list(realId, MAX_GRANTED_INODES)),
  ),
  /** (leases): the client has sent all that it did under them, and holds no more than this from now on. */
  returned: method(tuple(list(leaseItem, MAX_LEASE_ITEMS)), nil),
  /**
   * (file, owner, kind, lock, whether to wait) -> nil: takes a lock of a regular file, or gives it back. An owner is a number of
   * the client's own. EAGAIN: others are in the way. EDEADLK, ENOLCK.
   */
  lock: method(tuple(fileRef, u64, lockKind, fileLock, bool), nil),
  /** (file, owner, lock) -> a POSIX lock of another owner that is in its way, or nil. */
  getLock: method(tuple(fileRef, u64, fileLock), optional(fileLock)),
  /**
   * (file, owner, kind, locks): the owner has exactly these, as the client decided itself under its lease, or as they were
   * before its connection was lost. ENOLCK: others may have had them meanwhile. EAGAIN: others have them.
   */
  relock: method(tuple(fileRef, u64, lockKind, list(fileLock, MAX_LOCKS)), nil),
  /** (handle): of any kind. */
  close: method(tuple(handle), nil),

  /**
   * (path, size, permissions, mtime sec, nsec, fingerprint of the source) -> (handle, offset to go on from, whether a
   * partial upload of another source was thrown away). The partial file of the same fingerprint is continued.
   * Of a stream size and fingerprint are nil: nothing of it is kept when it breaks off.
   */
  uploadBegin: changing(
    tuple(path, optional(size), permissions, seconds, nanoseconds, optional(bytes(32, 32))),
    tuple(handle, size, bool),
  ),
  /** (handle, offset, data): offset is where the last one ended. Answered when written and hashed. */
  uploadWrite: changing(tuple(handle, size, bytes(MAX_DATA, 1)), nil),
  /** (handle, offset, length): as `uploadWrite` of so many zeros, which become a hole. */
  uploadHole: changing(tuple(handle, size, int(1, MAX_DATA)), nil),
  /**
   * (handle, MD5, extended attributes) -> attributes of the file, now under its name. EBADMSG: size or MD5 differ, all thrown
   * away. Where the disk does not take its extended attributes the upload is still open.
   */
  uploadFinish: changing(tuple(handle, md5, xattrsToGive), attributes),
  /**
   * ([path, size, permissions, mtime sec, nsec, MD5, extended attributes] of each, the data of one after the other) -> nil or
   * an error for each: whole small files, all of which are on the disk under their names when it is answered.
   */
  uploadFiles: changing(
    tuple(
      list(
        tuple(path, int(0, MAX_DATA), permissions, seconds, nanoseconds, md5, xattrsToGive),
        MAX_UPLOAD_FILES,
      ),
      bytes(MAX_DATA),
    ),
    list(optional(error), MAX_UPLOAD_FILES),
  ),
  /** (handle): gives up and throws the partial file away (`close` keeps that of a file). */
  uploadAbort: changing(tuple(handle), nil),
  /** (id or nil: from the first on) -> the partial uploads behind that id, in the order of their ids; none: there are no more. */
  uploads: method(tuple(optional(name)), list(partialUpload, MAX_PAGE_UPLOADS)),
  /** (id): throws a partial upload away. ENOENT. EBUSY: a client that is connected has it open. */
  uploadRemove: changing(tuple(name), nil),
  /**
   * (position or nil: from the first on) -> (items of the trash, position of the next page or nil: there is none), those removed
   * first before the others, but for what was removed within ten minutes.
   */
  trash: method(
    tuple(optional(trashPosition)),
    tuple(list(trashItem, MAX_PAGE_TRASH), optional(trashPosition)),
  ),
  /** (id, path) -> attributes: the file has this name, and is no item of the trash any more. ENOENT, EEXIST. */
  trashRestore: changing(tuple(trashId, path), attributes),
  /** (id): removes an item of the trash for good. ENOENT. */
  trashRemove: changing(tuple(trashId), nil),
  /** Removes all items of the trash for good. */
  trashEmpty: changing(tuple(), nil),
  /** (path) -> (handle, attributes): a file as it is now, to be read in order and hashed on the way. */
  download: method(tuple(path), tuple(handle, attributes)),
  /** (handle of a download, offset, length) -> data; shorter only at the end of the file. */
  downloadRead: method(tuple(handle, size, int(0, MAX_DATA)), bytes(MAX_DATA)),
  /**
   * (handle of a download, offset) -> (until, ends): from the offset on until there are, in turns, a hole up to the first of
   * these ends, data up to the second, and so on; a hole is behind the last. A hole may be empty.
   */
  downloadRuns: method(tuple(handle, size), tuple(size, list(size, 2 * MAX_RUNS))),
  /** (handle of a download) -> MD5 of the whole file. ESTALE: it changed meanwhile. */
  digest: method(tuple(handle), md5),
} as const;

export const NOTIFICATIONS = {
  /** Client: the answer of this call is not wanted any more; it is still answered, with ECANCELED if it was stopped. */
  cancel: { params: tuple(u32) },
  /** Server, before the answer of login: the place in the queue, 1 is next. */
  queued: { params: tuple(u32) },
  /** Server: from now on the client holds these leases. */
  lease: { params: tuple(list(leaseItem, MAX_LEASE_ITEMS)) },
  /** Server: others wait for these leases to be given back, down to the mode given. Answered by `returned`. */
  recall: { params: tuple(list(leaseItem, MAX_LEASE_ITEMS)) },
  /** Server: all operations of the log up to this one are on the disk. */
  durable: { params: tuple(operationNumber) },
  /** Server: what was given ahead and is not needed is to be given back. Answered by a `grant` that asks for nothing. */
  ungrant: { params: tuple() },
  /** Server: (bytes used, soft limit of bytes, seconds of grace that are left, or nil: the use is within it again). */
  softLimit: { params: tuple(size, size, optional(size)) },
  /** Server, in a session of the user's own home: these are the user's shares from now on. */
  shares: { params: tuple(list(share, MAX_SHARES)) },
  /** Server: it lives, and reads nothing for now, as requests of the client wait. */
  busy: { params: tuple() },
  /** Server: it closes the connection soon: (reason, whether connecting again makes sense). */
  shutdown: { params: tuple(text(MAX_TEXT), bool) },
} as const;

export type MethodName = keyof typeof METHODS;
export type Params<M extends MethodName> = Shaped<(typeof METHODS)[M]['params']>;
export type Result<M extends MethodName> = Shaped<(typeof METHODS)[M]['result']>;
export type NotificationName = keyof typeof NOTIFICATIONS;
export type NotificationParams<N extends NotificationName> = Shaped<(typeof NOTIFICATIONS)[N]['params']>;
/** One lease, as `lease`, `recall` and `returned` list them. */
export type LeaseItem = Shaped<typeof leaseItem>;

export function isMethodName(text: unknown): text is MethodName {
  return typeof text === 'string' && Object.hasOwn(METHODS, text);
}

export function isNotificationName(text: unknown): text is NotificationName {
  return typeof text === 'string' && Object.hasOwn(NOTIFICATIONS, text);
}
