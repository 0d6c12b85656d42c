/*
 * Operations as they travel, of paths and values that may be wrong: for who sends what no client would. Everything is put
 * into its place unchecked.
 */
import {
  CREATE,
  LINK,
  MKDIR,
  RELEASE,
  RENAME,
  RMDIR,
  SETATTR,
  SYMLINK,
  UNLINK,
  WRITE,
} from '../../protocol/operations.js';

export type RawOperation = readonly unknown[];

export const raw = {
  create: (path: string, mode: unknown = 0o100644): RawOperation => [
    ...[CREATE, ...place(path), null],
    ...[mode, null],
  ],
  mkdir: (path: string, mode: unknown = 0o755): RawOperation => [MKDIR, ...place(path), null, mode, null],
  symlink: (target: string, path: string): RawOperation => [
    ...[SYMLINK, ...place(path), null],
    ...[Buffer.from(target), null],
  ],
  link: (existing: string, path: string): RawOperation => [LINK, ...place(path), null, bytes(existing)],
  unlink: (path: string): RawOperation => [UNLINK, ...place(path), null, null, false],
  rmdir: (path: string): RawOperation => [RMDIR, ...place(path), null, null],
  rename: (from: string, to: string, flags: unknown = 0): RawOperation => [
    ...[RENAME, ...place(from), null, null],
    ...[...place(to), null, flags, false],
  ],
  chmod: (path: string, mode: unknown): RawOperation => [SETATTR, bytes(path), null, mode, null, null, null],
  truncate: (path: string, size: unknown): RawOperation => [
    ...[SETATTR, bytes(path), null],
    ...[null, size, null, null],
  ],
  write: (path: string, offset: unknown, data: unknown): RawOperation => [
    ...[WRITE, bytes(path), null],
    ...[offset, data],
  ],
  release: (ino: unknown, birth: unknown): RawOperation => [RELEASE, [ino, birth]],
} as const;

/** A path as its directory and name, cut at the last slash, whatever is around it. */
export function place(path: string): [directory: Buffer, name: Buffer] {
  const slash = path.lastIndexOf('/');
  return [bytes(path.slice(0, Math.max(slash, 0))), bytes(path.slice(slash + 1))];
}

function bytes(text: string): Buffer {
  return Buffer.from(text);
}
