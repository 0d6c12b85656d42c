/**
 * Validators for values that came off the wire: each takes an unknown value and returns it typed, or throws EINVAL
 * saying what was expected. They are plain functions, so that a table of them is both the documentation of
 * a message and its check; nothing is copied.
 */
import { Failure } from './failure.js';
import { checkName, remoteHandle, remotePath, type RemoteHandle, type RemotePath } from './ids.js';

/** Checks and types one value. */
export type Shape<T> = (value: unknown) => T;

/** The type that a shape yields. */
export type Shaped<S> = S extends Shape<infer T> ? T : never;

function wrong(expected: string): never {
  throw new Failure('EINVAL', `expected ${expected}`);
}

/** A whole number in [min, max]; msgpack integers and floats with a whole value are equal here. */
export function int(min: number, max: number): Shape<number> {
  return (value) => {
    const number = typeof value === 'bigint' ? Number(value) : value;
    if (typeof number !== 'number' || !Number.isSafeInteger(number) || number < min || number > max) {
      return wrong(`an integer from ${min} to ${max}`);
    }
    return number;
  };
}

export const u32 = int(0, 0xffff_ffff);
/** A size or an offset in bytes: what a file can have, below 2^53. */
export const size = int(0, Number.MAX_SAFE_INTEGER);

/** A 64-bit unsigned integer that may pass 2^53, such as an inode number. */
export const u64: Shape<bigint> = (value) => {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return BigInt(value);
  if (typeof value === 'bigint' && value >= 0n && value < 1n << 64n) return value;
  return wrong('an unsigned 64-bit integer');
};

export const bool: Shape<boolean> = (value) => (typeof value === 'boolean' ? value : wrong('true or false'));

export const nil: Shape<null> = (value) => (value === null || value === undefined ? null : wrong('nil'));

/** Text of at most `max` bytes of UTF-8. */
export function text(max: number): Shape<string> {
  return (value) =>
    typeof value === 'string' && Buffer.byteLength(value) <= max
      ? value
      : wrong(`a text of at most ${max} bytes`);
}

/** Bytes, between `min` and `max`. The view is as long-lived as the message it came in. */
export function bytes(max: number, min = 0): Shape<Buffer> {
  return (value) =>
    Buffer.isBuffer(value) && value.length >= min && value.length <= max
      ? value
      : wrong(`${min} to ${max} bytes`);
}

export const path: Shape<RemotePath> = (value) =>
  Buffer.isBuffer(value) ? remotePath(value) : wrong('a path as bytes');

/** One name of a directory: what a hostile server lists, a client may join to a path of its own. */
export const name: Shape<Buffer> = (value) => {
  if (!Buffer.isBuffer(value)) return wrong('a name as bytes');
  checkName(value);
  return value;
};

export const handle: Shape<RemoteHandle> = (value) => remoteHandle(u32(value));

/** T or nil. */
export function optional<T>(shape: Shape<T>): Shape<T | null> {
  return (value) => (value === null || value === undefined ? null : shape(value));
}

export function list<T>(shape: Shape<T>, max: number): Shape<T[]> {
  return (value) => {
    if (!Array.isArray(value) || value.length > max) return wrong(`a list of at most ${max}`);
    for (let i = 0; i < value.length; i++) value[i] = shape(value[i]);
    return value as T[];
  };
}

/**
 * A fixed sequence of values. Further elements are ignored and missing ones read as nil, so that a later version
 * may append optional elements.
 */
export function tuple<const S extends readonly Shape<unknown>[]>(
  ...shapes: S
): Shape<{ -readonly [K in keyof S]: Shaped<S[K]> }> {
  return (value) => {
    if (!Array.isArray(value)) return wrong(`a list of ${shapes.length}`);
    for (let i = 0; i < shapes.length; i++) value[i] = (shapes[i] as Shape<unknown>)(value[i]);
    value.length = shapes.length;
    return value as { -readonly [K in keyof S]: Shaped<S[K]> };
  };
}
