/**
 * How a file of a home is named on the wire: by its id, which stays whatever its names do, or by a path.
 *
 * An id is the inode number and the time of birth: one file, whatever its names, also where numbers are used again. A
 * server knows where the ids are that it has told of lately. It may forget one (ESTALE): the id is then sent once more with
 * a path as a hint, and the hint is believed only where it leads to that id. A path alone is for those who have just that:
 * the arguments of ftpctl.
 */
import { Failure } from './failure.js';
import type { RemotePath } from './ids.js';
import { path, tuple, u64, type Shape } from './shape.js';

/** One file of a home. `birth` is in nanoseconds since 1970; 0 where the server's disk does not tell it. */
export interface FileId {
  readonly ino: bigint;
  readonly birth: bigint;
}

/** A file: by id, with or without a hint where it is, or by path alone. */
export type FileRef =
  (FileId & { readonly path: RemotePath | null }) | { readonly path: RemotePath; readonly ino: null };

const wireId = tuple(u64, u64);

/** The number of an inode that there is: 0 is that of provisional ids (and of the whole home, as a unit of leases). */
export const inodeNumber: Shape<bigint> = (value) => {
  const ino = u64(value);
  if (ino === 0n) throw new Failure('EINVAL', 'no inode has the number 0');
  return ino;
};

/** Reads an id from [ino, birth]. */
export const fileId: Shape<FileId> = (value) => {
  const [ino, birth] = wireId(value);
  return { ino, birth };
};

/** Reads the id of a file that there is. */
export const realId: Shape<FileId> = (value) => {
  const { ino, birth } = fileId(value);
  return { ino: inodeNumber(ino), birth };
};

/** Reads a reference from [ino, birth], [ino, birth, path] or a path. */
export const fileRef: Shape<FileRef> = (value) => {
  if (Buffer.isBuffer(value)) return { path: path(value), ino: null };
  if (!Array.isArray(value)) throw new Failure('EINVAL', 'expected an id or a path');
  const hint: unknown = value[2];
  const { ino, birth } = fileId(value);
  return { ino, birth, path: hint === undefined || hint === null ? null : path(hint) };
};

/** An id as the key of a map. */
export function keyOf({ ino, birth }: FileId): string {
  return `${ino}.${birth}`;
}

/** The inverse of `fileId`, with a hint where one is given. */
export function packId({ ino, birth }: FileId, path?: RemotePath): unknown[] {
  return path === undefined ? [compact(ino), compact(birth)] : [compact(ino), compact(birth), path];
}

/** The inverse of `fileRef`. */
export function packRef(ref: FileRef): unknown {
  return ref.ino === null ? ref.path : packId(ref, ref.path ?? undefined);
}

export function sameId(a: FileId, b: FileId): boolean {
  return a.ino === b.ino && a.birth === b.birth;
}

/** Numbers pack four times faster than bigints, and nearly all inode numbers fit. */
export function compact(value: bigint): number | bigint {
  return value <= 0xffff_ffffn ? Number(value) : value;
}
