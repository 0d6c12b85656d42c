/*
 * The files that the threads of the daemon are loaded from, which an upgrade replaces while it runs: a thread of the next version does
 * not understand its main thread, nor the other way round.
 *
 * Invariant: no thread is started from other files than the main thread was. Where that is not to be had, the daemon ends in order,
 * and the service manager starts what is there now.
 */
import { statSync } from 'node:fs';
import { Failure } from '../protocol/failure.js';
import { MANIFEST } from '../program/version.js';

/** Changes with every installation. */
export const PROGRAM_FILES = identity();

let tell: () => void = () => undefined;
/** Resolves in the thread that could not start another because of it. */
export const replaced = new Promise<void>((resolve) => {
  tell = resolve;
});

/** Whether they are not those that this thread was loaded from. */
export function areReplaced(): boolean {
  return identity() !== PROGRAM_FILES;
}

/** Resolves `replaced`: this thread, or one that it started, could not start another. */
export function tellReplaced(): void {
  tell();
}

/** ESHUTDOWN where they were replaced. */
export function requireSameFiles(): void {
  if (!areReplaced()) return;
  tellReplaced();
  throw new Failure('ESHUTDOWN', 'the server is restarted as another version');
}

function identity(): string {
  const found = MANIFEST === undefined ? undefined : statSync(MANIFEST, { throwIfNoEntry: false });
  return found === undefined ? 'gone' : `${found.dev} ${found.ino} ${found.mtimeMs}`;
}
