/**
 * Operations: the changes of a home, as they travel in `apply` and `change`.
 *
 * An operation says what it expects: the file that a name leads to, the name that is free. So it can be judged when it
 * comes a second time, after a lost connection or a restart: one whose outcome is there already was carried out. Files
 * are named by id, and names as (directory, name).
 *
 * `time` is the client's clock when its program made the change. It becomes the times that the change sets, of the directory
 * too, so that what stat(2) showed stays when the operation is carried out; nil: the server's now.
 */
import { nanoseconds, permissions, seconds, type Timestamp } from './attributes.js';
import { Failure } from './failure.js';
import { MAX_COPY, MAX_DATA, MAX_TARGET } from './limits.js';
import { ownerId, ownerOf, type Owner } from './owners.js';
import { fileId, fileRef, packId, packRef, type FileId, type FileRef } from './references.js';
import { bool, bytes, int, name, optional, size, tuple, u32, type Shape, type Shaped } from './shape.js';
import { xattrFlags, xattrName, xattrValue } from './xattrs.js';

/** Kinds of operations: the first element. */
export const CREATE = 0;
export const MKDIR = 1;
export const SYMLINK = 2;
export const LINK = 3;
export const UNLINK = 4;
export const RMDIR = 5;
export const RENAME = 6;
export const SETATTR = 7;
export const WRITE = 8;
export const RELEASE = 9;
export const SETXATTR = 10;
export const REMOVEXATTR = 11;
export const ALLOCATE = 12;
export const COPY = 13;
export const TMPFILE = 14;

/** Flags of RENAME, as renameat2(2). */
export const RENAME_NOREPLACE = 1;
export const RENAME_EXCHANGE = 2;
/** Only in `change`. */
export const RENAME_WHITEOUT = 4;

/** Modes of ALLOCATE, as fallocate(2). */
export const ALLOCATE_KEEP_SIZE = 1;
export const ALLOCATE_PUNCH_HOLE = 2;
export const ALLOCATE_ZERO_RANGE = 16;

interface Make {
  readonly directory: FileRef;
  readonly name: Buffer;
  readonly time: Timestamp | null;
}

interface MakeFile extends Make {
  /**
   * Whose it will be, where the account has virtual owners. In a log as it is; in a `change` the group is that of a directory
   * with S_ISGID. Null or missing: the directory's.
   */
  readonly owner?: Owner | null;
}

/**
 * Makes a regular file, FIFO or socket; where the account has virtual owners a device, too. `id`: one of those granted to the client, of a regular file; of others a provisional one,
 * as in Symlink; null: a new one.
 */
export interface Create extends MakeFile {
  readonly kind: typeof CREATE;
  /** st_mode: type and permissions. */
  readonly mode: number;
  readonly id: FileId | null;
  /** Number of a device; 0 or missing of anything else. */
  readonly rdev?: number;
}

/** Makes a directory. `id` as in Create. */
export interface Mkdir extends MakeFile {
  readonly kind: typeof MKDIR;
  /** Permissions. */
  readonly mode: number;
  readonly id: FileId | null;
}

/** Makes a symbolic link. Later operations of the same client may name it by `id` [0, number], until they know its own. */
export interface Symlink extends MakeFile {
  readonly kind: typeof SYMLINK;
  readonly target: Buffer;
  readonly id: FileId | null;
}

/** Gives a file one name more. */
export interface Link extends Make {
  readonly kind: typeof LINK;
  readonly file: FileRef;
}

/** Removes a name of a file that is no directory. */
export interface Unlink extends Make {
  readonly kind: typeof UNLINK;
  /** What the name leads to; null: whatever it is. */
  readonly id: FileId | null;
  /** The file is open at the client: it is held until RELEASE, also without a name. */
  readonly hold: boolean;
}

export interface Rmdir extends Make {
  readonly kind: typeof RMDIR;
  readonly id: FileId | null;
}

export interface Rename extends Make {
  readonly kind: typeof RENAME;
  /** What the name leads to; null: whatever it is. */
  readonly id: FileId | null;
  readonly newDirectory: FileRef;
  readonly newName: Buffer;
  /** What the new name leads to: null: nothing, or, where `id` is null, whatever it is. */
  readonly replaced: FileId | null;
  readonly flags: number;
  /** The replaced file is open at the client: as in Unlink. */
  readonly hold: boolean;
}

