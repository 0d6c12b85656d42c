/**
 * Mounts for tests: a child process serves a file system in memory, others use it, and the test looks at what comes of
 * it. Needs root, or to be the user who mounts.
 */
import { execFileSync, fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mountAt } from '../../../mount/fuse/mountinfo.js';
import { NOBODY } from './drop-privileges.js';
import type { Order, Report, ServeOptions } from './serve-memory.js';

/**
 * How to run node without what tap has its children load (by NODE_OPTIONS, and again where a test clears it): that
 * writes into a directory where an ordinary user may not write.
 */
const plainNode = ['-u', 'NODE_OPTIONS', process.execPath];

const program = (name: string) => join(import.meta.dirname, name);
export const me = process.getuid?.() ?? 0;
export const user = me === 0 ? NOBODY : me;

type ReportOf<Type extends Report['type']> = Extract<Report, { type: Type }>;

/** A mount in a new directory, served by a child; gone at the end of the test whatever happens. */
export class Served {
  readonly mountpoint: string;
  readonly exited: Promise<unknown[]>;
  readonly #child: ChildProcess;
  readonly #reports: Report[] = [];
  #wake = () => {};
  #ended = false;

  constructor(t: Teardown, uid: number, options: ServeOptions = {}, mountpoint?: string) {
    this.mountpoint = mountpoint ?? mkdtempSync(join(tmpdir(), 'ftpmount-fuse-'));
    if (mountpoint === undefined) chownSync(this.mountpoint, uid, uid);
    this.#child = fork(program('serve-memory.js'), [this.mountpoint, String(uid), JSON.stringify(options)], {
      execPath: 'env',
      execArgv: plainNode,
    });
    this.#child.on('message', (report: Report) => {
      this.#reports.push(report);
      this.#wake();
    });
    this.exited = once(this.#child, 'exit');
    // Not at 'exit': what it had to say may come after that.
    this.#child.on('close', () => {
      this.#ended = true;
      this.#wake();
    });
    t.teardown(async () => {
      this.#child.kill('SIGKILL');
      await this.exited;
      if (mountpoint !== undefined) return;
      if (mountAt(this.mountpoint) !== undefined) {
        execFileSync(...(me === 0 ? umount(this.mountpoint, '-l') : fusermount(this.mountpoint, '-z')));
      }
      rmdirSync(this.mountpoint);
    });
  }

  /** Waits for the next report of a type; one of another kind of ending is an error, and so is a fault. */
  async report<Type extends Report['type']>(type: Type): Promise<ReportOf<Type>> {
    for (;;) {
      const found = this.#reports.findIndex((report) => report.type === type);
      if (found >= 0) return this.#reports.splice(found, 1)[0] as ReportOf<Type>;
      const fatal = this.#reports.find((report) => report.type === 'failed' || report.type === 'fault');
      if (fatal !== undefined) throw new Error(JSON.stringify(fatal));
      if (this.#ended) throw new Error(`the server ended without '${type}'`);
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  order(order: Order): Promise<ReportOf<'done'>> {
    this.#child.send(order);
    return this.report('done');
  }

  unmount(force = false): Promise<ReportOf<'unmounted'>> {
    this.#child.send({ type: 'unmount', force } satisfies Order);
    return this.report('unmounted');
  }

  /** As order(), of what has no answer. */
  tell(order: Order): void {
    this.#child.send(order);
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}

/** The part of a tap test that Served needs. */
interface Teardown {
  teardown(run: () => Promise<void>): unknown;
}

export function umount(mountpoint: string, ...flags: string[]): [string, string[]] {
  return ['umount', [...flags, mountpoint]];
}

export function fusermount(mountpoint: string, ...flags: string[]): [string, string[]] {
  return ['fusermount3', ['-u', ...flags, mountpoint]];
}

/** Runs a program to its end and returns what it ended with and complained. */
export async function run(command: string, parameters: string[], uid: number): Promise<string> {
  const identity = me === 0 ? { uid, gid: uid } : {};
  const child = spawn(command, parameters, { stdio: ['ignore', 'ignore', 'pipe'], ...identity });
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint += text));
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  return code === 0 ? 'ok' : `${code ?? signal}: ${complaint}`;
}

export async function exercise(mountpoint: string, uid: number): Promise<string> {
  return run('env', [...plainNode, program('exercise-mount.js'), mountpoint, String(uid)], me);
}
