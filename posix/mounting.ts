/*
 * mount(2) and umount2(2), for root. Other users mount through fusermount3.
 */
import { constants } from 'node:os';
import { PosixError } from './error.js';
import { checked, libc } from './libc.js';

interface Umount2 {
  (target: Uint8Array, flags: number): number;
  async(target: Uint8Array, flags: number, done: (error: unknown, result: number) => void): void;
}

const libcMount = libc<
  (source: Uint8Array, target: Uint8Array, type: Uint8Array, flags: number, data: Uint8Array) => number
>('mount', 'int', [
  'const uint8_t *',
  'const uint8_t *',
  'const uint8_t *',
  'unsigned long',
  'const uint8_t *',
]);
const libcUmount2 = libc<Umount2>('umount2', 'int', ['const uint8_t *', 'int']);

/** mount(2), flags MS_*. `data` is the file system's own options, comma-separated. */
export function mount(
  source: string | Buffer,
  target: string | Buffer,
  type: string,
  flags: number,
  data: string | Buffer,
): void {
  checked(
    libcMount(
      terminated(source, 'mount'),
      terminated(target, 'mount'),
      terminated(type, 'mount'),
      flags,
      terminated(data, 'mount'),
    ),
    'mount',
  );
}

/** umount2(2), flags MNT_* and UMOUNT_NOFOLLOW. */
export function umount2(target: string | Buffer, flags: number): void {
  checked(libcUmount2(terminated(target, 'umount2'), flags), 'umount2');
}

/** umount2() on another thread: for who serves the mount, whose answers the kernel may want before it lets go. */
export function umount2Async(target: string | Buffer, flags: number): Promise<void> {
  const name = terminated(target, 'umount2');
  return new Promise((resolve, reject) => {
    libcUmount2.async(name, flags, (_error, result) => {
      try {
        checked(result, 'umount2');
        resolve();
      } catch (failed) {
        reject(failed as Error);
      }
    });
  });
}

function terminated(text: string | Buffer, syscall: string): Buffer {
  const bytes = Buffer.from(text);
  if (bytes.includes(0)) throw new PosixError(constants.errno.EINVAL, syscall);
  return Buffer.concat([bytes, Buffer.alloc(1)]);
}