/** Changes attributes; null: as it is. */
export interface SetAttributes {
  readonly kind: typeof SETATTR;
  readonly file: FileRef;
  readonly mode: number | null;
  readonly size: number | null;
  readonly atime: Timestamp | 'now' | null;
  readonly mtime: Timestamp | 'now' | null;
  readonly time: Timestamp | null;
  /** Whose it is from now on, where the account has virtual owners; null or missing: as it is. */
  readonly uid?: number | null;
  readonly gid?: number | null;
}

/** Writes data; all of it, or what fits and a failure. */
export interface Write {
  readonly kind: typeof WRITE;
  readonly file: FileRef;
  /** null: at the end of the file (only in `change`). */
  readonly offset: number | null;
  /** May be the last parameter of the whole request, and is then null here. */
  readonly data: Buffer | null;
  readonly time: Timestamp | null;
}

/** A file that was held is not open at the client any more. */
export interface Release {
  readonly kind: typeof RELEASE;
  readonly id: FileId;
}

/** Sets an extended attribute of a regular file or a directory. */
export interface SetXattr {
  readonly kind: typeof SETXATTR;
  readonly file: FileRef;
  readonly time: Timestamp | null;
  readonly xattr: Buffer;
  readonly value: Buffer;
  /** XATTR_CREATE: it is not there; XATTR_REPLACE: it is. */
  readonly flags: number;
}

export interface RemoveXattr {
  readonly kind: typeof REMOVEXATTR;
  readonly file: FileRef;
  readonly time: Timestamp | null;
  readonly xattr: Buffer;
}

/** Makes room for [offset, offset + length) of a file, or a hole there. Only in `change`. */
export interface Allocate {
  readonly kind: typeof ALLOCATE;
  readonly file: FileRef;
  readonly time: Timestamp | null;
  /** One of ALLOCATE_MODES. */
  readonly mode: number;
  readonly offset: number;
  /** At least 1. */
  readonly length: number;
}

/** Copies a range of one file, all of it, to a place in another or the same one. Only in `change`. */
export interface Copy {
  readonly kind: typeof COPY;
  /** What is written. */
  readonly file: FileRef;
  readonly time: Timestamp | null;
  readonly offset: number;
  readonly source: FileRef;
  readonly sourceOffset: number;
  /** 1..MAX_COPY */
  readonly length: number;
}

/** Makes a regular file without a name, which is held as if by `hold`; LINK may give it one. Only in `change`. */
export interface Tmpfile {
  readonly kind: typeof TMPFILE;
  /** In which it could be made. */
  readonly directory: FileRef;
  readonly time: Timestamp | null;
  /** Permissions. */
  readonly mode: number;
  /** As in Create. */
  readonly owner?: Owner | null;
}

/** What a client may do before it tells the server. */
export type LogOperation =
  | Create
  | Mkdir
  | Symlink
  | Link
  | Unlink
  | Rmdir
  | Rename
  | SetAttributes
  | Write
  | Release
  | SetXattr
  | RemoveXattr;

/** Allocate, Copy and Tmpfile are awaited: what becomes of them only the server's disk knows. */
export type Operation = LogOperation | Allocate | Copy | Tmpfile;

const wireTime = tuple(seconds, nanoseconds);
/** Reads a time from [seconds, nanoseconds]. */
const timestamp: Shape<Timestamp> = (value) => {
  const [sec, nsec] = wireTime(value);
  return { sec, nsec };
};
const time = optional(timestamp);
/** Reads a time to set: [] is the server's now. */
const timeToSet: Shape<Timestamp | 'now' | null> = (value) =>
  value === null || value === undefined
    ? null
    : Array.isArray(value) && value.length === 0
      ? 'now'
      : timestamp(value);
const mode = int(0, 0o177777);
const anyTarget = bytes(MAX_TARGET, 1);
/** What a symbolic link leads to: any bytes but zero, where the disk would end it. */
const target: Shape<Buffer> = (value) => {
  const bytes = anyTarget(value);
  if (bytes.includes(0)) throw new Failure('EINVAL', 'the target of a symbolic link contains a NUL byte');
  return bytes;
};
const id = optional(fileId);
const kind = int(CREATE, TMPFILE);
const length = int(1, Number.MAX_SAFE_INTEGER);

