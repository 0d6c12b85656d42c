/**
 * The one table of methods and notifications: name, parameters, result, and what the two ends need to know of each.
 * Dispatch (daemon), calls (protocol/client) and protocol.md all follow it; nothing else lists methods.
 *
 * File data is always the last element of the parameters or the whole result: so it is sealed from, and handed over
 * in, the buffer where it already is.
 */
import { attributes, changes } from './attributes.js';
import { checkName } from './ids.js';
import {
  MAX_CHANGES,
  MAX_DATA,
  MAX_NAME,
  MAX_PAGE_ENTRIES,
  MAX_PASSWORD,
  MAX_PATH,
  MAX_PREFETCH,
  MAX_TEXT,
  MAX_USER_NAME,
} from './limits.js';
import {
  bool,
  bytes,
  handle,
  int,
  list,
  literal,
  nil,
  optional,
  path,
  size,
  text,
  tuple,
  u32,
  u64,
  variant,
  type Shape,
  type Shaped,
} from './shape.js';

/** How `open` and `create` open a file; bits of a mask. READ or WRITE or both. */
export const OPEN_READ = 1;
export const OPEN_WRITE = 2;
/** Every write goes to the end, wherever that is. */
export const OPEN_APPEND = 4;
export const OPEN_TRUNCATE = 8;
/** Only for `create`: the name must not exist. */
export const OPEN_EXCLUSIVE = 16;
const openFlags = int(1, 31);

/** Flags of `rename`, as renameat2(2). */
export const RENAME_NOREPLACE = 1;
export const RENAME_EXCHANGE = 2;

const anyName = bytes(MAX_NAME, 1);
const permissions = int(0, 0o7777);
const mode = int(0, 0o177777);
/** One name of a directory: what a hostile server lists, a client may join to a path of its own. */
const name: Shape<Buffer> = (value) => {
  const named = anyName(value);
  checkName(named);
  return named;
};
const seconds = int(-(2 ** 53) + 1, 2 ** 53 - 1);
const nanoseconds = int(0, 999_999_999);
const md5 = bytes(16, 16);
/** [name, attributes] */
const entry = tuple(name, attributes);
/** Entries, and the cursor of the next page: nil at the end. */
const page = tuple(list(entry, MAX_PAGE_ENTRIES), optional(handle));
/** [handle, attributes] */
const opened = tuple(handle, attributes);

interface Method<P, R> {
  readonly params: Shape<P>;
  readonly result: Shape<R>;
  /** May be called before login; every other method then is a protocol fault. */
  readonly beforeLogin: boolean;
  /** Changes the home: its answer is kept for a client that asks again after a lost connection. */
  readonly mutates: boolean;
}

function reads<P, R>(params: Shape<P>, result: Shape<R>): Method<P, R> {
  return { params, result, beforeLogin: false, mutates: false };
}

function changesHome<P, R>(params: Shape<P>, result: Shape<R>): Method<P, R> {
  return { params, result, beforeLogin: false, mutates: true };
}

