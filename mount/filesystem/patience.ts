/**
 * What the mount point itself answers while the server does not: what was known last. umount(8) looks at the mount point (stat,
 * statfs) before it unmounts, `ls` at all that is in the directory above, and a prompt at where it is; a server that is gone
 * must hold up none of them. Everything else waits for the server.
 */

/** How long the server is waited for (milliseconds). */
export const PATIENCE_MS = 1_000;

/** The promise's outcome; what is `known` where that takes longer. */
export function orAfter<T>(ms: number, promise: Promise<T>, known: () => T): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(known()), ms);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