/** What a mode of ALLOCATE may be. A hole that is punched never makes the file longer. */
export const ALLOCATE_MODES: readonly number[] = [
  0,
  ALLOCATE_KEEP_SIZE,
  ALLOCATE_PUNCH_HOLE | ALLOCATE_KEEP_SIZE,
  ALLOCATE_ZERO_RANGE,
  ALLOCATE_ZERO_RANGE | ALLOCATE_KEEP_SIZE,
];
const u8 = int(0, 255);
/** EOPNOTSUPP for what fallocate(2) may have, and this has not. */
const allocateMode: Shape<number> = (value) => {
  const mode = u8(value);
  if (ALLOCATE_MODES.includes(mode)) return mode;
  throw new Failure('EOPNOTSUPP', 'there is no such way to allocate');
};

/** The wire forms: [kind, ...]. */
const WIRE = {
  [CREATE]: tuple(kind, fileRef, name, time, mode, id, ownerId, ownerId, optional(u32)),
  [MKDIR]: tuple(kind, fileRef, name, time, permissions, id, ownerId, ownerId),
  [SYMLINK]: tuple(kind, fileRef, name, time, target, id, ownerId, ownerId),
  [LINK]: tuple(kind, fileRef, name, time, fileRef),
  [UNLINK]: tuple(kind, fileRef, name, time, id, bool),
  [RMDIR]: tuple(kind, fileRef, name, time, id),
  [RENAME]: tuple(kind, fileRef, name, time, id, fileRef, name, id, int(0, 7), bool),
  [SETATTR]: tuple(
    ...([kind, fileRef, time, optional(permissions), optional(size), timeToSet, timeToSet] as const),
    ...([ownerId, ownerId] as const),
  ),
  [WRITE]: tuple(kind, fileRef, time, optional(size), optional(bytes(MAX_DATA))),
  [RELEASE]: tuple(kind, fileId),
  [SETXATTR]: tuple(kind, fileRef, time, xattrName, xattrValue, xattrFlags),
  [REMOVEXATTR]: tuple(kind, fileRef, time, xattrName),
  [ALLOCATE]: tuple(kind, fileRef, time, allocateMode, size, length),
  [COPY]: tuple(kind, fileRef, time, size, fileRef, size, int(1, MAX_COPY)),
  [TMPFILE]: tuple(kind, fileRef, time, permissions, ownerId, ownerId),
} as const;

/** Written out: spreading an object costs 10 to 30 times as much as its literal. */
const UNPACK: { readonly [K in keyof typeof WIRE]: (wire: Shaped<(typeof WIRE)[K]>) => Operation } = {
  [CREATE]: ([, directory, name, time, mode, id, uid, gid, rdev]) => ({
    kind: CREATE,
    directory,
    name,
    time,
    mode,
    id,
    owner: ownerOf(uid, gid),
    rdev: rdev ?? 0,
  }),
  [MKDIR]: ([, directory, name, time, mode, id, uid, gid]) => ({
    kind: MKDIR,
    directory,
    name,
    time,
    mode,
    id,
    owner: ownerOf(uid, gid),
  }),
  [SYMLINK]: ([, directory, name, time, target, id, uid, gid]) => ({
    kind: SYMLINK,
    directory,
    name,
    time,
    target,
    id,
    owner: ownerOf(uid, gid),
  }),
  [LINK]: ([, directory, name, time, file]) => ({ kind: LINK, directory, name, time, file }),
  [UNLINK]: ([, directory, name, time, id, hold]) => ({ kind: UNLINK, directory, name, time, id, hold }),
  [RMDIR]: ([, directory, name, time, id]) => ({ kind: RMDIR, directory, name, time, id }),
  [RENAME]: ([, directory, name, time, id, newDirectory, newName, replaced, flags, hold]) => ({
    kind: RENAME,
    directory,
    name,
    time,
    id,
    newDirectory,
    newName,
    replaced,
    flags,
    hold,
  }),
  [SETATTR]: ([, file, time, mode, size, atime, mtime, uid, gid]) => ({
    kind: SETATTR,
    file,
    time,
    mode,
    size,
    atime,
    mtime,
    uid,
    gid,
  }),
  [WRITE]: ([, file, time, offset, data]) => ({ kind: WRITE, file, time, offset, data }),
  [RELEASE]: ([, id]) => ({ kind: RELEASE, id }),
  [SETXATTR]: ([, file, time, xattr, value, flags]) => ({ kind: SETXATTR, file, time, xattr, value, flags }),
  [REMOVEXATTR]: ([, file, time, xattr]) => ({ kind: REMOVEXATTR, file, time, xattr }),
  [ALLOCATE]: ([, file, time, mode, offset, length]) => ({
    kind: ALLOCATE,
    file,
    time,
    mode,
    offset,
    length,
  }),
  [COPY]: ([, file, time, offset, source, sourceOffset, length]) => ({
    kind: COPY,
    file,
    time,
    offset,
    source,
    sourceOffset,
    length,
  }),
  [TMPFILE]: ([, directory, time, mode, uid, gid]) => ({
    kind: TMPFILE,
    directory,
    time,
    mode,
    owner: ownerOf(uid, gid),
  }),
};

