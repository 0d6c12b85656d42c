/*
 * A long-running process of a scope. It ends with the scope, and also when this process is killed without a chance
 * to clean up: a guard (a shell that waits for the end of a pipe only this process holds) then does it.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import type { Scope } from './scope.js';
import { spawnPlain } from './spawn.js';

export interface ServiceOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly uid?: number;
  readonly gid?: number;
  /** Written to standard input, which is then closed. */
  readonly input?: string;
  /** Standard input stays open, for say(). */
  readonly listens?: boolean;
  /** A mount point that the guard detaches. */
  readonly mountpoint?: string;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Milliseconds that a process gets to do what it was asked for before a test gives up on it. */
export const PATIENCE_MS = 20_000;

/** A started process, its output as it comes, and its end. */
export class Service {
  readonly pid: number;
  /** Resolves when the process has ended and its output is complete. */
  readonly exited: Promise<Exit>;
  #output = '';
  #ended = false;
  readonly #child: ChildProcess;
  readonly #listeners = new Set<() => void>();

  constructor(scope: Scope, command: string, args: readonly string[], options: ServiceOptions = {}) {
    const { input, listens = false, mountpoint, ...spawnOptions } = options;
    const child = spawnPlain(command, args, spawnOptions);
    if (child.pid === undefined) throw new Error(`cannot start ${command}`);
    this.pid = child.pid;
    this.#child = child;
    const guard = spawn('sh', ['-c', GUARD, 'sh', String(child.pid), mountpoint ?? ''], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    });
    const collect = (chunk: Buffer): void => {
      this.#output += chunk.toString();
      this.#notify();
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.stdin.on('error', () => undefined);
    if (!listens) child.stdin.end(input);
    this.exited = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => {
        this.#ended = true;
        guard.kill('SIGKILL');
        this.#notify();
        resolve({ code, signal });
      });
    });
    this.exited.catch(() => undefined); // Whoever waits for it sees the failure.
    scope.teardown(() => this.kill());
  }

  /** Everything written to standard output and standard error so far. */
  get output(): string {
    return this.#output;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Waits until the output, from the character `from` on, matches; rejects when the process ends or takes too long. */
  async says(pattern: RegExp, from = 0): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        clearTimeout(deadline);
        this.#listeners.delete(look);
      };
      const fail = (why: string): void => {
        finish();
        reject(
          new Error(`${this.#child.spawnargs.join(' ')} ${why} without saying ${pattern}:\n${this.#output}`),
        );
      };
      const look = (): void => {
        const match = pattern.exec(this.#output.slice(from));
        if (match) {
          finish();
          resolve(match);
        } else if (this.#ended) fail('ended');
      };
      const deadline = setTimeout(() => fail('ran for long'), PATIENCE_MS);
      this.#listeners.add(look);
      look();
    });
  }

  /** Writes a line to standard input. */
  say(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Asks the process to end by SIGTERM and returns how it ended; kills and rejects when it does not in time. */
  async stop(): Promise<Exit> {
    this.signal('SIGTERM');
    return this.ends();
  }

  /** Waits for the process's own end; kills and rejects when it takes too long. */
  async ends(): Promise<Exit> {
    let late = false;
    const deadline = setTimeout(() => {
      late = true;
      this.signal('SIGKILL');
    }, PATIENCE_MS);
    const exit = await this.exited;
    clearTimeout(deadline);
    if (late) throw new Error(`${this.#child.spawnargs.join(' ')} did not end:\n${this.#output}`);
    return exit;
  }

  /** Waits for the process's own end for so long at most; says nothing of it. */
  async endsWithin(ms: number): Promise<void> {
    let deadline: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      deadline = setTimeout(resolve, ms);
    });
    await Promise.race([this.exited.catch(() => undefined), late]);
    clearTimeout(deadline);
  }

  /** Ends the process at once by SIGKILL, if it has not ended, and waits for it. */
  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.exited;
  }

  #notify(): void {
    for (const listener of this.#listeners) listener();
  }
}

/* $1 the process, $2 its mount point or nothing. read returns when the last writer of the pipe is gone. */
const GUARD = 'read -r _; kill -9 "$1"; [ -z "$2" ] || umount -l "$2" || fusermount3 -uz "$2"';
