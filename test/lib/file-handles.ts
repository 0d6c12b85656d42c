/* File handles, as NFS servers and backup programs use them; root only. */
import { closeSync, openSync } from 'node:fs';
import { checked, libc } from '../../posix/libc.js';

const AT_FDCWD = -100;
const MAX_HANDLE_BYTES = 128;
/** handle_bytes and handle_type come before the handle. */
const HEADER_BYTES = 8;

const nameToHandleAt = libc<
  (directory: number, name: string, handle: Buffer, mount: Buffer, flags: number) => number
>('name_to_handle_at', 'int', ['int', 'const char *', 'void *', 'void *', 'int']);
const openByHandleAt = libc<(mount: number, handle: Buffer, flags: number) => number>(
  'open_by_handle_at',
  'int',
  ['int', 'void *', 'int'],
);

export type Handle = Buffer;

/** name_to_handle_at(2). */
export function handleOf(file: string): Handle {
  const handle = Buffer.alloc(HEADER_BYTES + MAX_HANDLE_BYTES);
  handle.writeUInt32LE(MAX_HANDLE_BYTES, 0);
  checked(nameToHandleAt(AT_FDCWD, file, handle, Buffer.alloc(4), 0), 'name_to_handle_at');
  return handle;
}

/** open_by_handle_at(2), for reading. `root`: any file of that file system. */
export function openByHandle(root: string, handle: Handle): number {
  const mount = openSync(root, 'r');
  try {
    return checked(openByHandleAt(mount, handle, 0), 'open_by_handle_at');
  } finally {
    closeSync(mount);
  }
}
