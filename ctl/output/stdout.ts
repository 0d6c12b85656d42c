/**
 * Standard output with back pressure: who writes much waits until the reader has taken it.
 */
import { once } from 'node:events';

export async function writeOut(bytes: Uint8Array | string): Promise<void> {
  if (!process.stdout.write(bytes)) await once(process.stdout, 'drain');
}
