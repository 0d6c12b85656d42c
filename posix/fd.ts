/*
 * Fd: a file descriptor that this process owns, as a type of its own, so that no other number (a handle,
 * a node, a length) can be passed where the kernel expects one. Whoever holds an Fd closes it once.
 */

declare const brand: unique symbol;

export type Fd = number & { readonly [brand]: 'Fd' };

/** Brands a descriptor that came from elsewhere (node's fs, an environment variable). */
export function fd(n: number): Fd {
  if (!Number.isInteger(n) || n < 0 || n > 0x7fffffff) throw new RangeError(`not a file descriptor: ${n}`);
  return n as Fd;
}
