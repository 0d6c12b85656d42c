/*
 * Runs a command to its end and collects what it says. Nothing outlives its deadline: the command leads a process
 * group of its own, and the whole group is killed when the time is up.
 */
import { spawnPlain } from './spawn.js';

export interface RunOptions {
  readonly cwd?: string;
  /** The whole environment; by default this process's. */
  readonly env?: NodeJS.ProcessEnv;
  /** Written to standard input, which is closed after it; by default it is empty. */
  readonly input?: string | Uint8Array;
  readonly uid?: number;
  readonly gid?: number;
  /** Milliseconds until the command is killed. Default 20 s. */
  readonly timeoutMs?: number;
}

export interface RunResult {
  /** Exit code; null when a signal ended the command. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly timedOut: boolean;
  readonly stdout: string;
  readonly stderr: string;
  /** Standard output as bytes, for output that is not UTF-8. */
  readonly bytes: Buffer;
}

const DEFAULT_TIMEOUT_MS = 20_000;

/** Leaders of the groups that run now; they don't outlive this process. */
const running = new Set<number>();
process.on('exit', () => {
  for (const pid of running) killGroup(pid);
});

/** Runs `command` and resolves when it has ended and its output is complete. */
export function run(
  command: string,
  args: readonly string[] = [],
  options: RunOptions = {},
): Promise<RunResult> {
  const { input, timeoutMs = DEFAULT_TIMEOUT_MS, ...spawnOptions } = options;
  return new Promise((resolve, reject) => {
    const child = spawnPlain(command, args, { ...spawnOptions, detached: true });
    const { pid } = child;
    if (pid !== undefined) running.add(pid);
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    let timedOut = false;
    const deadline = setTimeout(() => {
      timedOut = true;
      if (pid !== undefined) killGroup(pid);
      // A process that left the group may still hold the pipes open.
      child.stdout.destroy();
      child.stderr.destroy();
    }, timeoutMs);
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    child.stdin.on('error', () => undefined); // A command that does not read its input is no error (EPIPE).
    child.stdin.end(input);
    child.once('error', (error) => {
      clearTimeout(deadline);
      reject(error);
    });
    child.once('close', (code, signal) => {
      clearTimeout(deadline);
      if (pid !== undefined) running.delete(pid);
      const bytes = Buffer.concat(stdout);
      resolve({
        code,
        signal,
        timedOut,
        bytes,
        stdout: bytes.toString(),
        stderr: Buffer.concat(stderr).toString(),
      });
    });
  });
}

/** Like `run`, for a command that has to succeed: rejects with its output otherwise. Returns its standard output. */
export async function succeed(
  command: string,
  args: readonly string[] = [],
  options: RunOptions = {},
): Promise<string> {
  const result = await run(command, args, options);
  if (result.code !== 0) {
    const end = result.timedOut ? 'was killed at its deadline' : `ended with ${result.code ?? result.signal}`;
    throw new Error(`${[command, ...args].join(' ')} ${end}\n${result.stdout}${result.stderr}`);
  }
  return result.stdout;
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has just ended by itself.
  }
}
