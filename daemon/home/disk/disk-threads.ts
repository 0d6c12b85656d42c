/*
 * Waiting for disks, on threads of each worker: libuv has four threads for the whole process, which read cold files, and a few
 * users whose disk is slow to sync would hold up the reads of all.
 *
 * Invariants: one call of an owner is carried out at a time, and those who wait have their turns one after the other, however
 * many calls one of them has. An owner is a home's syncs, its uploads' checkpoints, what it frees or what it lists; so a home takes
 * four threads at most, and leaves one of MAX_THREADS to others while it waits for a slow disk.
 *
 * A thread starts (some 40 ms, 9 MiB of resident memory) when all others are busy, stays, and keeps no process alive. None starts
 * where the program's files were replaced: then the daemon ends, and what its end waits for is done by the threads that there are,
 * or here.
 */
import { Worker } from 'node:worker_threads';
import { Failure } from '../../../protocol/failure.js';
import { programFile } from '../../../program/location.js';
import { PosixError } from '../../../posix/error.js';
import type { Fd } from '../../../posix/fd.js';
import { SYNC_CALLS } from '../../../state/measurements.js';
import { took } from '../../measures.js';
import { areReplaced, tellReplaced } from '../../program-files.js';
import { carryOut, type DiskCall, type DiskPlace, type DiskRequest } from './disk-calls.js';

/** Threads of one worker: few, for what they take of the memory. */
const MAX_THREADS = 5;

interface Waiting {
  readonly request: DiskRequest;
  readonly done: () => void;
  readonly failed: (error: Error) => void;
}

/** The calls of an owner: the first one may be under way. */
interface Turns {
  readonly waiting: Waiting[];
  busy: boolean;
}

export class DiskThreads {
  /** In the order of their turns. */
  readonly #owners = new Map<object, Turns>();
  readonly #idle: Worker[] = [];
  readonly #busy = new Map<Worker, { owner: object; call: Waiting; began: number }>();
  readonly #most: number;
  readonly #areReplaced: () => boolean;

  /** `most`: threads; `replaced`: for tests. */
  constructor(most = MAX_THREADS, replaced = areReplaced) {
    this.#most = most;
    this.#areReplaced = replaced;
  }

  run(owner: object, request: DiskRequest): Promise<void> {
    return new Promise((done, failed) => {
      const turns = this.#owners.get(owner) ?? { waiting: [], busy: false };
      turns.waiting.push({ request, done, failed });
      this.#owners.set(owner, turns);
      this.#next();
    });
  }

  #next(): void {
    for (const [owner, turns] of this.#owners) {
      if (this.#busy.size >= this.#most) return;
      if (turns.busy) continue;
      const startsNone = this.#idle.length === 0 && this.#areReplaced();
      if (startsNone) tellReplaced();
      if (startsNone && this.#busy.size > 0) return;
      const call = turns.waiting.shift();
      // To the end: the others have their turns first.
      this.#owners.delete(owner);
      if (call === undefined) continue;
      this.#owners.set(owner, turns);
      if (startsNone) {
        settle(call, carryOut(call.request));
        continue;
      }
      turns.busy = true;
      const thread = this.#idle.pop() ?? this.#start();
      this.#busy.set(thread, { owner, call, began: performance.now() });
      thread.ref();
      thread.postMessage(call.request);
    }
  }

  #start(): Worker {
    const thread = new Worker(programFile('disk-thread'), {
      name: 'disk',
      execArgv: [], // nothing is loaded but the script
      resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2 },
    });
    thread.on('message', (errno: number) => {
      const began = this.#busy.get(thread)?.began ?? 0;
      const call = this.#take(thread);
      const sync = SYNC_CALLS.find((name) => name === call?.request.call);
      if (sync !== undefined) took(sync, performance.now() - began);
      this.#idle.push(thread);
      thread.unref();
      if (call !== undefined) settle(call, errno);
      this.#next();
    });
    thread.on('error', (cause) => this.#lost(thread, cause));
    thread.on('exit', () => this.#lost(thread, new Error('the thread ended')));
    return thread;
  }

  /** The call that a thread had. */
  #take(thread: Worker): Waiting | undefined {
    const taken = this.#busy.get(thread);
    if (taken === undefined) return undefined;
    this.#busy.delete(thread);
    const turns = this.#owners.get(taken.owner);
    if (turns !== undefined) turns.busy = false;
    return taken.call;
  }

  #lost(thread: Worker, cause: Error): void {
    const at = this.#idle.indexOf(thread);
    if (at >= 0) this.#idle.splice(at, 1);
    const call = this.#take(thread);
    call?.failed(new Failure('EIO', 'the disk could not be waited for', { cause }));
    this.#next();
  }
}

function settle({ request, done, failed }: Waiting, errno: number): void {
  if (errno === 0) done();
  else failed(new PosixError(errno, request.call));
}

const threads = new DiskThreads();

/**
 * syncfs(2), fsync(2), fdatasync(2), close(2), `empty` of a range, or `look` from a position, on a thread. The descriptor must stay open until then.
 * `owner`: whose turn it takes.
 */
export function onDiskThread(owner: object, call: DiskCall, fd: Fd, where: DiskPlace = {}): Promise<void> {
  return threads.run(owner, { call, fd, ...where });
}
