/**
 * Going to the background: node cannot fork, so a child serves the mount. It has the terminal for its questions until
 * the mount is usable, and leaves it then; the parent waits for that and ends with the outcome.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { EXIT_FAILURE, EXIT_INTERRUPTED, EXIT_OK } from '../program/exit-codes.js';
import { programFile } from '../program/location.js';
import type { MountRequest } from './request.js';

/** What the child says when the mount is usable and it has left the terminal. */
export const MOUNTED = 'mounted';

/** A half of the heap's young generation, of which there are three; by itself 16 MiB. It cannot be changed in a running process. */
const YOUNG_MIB = 4;

/** Serves the mount from a child. Returns the exit code: 0 once it is usable, else the child's, which told why. */
export function serveInBackground(request: MountRequest): Promise<number> {
  const program = fileURLToPath(programFile('background-process'));
  const shown = [request.source, request.mountpoint]; // by ps(1): they make room for the title, too
  const child = fork(program, shown, {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    execArgv: [...process.execArgv, `--max-semi-space-size=${YOUNG_MIB}`],
  });
  // Ctrl-C reaches the child as well, which then ends by it.
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) =>
      resolve(code ?? (signal === 'SIGINT' ? EXIT_INTERRUPTED : EXIT_FAILURE)),
    );
    child.once('message', () => {
      child.disconnect();
      child.unref();
      resolve(EXIT_OK);
    });
    child.send(request);
  });
}