/** Reads an operation from its wire form. EINVAL. Bytes in it are views of the message. */
export const operation: Shape<Operation> = (value) => {
  const tag: unknown = Array.isArray(value) ? (value as unknown[])[0] : undefined;
  const which = (typeof tag === 'bigint' ? Number(tag) : tag) as keyof typeof WIRE;
  if (!Object.hasOwn(WIRE, which)) throw new Failure('EINVAL', 'expected an operation');
  // One row of each table: what it reads is what it unpacks.
  const unpack = UNPACK[which] as (wire: unknown) => Operation;
  return unpack(WIRE[which](value));
};

/** The inverse of `operation`. */
export function packOperation(op: Operation): unknown[] {
  switch (op.kind) {
    case CREATE:
      return withOwner(
        [op.kind, packRef(op.directory), op.name, packTime(op.time), op.mode, op.id && packId(op.id)],
        op.owner,
        op.rdev,
      );
    case MKDIR:
      return withOwner(
        [op.kind, packRef(op.directory), op.name, packTime(op.time), op.mode, op.id && packId(op.id)],
        op.owner,
      );
    case SYMLINK:
      return withOwner(
        [op.kind, packRef(op.directory), op.name, packTime(op.time), op.target, op.id && packId(op.id)],
        op.owner,
      );
    case LINK:
      return [op.kind, packRef(op.directory), op.name, packTime(op.time), packRef(op.file)];
    case UNLINK:
      return [op.kind, packRef(op.directory), op.name, packTime(op.time), op.id && packId(op.id), op.hold];
    case RMDIR:
      return [op.kind, packRef(op.directory), op.name, packTime(op.time), op.id && packId(op.id)];
    case RENAME:
      return [
        op.kind,
        packRef(op.directory),
        op.name,
        packTime(op.time),
        op.id && packId(op.id),
        packRef(op.newDirectory),
        op.newName,
        op.replaced && packId(op.replaced),
        op.flags,
        op.hold,
      ];
    case SETATTR: {
      const { uid = null, gid = null } = op;
      const packed = [
        op.kind,
        packRef(op.file),
        packTime(op.time),
        op.mode,
        op.size,
        packTimeToSet(op.atime),
        packTimeToSet(op.mtime),
      ];
      if (uid !== null || gid !== null) packed.push(uid, gid);
      return packed;
    }
    case WRITE:
      return [op.kind, packRef(op.file), packTime(op.time), op.offset, op.data];
    case RELEASE:
      return [op.kind, packId(op.id)];
    case SETXATTR:
      return [op.kind, packRef(op.file), packTime(op.time), op.xattr, op.value, op.flags];
    case REMOVEXATTR:
      return [op.kind, packRef(op.file), packTime(op.time), op.xattr];
    case ALLOCATE:
      return [op.kind, packRef(op.file), packTime(op.time), op.mode, op.offset, op.length];
    case TMPFILE:
      return withOwner([op.kind, packRef(op.directory), packTime(op.time), op.mode], op.owner);
    case COPY:
      return [
        op.kind,
        packRef(op.file),
        packTime(op.time),
        op.offset,
        packRef(op.source),
        op.sourceOffset,
        op.length,
      ];
  }
}

/** What is not said takes no byte. */
function withOwner(packed: unknown[], owner: Owner | null | undefined, rdev = 0): unknown[] {
  const isSaid = owner !== null && owner !== undefined;
  if (isSaid) packed.push(owner.uid, owner.gid);
  if (rdev !== 0) packed.push(...(isSaid ? [rdev] : [null, null, rdev]));
  return packed;
}

function packTime(time: Timestamp | null): unknown {
  return time === null ? null : [time.sec, time.nsec];
}

function packTimeToSet(time: Timestamp | 'now' | null): unknown {
  return time === 'now' ? [] : packTime(time);
}
