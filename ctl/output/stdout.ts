/**
 * Standard output with back pressure: who writes much waits until the reader has taken it, and may use the bytes' buffer again.
 */

export function writeOut(bytes: Uint8Array | string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}
