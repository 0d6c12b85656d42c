/*
 * Hashes of many passwords, by as many threads as there are processors: one alone takes 55 ms for each (password.ts).
 */
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { programFile } from '../program/location.js';

/** In the order of the passwords. Throws what hashPassword() throws. */
export async function hashPasswords(passwords: readonly string[]): Promise<string[]> {
  const hashes: string[] = [];
  const waiting = [...passwords.entries()];
  const threads = Math.min(availableParallelism(), passwords.length);
  await Promise.all(Array.from({ length: threads }, () => workOff(waiting, hashes)));
  return hashes;
}

/** Starts a thread that hashes what waits, one after the other, until nothing is left. */
async function workOff(waiting: [index: number, password: string][], hashes: string[]): Promise<void> {
  const thread = new Worker(programFile('password-thread'), { stdin: false });
  try {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [index, password] = next;
      thread.postMessage(password);
      // Rejected where the thread fails.
      [hashes[index] = ''] = (await once(thread, 'message')) as [string];
    }
  } finally {
    await thread.terminate();
  }
}
