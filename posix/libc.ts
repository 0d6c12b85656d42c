/*
 * How the C library is reached: functions declared by name and C types, errno turned into PosixError, and
 * names handed over as C strings.
 *
 * Invariants: errno is read right after the call, before any other foreign call could change it; a name is
 * written to scratch memory that the next call overwrites, which is safe because every call that takes one
 * is synchronous. A name never holds a NUL (the kernel would see a shorter, other name) and never passes
 * PATH_MAX; both are refused before the call.
 *
 * Calls that the C library may lack (musl, an older glibc) go through syscall(2). It is variadic in C, but on
 * x86-64 and arm64 Linux integer arguments travel in the same registers either way, so it is declared with
 * fixed types, which koffi calls faster.
 *
 * koffi hands over a Buffer's address and copies nothing. An address that is stored in a structure keeps
 * nothing alive: what it points to must be held by a function's closure, not just by a module's top level.
 * A whole getppid() costs 0.12 us (2-core x86-64 VM, Node 20.20).
 */
import { constants } from 'node:os';
import koffi from 'koffi';
import { PosixError } from './error.js';

/** Includes the NUL (include/uapi/linux/limits.h). */
const PATH_MAX = 4096;

const library = koffi.load(null);

export const IOVEC_BYTES = 16;

/** Declares a function of the C library. `F` is its type as seen from here: it must agree with the C types. */
export function libc<F>(name: string, result: string, parameters: string[]): F {
  return library.func(name, result, parameters) as F;
}

/** Declares the system call `number`, whose parameters have the given C types. */
export function systemCall<A extends unknown[]>(
  number: number,
  parameters: string[],
): (...args: A) => number {
  const call = libc<(number: number, ...args: A) => number>('syscall', 'long', ['long', ...parameters]);
  return call.bind(undefined, number) as (...args: A) => number;
}

/** The result of a call that returns -1 and sets errno when it fails. */
export function checked(result: number, syscall: string): number {
  if (result < 0) throw new PosixError(koffi.errno(), syscall);
  return result;
}

/** The errno of the call made just before. */
export function lastErrno(): number {
  return koffi.errno();
}

/** The address of a buffer's first byte, for structures that hold pointers. The buffer must outlive its use. */
export function addressOf(buffer: Uint8Array): bigint {
  return koffi.address(buffer);
}

/** Refuses a range that a foreign function would read or write outside `buffer`. */
export function checkRange(buffer: Uint8Array, offset: number, length: number): void {
  if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset < 0 || length < 0) {
    throw new RangeError(`not a range: ${length} bytes at ${offset}`);
  }
  if (offset + length > buffer.length) {
    throw new RangeError(`${length} bytes at ${offset} are outside a buffer of ${buffer.length}`);
  }
}

/** The buffer from `offset` on, without making a view where it is the buffer itself. */
export function from(buffer: Uint8Array, offset: number): Uint8Array {
  return offset === 0 ? buffer : buffer.subarray(offset);
}

/** Scratch memory for one name. Calls that take two names use two of these. */
export class CString {
  readonly #bytes = Buffer.alloc(PATH_MAX);

  /** `name` with a NUL behind it, valid until the next call of this method. */
  of(name: Uint8Array, syscall: string): Buffer {
    if (name.length >= PATH_MAX) throw new PosixError(constants.errno.ENAMETOOLONG, syscall);
    if (name.includes(0)) throw new PosixError(constants.errno.EINVAL, syscall);
    this.#bytes.set(name);
    this.#bytes[name.length] = 0;
    return this.#bytes;
  }
}

/** The name of a call's first, mostly only, path. */
export const firstName = new CString();
/** The name of the second path of rename, link and symlink. */
export const secondName = new CString();
