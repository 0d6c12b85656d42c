/*
 * Parameters that outlive their message: the bytes in them are views of it.
 */

/** A value as the shapes of the protocol yield it, with bytes of its own. */
export function copyOf(value: unknown): unknown {
  if (Buffer.isBuffer(value)) return Buffer.from(value);
  if (Array.isArray(value)) return value.map(copyOf);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, copyOf(part)]));
}
