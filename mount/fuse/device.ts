/**
 * /dev/fuse of one mount: takes the kernel's messages, one at a time, and writes answers and notifications.
 *
 * Invariants:
 * - One message is in the (one, reused) buffer; it is free again when `onMessage` returns.
 * - After the end nothing is written: the descriptors may be somebody else's by then.
 * - The descriptors are close-on-exec and die with the process, which ends the mount's connection.
 *
 * Reading is non-blocking, on the event loop. Measured with a stat(2) loop and no caching (2-core x86-64 VM, Linux 6.18,
 * Node 20.20), against fs.read of a blocking descriptor with two reads outstanding on the thread pool:
 *                            thread pool   event loop
 *   one caller, latency         77-90 us     52-83 us   (10 us where the kernel keeps both on one core)
 *   four callers, a request     29-32 us     15-17 us
 *   CPU time a request          40-45 us     19-23 us
 * It needs no clone of the device either, takes no thread from the pool, and lets the process exit at any time. Reading
 * on until the device is empty gained nothing: half of those reads find nothing. In requests of 1 MiB, files
 * in memory are written at 1.0-1.5 GB/s and read at 1.8-3.0 GB/s.
 */
import { write, writeSync, writevSync } from 'node:fs';
import { close, dup } from '../../posix/files.js';
import type { Fd } from '../../posix/fd.js';
import { readAvailable, watchReadable, type Watch } from '../../posix/readiness.js';
import { Awake } from './awake.js';
import type { ReplySink } from './exchange.js';
import { MAX_WRITE } from './negotiate.js';

/** The kernel wants room for the largest WRITE with its header; libfuse gives it a page for that, too. */
const BUFFER_SIZE = MAX_WRITE + 4096;

/**
 * After an answer that was known at once the program's next request is near, and nearer than the 45 us that waking this
 * process takes: so it is looked for this long (milliseconds) before the event loop waits for it. 4,096 writes of 4 KiB:
 * 0.33 s without, 0.14 s with 30 us, 0.15 s with 100 us; creating 1,000 files 1.0-1.2 -> 0.8-1.0 s (in turn).
 */
const LOOK_MS = 0.03;

/** So many messages are taken before the event loop, and with it the server's answers, gets its turn. */
const MESSAGES_IN_TURN = 32;

/** writev(2) takes at most IOV_MAX pieces. */
const IOV_MAX = 1024;

/** What writing answers when the kernel no longer waits: it aborted the request, or ended the connection. */
const NOBODY_WAITS = new Set(['ENOENT', 'ENODEV', 'ECONNABORTED', 'ENOTCONN']);

export interface DeviceEvents {
  /** A message in the first `length` bytes of the buffer, valid during the call. Must not throw. */
  onMessage(buffer: Buffer, length: number): void;
  /** The kernel ended the connection: by an unmount, or by an abort (then the mount is still to be detached). */
  onEnd(reason: 'unmounted' | 'aborted'): void;
}

export class Device implements ReplySink {
  readonly #reading: Fd;
  /** A duplicate for writing, so that it can outlive the reading one while a notification is being written. */
  readonly #writing: Fd;
  readonly #events: DeviceEvents;
  readonly #buffer = Buffer.alloc(BUFFER_SIZE);
  readonly #watch: Watch;
  #open = true;
  #notifying = 0;
  readonly #awake = new Awake();
  /** A message is being handled. */
  #handling = false;
  /** Something was answered since the latest message was handed on. */
  #answered = false;

  /** Takes over the descriptor of a mounted /dev/fuse and starts. */
  constructor(device: Fd, events: DeviceEvents) {
    this.#reading = device;
    this.#writing = dup(device);
    this.#events = events;
    this.#watch = watchReadable(device, () => this.#serve());
  }

  /** Hands messages on, until there is none, or one was not answered at once, or the event loop is due. */
  #serve(): void {
    let length = this.#take();
    for (let inTurn = 1; length !== undefined; inTurn++) {
      this.#answered = false;
      this.#handling = true;
      this.#events.onMessage(this.#buffer, length);
      this.#handling = false;
      if (!this.#answered) return this.#awake.waits();
      if (inTurn === MESSAGES_IN_TURN) return;
      length = this.#takeSoon();
    }
  }

  /** The length of a message that is there now. */
  #take(): number | undefined {
    if (!this.#open) return undefined;
    try {
      return readAvailable(this.#reading, this.#buffer);
    } catch (error) {
      this.close();
      this.#events.onEnd(codeOf(error) === 'ENODEV' ? 'unmounted' : 'aborted');
      return undefined;
    }
  }

  /** The length of a message that comes within LOOK_MS. */
  #takeSoon(): number | undefined {
    const until = performance.now() + LOOK_MS;
    let length = this.#take();
    while (length === undefined && this.#open && performance.now() < until) length = this.#take();
    return length;
  }

  send(message: Buffer, length: number): void {
    if (!this.#open) return;
    this.#answers();
    try {
      writeSync(this.#writing, message, 0, length);
    } catch (error) {
      if (!NOBODY_WAITS.has(codeOf(error))) throw error;
    }
  }

  sendPieces(pieces: Buffer[]): void {
    if (!this.#open) return;
    this.#answers();
    try {
      writevSync(this.#writing, pieces.length <= IOV_MAX ? pieces : [Buffer.concat(pieces)]);
    } catch (error) {
      if (!NOBODY_WAITS.has(codeOf(error))) throw error;
    }
  }

  #answers(): void {
    this.#answered = true;
    if (!this.#handling) this.#awake.answered();
  }

  /** Writes a notification on the thread pool, because the kernel may make it wait (notify.ts). */
  notify(message: Buffer): Promise<void> {
    if (!this.#open) return Promise.resolve();
    this.#notifying++;
    return new Promise((resolve, reject) => {
      write(this.#writing, message, 0, message.length, null, (error) => {
        this.#notifying--;
        this.#closeWriting();
        if (error === null) resolve();
        else reject(error);
      });
    });
  }

  /** Ends the connection, unless the kernel has; requests without an answer fail there with ECONNABORTED. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#watch.close();
    close(this.#reading);
    this.#closeWriting();
  }

  #closeWriting(): void {
    if (!this.#open && this.#notifying === 0) close(this.#writing);
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}