export const METHODS = {
  /**
   * (user, password or nil, client id, wants notifications, program and version, lowest unanswered call id)
   * -> (server version, boot verifier, resumed, root attributes). Without a password the client's static
   * key must be one of the user's: ENOKEY asks for a password. EKEYREJECTED: wrong user or password.
   * EUSERS: the queue is full. EBUSY: too many sessions of this user.
   * `resumed`: handles and answers of this client id are still there.
   */
  login: {
    params: tuple(
      text(MAX_USER_NAME),
      optional(text(MAX_PASSWORD)),
      bytes(16, 16),
      bool,
      text(MAX_TEXT),
      size,
    ),
    result: tuple(text(MAX_TEXT), bytes(8, 8), bool, attributes),
    beforeLogin: true,
    mutates: false,
  } satisfies Method<unknown, unknown>,
  /** Keepalive. */
  ping: { params: tuple(), result: nil, beforeLogin: true, mutates: false } satisfies Method<
    unknown,
    unknown
  >,

  /** (path) -> attributes; of a symlink itself. */
  getattr: reads(tuple(path), attributes),
  /** (handle) -> attributes; also of an unlinked file. */
  fgetattr: reads(tuple(handle), attributes),
  /** (path, changes) -> attributes after. EISDIR, EINVAL; EDQUOT when growing. */
  setattr: changesHome(tuple(path, changes), attributes),
  fsetattr: changesHome(tuple(handle, changes), attributes),
  /** (path) -> the directory's own attributes, entries without '.' and '..', cursor. */
  readdir: reads(tuple(path), tuple(attributes, list(entry, MAX_PAGE_ENTRIES), optional(handle))),
  /** (cursor) -> next page. The cursor is closed by the server with the last page, else by `close`. */
  readdirNext: reads(tuple(handle), page),
  readlink: reads(tuple(path), bytes(MAX_PATH)),
  /** (path, permissions) -> attributes. EDQUOT when no inode is left. So too the other makers. */
  mkdir: changesHome(tuple(path, permissions), attributes),
  /** (path, st_mode of a regular file, FIFO or socket) -> attributes; else EPERM. */
  mknod: changesHome(tuple(path, mode), attributes),
  /** (path, target) -> attributes. */
  symlink: changesHome(tuple(path, bytes(MAX_PATH, 1)), attributes),
  /** (existing path, new path) -> attributes. */
  link: changesHome(tuple(path, path), attributes),
  unlink: changesHome(tuple(path), nil),
  rmdir: changesHome(tuple(path), nil),
  /** (from, to, flags) */
  rename: changesHome(tuple(path, path, int(0, 3)), nil),

  /**
   * (path, flags, optionally a number of bytes to read along) -> (handle, attributes, data from the start of the file or
   * nil where none was asked for). Only regular files: else EISDIR, ELOOP (a symlink) or ENXIO.
   */
  open: reads(
    tuple(path, openFlags, optional(int(0, MAX_PREFETCH))),
    tuple(handle, attributes, optional(bytes(MAX_PREFETCH))),
  ),
  /** (path, flags, permissions) -> (handle, attributes); opens what exists unless OPEN_EXCLUSIVE. */
  create: changesHome(tuple(path, openFlags, permissions), opened),
  /** (handle, offset, length) -> data; shorter only at the end of the file. */
  read: reads(tuple(handle, size, int(0, MAX_DATA)), bytes(MAX_DATA)),
  /** (handle, offset, data) -> attributes after. All is written, or it fails. EDQUOT, ENOSPC. */
  write: changesHome(tuple(handle, size, bytes(MAX_DATA)), attributes),
  /** (handle, data only): what was written is on the server's disk. */
  fsync: reads(tuple(handle, bool), nil),
  /** (path of a directory): its names are on the server's disk. */
  fsyncdir: reads(tuple(path), nil),
  /** (handle): of any kind. */
  close: reads(tuple(handle), nil),

  /** -> (block size, bytes: limit, used, free on disk; inodes: limit, used, free on disk). Limit 0: none. */
  statfs: reads(tuple(), tuple(u32, size, size, size, size, size, size)),

  /**
   * (path, size, permissions, mtime sec, nsec, fingerprint of the source) -> (handle, offset to go on from, whether a
   * partial upload of another source was thrown away). The partial file of the same fingerprint is continued at a
   * multiple of CHECKPOINT_BYTES. EBUSY: another session is uploading to this path.
   */
  uploadBegin: changesHome(
    tuple(path, size, permissions, seconds, nanoseconds, bytes(32, 32)),
    tuple(handle, size, bool),
  ),
  /** (handle, offset, data): offset is where the last one ended. Answered when written and hashed. */
  uploadWrite: changesHome(tuple(handle, size, bytes(MAX_DATA, 1)), nil),
  /** (handle, MD5) -> attributes of the file, now under its name. EBADMSG: size or MD5 differ, all thrown away. */
  uploadFinish: changesHome(tuple(handle, md5), attributes),
  /** (handle): gives up and throws the partial file away (`close` keeps it). */
  uploadAbort: changesHome(tuple(handle), nil),
  /** (path) -> (handle, attributes) as `open` for reading; sequential reads are hashed as they go. */
  download: reads(tuple(path), opened),
  /** (handle of a download) -> MD5 of the whole file. ESTALE: it changed meanwhile. */
  digest: reads(tuple(handle), md5),
} as const;

/** Kinds of items of a `changed` notification. */
export const CHANGED_NAME = 0;
export const CHANGED_NODE = 1;
export const CHANGED_RENAME = 2;
/** The server lost track: everything may have changed. */
export const CHANGED_ALL = 3;

const change = variant({
  /** A name was added, removed or replaced: (directory, name). */
  [CHANGED_NAME]: tuple(literal(CHANGED_NAME), path, name),
  /** Attributes or data of a file changed: (inode number, path by which it was changed or nil). */
  [CHANGED_NODE]: tuple(literal(CHANGED_NODE), u64, optional(path)),
  /** (directory, name, new directory, new name, exchanged) */
  [CHANGED_RENAME]: tuple(literal(CHANGED_RENAME), path, name, path, name, bool),
  [CHANGED_ALL]: tuple(literal(CHANGED_ALL)),
});

export const NOTIFICATIONS = {
  /** Client: the answer of this call is not wanted any more; it is still answered, with ECANCELED if it was stopped. */
  cancel: { params: tuple(u32) },
  /** Server, before the answer of login: the place in the queue, 1 is next. */
  queued: { params: tuple(u32) },
  /** Server: what other sessions of this user changed; sent before that change is answered. */
  changed: { params: tuple(list(change, MAX_CHANGES)) },
  /** Server: it closes the connection soon: (reason, whether connecting again makes sense). */
  shutdown: { params: tuple(text(MAX_TEXT), bool) },
} as const;

export type MethodName = keyof typeof METHODS;
export type Params<M extends MethodName> = Shaped<(typeof METHODS)[M]['params']>;
export type Result<M extends MethodName> = Shaped<(typeof METHODS)[M]['result']>;
export type NotificationName = keyof typeof NOTIFICATIONS;
export type NotificationParams<N extends NotificationName> = Shaped<(typeof NOTIFICATIONS)[N]['params']>;
export type Change = NotificationParams<'changed'>[0][number];

export function isMethodName(text: unknown): text is MethodName {
  return typeof text === 'string' && Object.hasOwn(METHODS, text);
}

export function isNotificationName(text: unknown): text is NotificationName {
  return typeof text === 'string' && Object.hasOwn(NOTIFICATIONS, text);
}
