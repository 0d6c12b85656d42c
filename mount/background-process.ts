/**
 * The process that serves a mount in the background; see background.ts. Its parent sends one MountRequest.
 */
import { leaveTerminal } from '../posix/background.js';
import { EXIT_OK } from '../program/exit-codes.js';
import { runProgram } from '../program/report.js';
import { MOUNTED } from './background.js';
import type { MountRequest } from './request.js';
import { serve } from './serve.js';

function receiveRequest(): Promise<MountRequest> {
  return new Promise((resolve) => {
    process.once('message', (message) => resolve(message as MountRequest));
  });
}

/** The parent's end tells the shell that the mount is usable, so the terminal has to be free before. */
function goToBackground(): void {
  leaveTerminal();
  process.send?.(MOUNTED);
}

void runProgram('ftpmount', async () => {
  const request = await receiveRequest();
  process.title = `ftpmount ${request.source} ${request.mountpoint}`;
  await serve(request, goToBackground);
  return EXIT_OK;
});
