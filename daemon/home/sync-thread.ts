/*
 * Waiting for disks, on a thread of its own for each worker: libuv has four threads for the whole process, which read cold
 * files, and a few users whose disk is slow to sync would hold up the reads of all.
 *
 * Invariant: the thread does one call at a time, and those who wait have their turns one after the other, however many
 * calls one of them has. It starts with the first call (some 40 ms), stays, and keeps no process alive.
 */
import { Worker } from 'node:worker_threads';
import { Failure } from '../../protocol/failure.js';
import { PosixError } from '../../posix/error.js';
import type { Fd } from '../../posix/fd.js';
import type { SyncCall } from '../../state/measurements.js';
import { took } from '../measures.js';
import type { SyncRequest } from './sync-calls.js';

interface Waiting extends SyncRequest {
  readonly done: () => void;
  readonly failed: (error: Error) => void;
}

const script = new URL('./sync-calls.js', import.meta.url);

class SyncThread {
  /** By whom they are for, in the order of their turns. */
  readonly #waiting = new Map<object, Waiting[]>();
  #running: Waiting | undefined;
  #began = 0;
  #thread: Worker | undefined;

  run(owner: object, call: SyncCall, fd: Fd): Promise<void> {
    return new Promise((done, failed) => {
      const waiting = { call, fd, done, failed };
      const others = this.#waiting.get(owner);
      if (others === undefined) this.#waiting.set(owner, [waiting]);
      else others.push(waiting);
      this.#next();
    });
  }

  #next(): void {
    if (this.#running !== undefined) return;
    for (const [owner, [first, ...others]] of this.#waiting) {
      this.#waiting.delete(owner);
      if (others.length > 0) this.#waiting.set(owner, others);
      if (first === undefined) continue;
      this.#running = first;
      this.#began = performance.now();
      this.#thread ??= this.#start();
      this.#thread.ref();
      this.#thread.postMessage({ call: first.call, fd: first.fd } satisfies SyncRequest);
      return;
    }
    this.#thread?.unref();
  }

  #start(): Worker {
    const thread = new Worker(script, {
      name: 'syncs',
      execArgv: [], // nothing is loaded but the script
      resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2 },
    });
    thread.on('message', (errno: number) => {
      const running = this.#running;
      this.#running = undefined;
      if (running !== undefined) took(running.call, performance.now() - this.#began);
      if (errno === 0) running?.done();
      else running?.failed(new PosixError(errno, running.call));
      this.#next();
    });
    thread.on('error', (cause) => this.#lost(thread, cause));
    thread.on('exit', () => this.#lost(thread, new Error('the thread ended')));
    return thread;
  }

  #lost(thread: Worker, cause: Error): void {
    if (this.#thread !== thread) return;
    this.#thread = undefined;
    const running = this.#running;
    this.#running = undefined;
    running?.failed(new Failure('EIO', 'the disk could not be synced', { cause }));
    this.#next();
  }
}

const thread = new SyncThread();

/**
 * syncfs(2), fsync(2) or fdatasync(2), on the thread. The descriptor must stay open until then. `owner`: whose turn it takes
 * (a home).
 */
export function syncOnThread(owner: object, call: SyncCall, fd: Fd): Promise<void> {
  return thread.run(owner, call, fd);
}
