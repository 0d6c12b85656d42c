/*
 * Starts a program as a user's shell would. tap instruments each node process that a test starts, for coverage, by
 * NODE_OPTIONS: that makes the programs start 0.1 s later each and has them write into the project at their end, which
 * those of another user cannot. So they start behind env(1), which takes it away again and then becomes the program.
 */
import { spawn, type ChildProcessWithoutNullStreams, type SpawnOptions } from 'node:child_process';

/**
 * Like `spawn` with pipes. A program that is not there ends with 127 and says so on standard error. The directory is
 * entered as the user that is asked for: into a user's mount not even root may go.
 */
export function spawnPlain(
  command: string,
  args: readonly string[],
  options: SpawnOptions & { readonly cwd?: string },
): ChildProcessWithoutNullStreams {
  const { cwd = '.', ...rest } = options;
  return spawn('env', ['-C', cwd, '-u', 'NODE_OPTIONS', command, ...args], { ...rest, stdio: 'pipe' });
}
