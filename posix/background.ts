/*
 * Leaving the terminal: what a program does that was started in the foreground and stays as a service.
 *
 * node cannot fork, so the program that stays is a child already; it only has to get rid of what ties it to
 * the terminal: the session (SIGHUP, Ctrl-C), the standard descriptors (a pipe reader would wait for their end
 * for ever) and the working directory (it would keep a file system busy).
 */
import { closeSync, openSync } from 'node:fs';
import { checked, libc } from './libc.js';

const libcSetsid = libc<() => number>('setsid', 'int', []);
const libcDup2 = libc<(from: number, to: number) => number>('dup2', 'int', ['int', 'int']);

/**
 * Makes this process leader of a session of its own, with /dev/null as standard input, output and error and / as
 * working directory. Throws EPERM where the process already leads a process group.
 */
export function leaveTerminal(): void {
  checked(libcSetsid(), 'setsid');
  process.chdir('/');
  const nothing = openSync('/dev/null', 'r+');
  for (const standard of [0, 1, 2]) checked(libcDup2(nothing, standard), 'dup2');
  closeSync(nothing);
}
