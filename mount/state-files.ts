/* Where a user's mounts keep what outlasts them: $XDG_STATE_HOME/ftpmount. */
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/** One file for all mounts of a user; lines tell their mount point. */
export function defaultLogFile(): string {
  return join(stateDirectory(), 'mount.log');
}

/** Where data are kept that the server could not take after their program had been told that all is well: by server and time. */
export function lossDirectory(server: string, now = new Date()): string {
  const time = now.toISOString().replaceAll(/[:.]/g, '');
  return join(stateDirectory(), 'lost', `${server.replaceAll(/[^\w.@-]/g, '_')}-${time}`);
}

function stateDirectory(environment: NodeJS.ProcessEnv = process.env): string {
  const state = environment['XDG_STATE_HOME'];
  const base = state !== undefined && isAbsolute(state) ? state : join(homedir(), '.local/state');
  return join(base, 'ftpmount');
}
