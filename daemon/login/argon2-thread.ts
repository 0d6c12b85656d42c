/*
 * Password checks in a thread of their own, one after the other, 55 ms each: the main thread only ever waits for a message. As
 * many wait as connections are not logged in (front-door.ts bounds them): each has one check.
 *
 * The thread starts with the first check and ends when it was idle for a while: libsodium keeps Argon2's memory, and the
 * thread holds some 34 MiB, twice a worker. Starting it costs 60 ms.
 */
import { Worker, isMainThread, parentPort } from 'node:worker_threads';
import { Failure } from '../../protocol/failure.js';
import { programFile } from '../../program/location.js';
import { verifyPassword } from '../../state/password.js';
import { requireSameFiles } from '../program-files.js';

/** Milliseconds without a check after which the thread ends. */
const IDLE_MS = 2_000;

interface Check {
  readonly hash: string;
  readonly password: string;
  readonly proceed: () => boolean;
  readonly done: (result: boolean | undefined) => void;
  readonly failed: (failure: Failure) => void;
}

export class Argon2Thread {
  readonly #waiting: Check[] = [];
  #running: Check | undefined;
  #thread: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;

  /**
   * Whether the password has the hash. `proceed` is asked when the turn comes, so that it knows of every check before
   * this one; where it says no, nothing is computed and the answer is undefined.
   */
  verify(hash: string, password: string, proceed: () => boolean): Promise<boolean | undefined> {
    return new Promise((done, failed) => {
      this.#waiting.push({ hash, password, proceed, done, failed });
      this.#next();
    });
  }

  /** Ends the thread; checks that are not done are refused. */
  async close(): Promise<void> {
    const refused = [this.#running, ...this.#waiting.splice(0)];
    this.#running = undefined;
    for (const check of refused) check?.failed(new Failure('ESHUTDOWN', 'the server is shutting down'));
    await this.#end();
  }

  #next(): void {
    while (this.#running === undefined) {
      const check = this.#waiting.shift();
      if (check === undefined) return;
      if (!check.proceed()) {
        check.done(undefined);
        continue;
      }
      clearTimeout(this.#idle);
      try {
        this.#thread ??= this.#start();
      } catch (error) {
        check.failed(Failure.from(error));
        continue;
      }
      this.#running = check;
      this.#thread.postMessage({ hash: check.hash, password: check.password });
    }
  }

  #start(): Worker {
    requireSameFiles();
    const thread = new Worker(programFile('argon2-thread'), {
      resourceLimits: { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 4 },
      stdin: false,
    });
    thread.on('message', (result: boolean) => {
      const check = this.#running;
      this.#running = undefined;
      check?.done(result);
      this.#idle = setTimeout(() => void this.#end(), IDLE_MS).unref();
      // Later: the next one's `proceed` is to know what became of this one.
      setImmediate(() => this.#next());
    });
    // A hash that libsodium throws on, or no memory: this check fails, the next one starts a new thread.
    thread.on('error', (cause) => this.#lost(thread, cause));
    thread.on('exit', () => this.#lost(thread, new Error('the thread ended')));
    return thread;
  }

  #lost(thread: Worker, cause: Error): void {
    if (this.#thread !== thread) return;
    this.#thread = undefined;
    const check = this.#running;
    this.#running = undefined;
    check?.failed(new Failure('EIO', 'a password could not be checked', { cause }));
    this.#next();
  }

  async #end(): Promise<void> {
    clearTimeout(this.#idle);
    const thread = this.#thread;
    this.#thread = undefined;
    await thread?.terminate();
  }
}

if (!isMainThread && parentPort !== null) {
  const port = parentPort;
  port.on('message', ({ hash, password }: { hash: string; password: string }) => {
    void verifyPassword(hash, password).then((matches) => port.postMessage(matches));
  });
}
