/*
 * A fixed number of worker threads. A home is placed on the worker with the fewest homes and stays there while anything of
 * it is open, so that it has one owner; a worker starts when the first home is placed on it (each costs
 * memory, see worker.ts).
 *
 * A worker that throws, exits or stops answering is given up: its calls fail, the owner is told which sessions ended, and
 * the next home placed on that slot starts a new thread. Who comes to its homes waits until the thread is over (a thread in a system
 * call cannot be ended before that returns), as a home must not have two owners. Other workers are not touched.
 *
 * Pure bookkeeping over node's Worker: what the messages do is worker.ts. The script is an option, so that tests can have a
 * worker that dies on demand.
 */
import { Worker, type ResourceLimits } from 'node:worker_threads';
import { Failure } from '../protocol/failure.js';
import type { HomeName, UserName } from '../protocol/ids.js';
import type { Share } from '../protocol/shares.js';
import type { HomeRecord } from '../state/home-record.js';
import type { QuotaReport } from '../state/ledger.js';
import type { TrashAct, TrashAnswer } from '../state/trash-requests.js';
import { withDeadline } from './deadline.js';
import type { Log } from './log.js';
import { makeCells, type Cells } from './measures.js';
import { PROGRAM_FILES, requireSameFiles, tellReplaced } from './program-files.js';
import type {
  AdmittedConnection,
  FromWorker,
  SessionHandover,
  ToWorker,
  WorkerCallName,
  WorkerCalls,
  WorkerData,
  WorkerReport,
} from './worker/worker-messages.js';

export interface PoolOptions {
  /** How many workers at most. */
  readonly size: number;
  readonly script: URL;
  readonly workerData: Omit<WorkerData, 'cells' | 'index' | 'programFiles'>;
  readonly resourceLimits?: ResourceLimits;
  readonly log: Log;
  /** A session ended, for whatever reason; each that was handed over is told once. */
  onSessionClosed(sessionId: number): void;
  /** A worker's thread is over. Called before any of its homes is placed anew. */
  onLost(homes: readonly HomeName[]): void;
  /** A line for a log from a worker. */
  onLog(line: Extract<FromWorker, { type: 'log' }>): void;
  /** Closes the descriptor of a session that its worker never took. */
  closeDescriptor(fd: number): void;
  /** How often a worker is asked whether it is there, and how long it may owe the answer (milliseconds). */
  readonly pingMs?: number;
  readonly hangMs?: number;
}

const PING_MS = 10_000;
/** Longer than any single system call on a disk that works; clients give up a silent server after 30 s. */
const HANG_MS = 60_000;
/** A worker that takes longer to report is told of as one that does not answer (milliseconds). */
const REPORT_MS = 2000;

interface Call {
  readonly done: (result: unknown) => void;
  readonly failed: (failure: Failure) => void;
}

interface Slot {
  readonly thread: Worker;
  /** The last use of each home that was sent. */
  readonly homes: Map<HomeName, number>;
  /** Sessions that were sent. */
  readonly sessions: Map<number, Pick<SessionHandover, 'fd' | 'adopted'>>;
  readonly calls: Map<number, Call>;
  readonly pinging: NodeJS.Timeout;
  /** Set when it was given up: resolves when the thread is over and its homes may be placed anew. */
  over?: Promise<void>;
}

/** What the workers report. */
export interface Reports {
  readonly reports: readonly WorkerReport[];
  /** The numbers of those that did not answer in time. */
  readonly silent: readonly number[];
}

export class WorkerPool {
  readonly #options: PoolOptions;
  /** Undefined: not started, or lost. */
  readonly #slots: (Slot | undefined)[];
  readonly #placement = new Map<HomeName, Slot>();
  /** Sessions that wait for a lost worker of their home to be over. */
  readonly #waiting = new Map<number, AdmittedConnection>();
  /** What the worker of each number counts, and those before it did. */
  readonly cells: readonly Cells[];
  #lastCallId = 0;
  #lastUse = 0;
  #closing = false;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#slots = Array.from({ length: options.size }, () => undefined);
    this.cells = this.#slots.map(() => makeCells());
  }

  get size(): number {
    return this.#slots.length;
  }

  /** Gives a session to the worker of its home. The descriptor is the pool's from here on. */
  handOver(session: AdmittedConnection): void {
    const { name } = session.home;
    const lost = this.#placement.get(name)?.over;
    if (lost !== undefined) {
      this.#waiting.set(session.sessionId, session);
      void lost.then(() => {
        const waiting = this.#waiting.get(session.sessionId);
        if (waiting === undefined) return;
        this.#waiting.delete(session.sessionId);
        this.handOver(waiting);
      });
      return;
    }
    const slot = this.#placeOrNone(name);
    if (slot === undefined) return this.#refuse(session);
    const adopted = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
    slot.sessions.set(session.sessionId, { fd: session.fd, adopted });
    this.#post(slot, { type: 'session', session: { ...session, adopted }, use: this.#use(slot, name) });
  }

  /** Ends a session after what is in flight; unknown ones are over already. `isOver`: its client is, too. */
  endSession(sessionId: number, reason: string, again: boolean, isOver = !again): void {
    const waiting = this.#waiting.get(sessionId);
    if (waiting !== undefined) {
      this.#waiting.delete(sessionId);
      return this.#refuse(waiting);
    }
    for (const slot of this.#slots) {
      if (slot?.sessions.has(sessionId) === true) {
        this.#post(slot, { type: 'endSession', sessionId, reason, again, isOver });
      }
    }
  }

  /** Tells a session of a user's own home what the user's shares are now. */
  tellShares(sessionId: number, shares: readonly Share[]): void {
    const waiting = this.#waiting.get(sessionId);
    if (waiting !== undefined) this.#waiting.set(sessionId, { ...waiting, shares });
    for (const slot of this.#slots) {
      if (slot?.sessions.has(sessionId) === true) this.#post(slot, { type: 'shares', sessionId, shares });
    }
  }

  /** Tells the worker of a home, if it has one, that it changed. `reopens`: its sessions were told to end. */
  homeChanged(home: HomeRecord, reopens = false): void {
    for (const [sessionId, waiting] of this.#waiting) {
      if (waiting.home.name === home.name) this.#waiting.set(sessionId, { ...waiting, home });
    }
    const slot = this.#placement.get(home.name);
    if (slot !== undefined) this.#post(slot, { type: 'homeChanged', home, reopens });
  }

  /** Tells all workers how much a user may move: sessions of shares are where their homes are. */
  setBandwidth(user: UserName, bandwidth: number): void {
    for (const slot of this.#slots) {
      if (slot !== undefined) this.#post(slot, { type: 'bandwidth', user, bandwidth });
    }
  }

  /** Has a home opened (and so counted) in the background. */
  openHome(home: HomeRecord): void {
    const slot = this.#place(home.name);
    this.#post(slot, { type: 'openHome', home, use: this.#use(slot, home.name) });
  }

  async quotaCheck(home: HomeRecord, repair: boolean): Promise<QuotaReport> {
    await this.#placement.get(home.name)?.over;
    const slot = this.#place(home.name);
    return this.#call(slot, 'quotaCheck', { home, repair, use: this.#use(slot, home.name) });
  }

  async trash(user: UserName, home: HomeRecord, act: TrashAct): Promise<TrashAnswer> {
    await this.#placement.get(home.name)?.over;
    const slot = this.#place(home.name);
    return this.#call(slot, 'trash', { user, home, act, use: this.#use(slot, home.name) });
  }

  /** Ends the sessions of a home and closes it; done at once where nothing is open. */
  async closeHome(home: HomeName, reason: string): Promise<void> {
    const slot = this.#placement.get(home);
    if (slot?.over !== undefined) await slot.over;
    else if (slot !== undefined) await this.#call(slot, 'closeHome', { home, reason });
  }

  /** What the workers that run do, as far as they answer. `watched`: see WorkerCalls. */
  async report(watched: boolean): Promise<Reports> {
    const reports: WorkerReport[] = [];
    const silent: number[] = [];
    const asked = this.#slots.map(async (slot, index) => {
      if (slot === undefined) return;
      const answered = this.#call(slot, 'report', { watched }).catch(() => undefined);
      const report = await withDeadline(REPORT_MS, answered);
      if (report === undefined) silent.push(index);
      else reports.push(report);
    });
    await Promise.all(asked);
    return { reports, silent };
  }

  /** Ends all sessions and closes all homes, for at most `deadlineMs`; then ends the threads. */
  async close(reason: string, again: boolean, deadlineMs: number): Promise<void> {
    this.#closing = true;
    const slots = this.#slots.filter((slot) => slot !== undefined);
    const ended = slots.map((slot) =>
      this.#call(slot, 'shutdown', { reason, again }).catch((error: unknown) => {
        this.#options.log.error({ error }, 'a worker did not shut down');
      }),
    );
    await withDeadline(deadlineMs, Promise.all(ended));
    for (const slot of slots) clearInterval(slot.pinging);
    await Promise.race([Promise.all(slots.map((slot) => slot.thread.terminate())), second()]);
  }

  /** None: the daemon ends. */
  #placeOrNone(home: HomeName): Slot | undefined {
    try {
      return this.#place(home);
    } catch (error) {
      if (Failure.from(error).kind === 'ESHUTDOWN') return undefined;
      throw error;
    }
  }

  /** The worker of a home: where it is, else the one with the fewest. */
  #place(home: HomeName): Slot {
    const placed = this.#placement.get(home);
    if (placed !== undefined) return placed;
    if (this.#closing) throw new Failure('ESHUTDOWN', 'the server is shutting down');
    let best = 0;
    const load = (index: number): number => this.#slots[index]?.homes.size ?? 0;
    for (let index = 1; index < this.#slots.length; index++) if (load(index) < load(best)) best = index;
    const slot = (this.#slots[best] ??= this.#start(best));
    this.#placement.set(home, slot);
    slot.homes.set(home, 0);
    return slot;
  }

  /** Numbers what opens a home. */
  #use(slot: Slot, home: HomeName): number {
    slot.homes.set(home, ++this.#lastUse);
    return this.#lastUse;
  }

  /** A session that no worker takes. */
  #refuse({ sessionId, fd }: AdmittedConnection): void {
    this.#options.closeDescriptor(fd);
    this.#options.onSessionClosed(sessionId);
  }

  #start(index: number): Slot {
    const { script, workerData, resourceLimits, log, pingMs = PING_MS, hangMs = HANG_MS } = this.#options;
    requireSameFiles();
    const thread = new Worker(script, {
      workerData: { ...workerData, cells: this.cells[index], index, programFiles: PROGRAM_FILES },
      name: `worker ${index}`,
      ...(resourceLimits === undefined ? {} : { resourceLimits }),
    });
    let answeredAt = performance.now();
    const pinging = setInterval(() => {
      if (performance.now() - answeredAt > hangMs) return this.#lose(index, slot, 'it stopped answering');
      this.#call(slot, 'ping', null).then(
        () => {
          answeredAt = performance.now();
        },
        () => undefined, // lost, which is dealt with where it is noticed
      );
    }, pingMs);
    pinging.unref();
    const slot: Slot = { thread, homes: new Map(), sessions: new Map(), calls: new Map(), pinging };
    thread.on('message', (message: FromWorker) => this.#onMessage(slot, message));
    thread.on('error', (error) => {
      log.error({ worker: index, error }, 'a worker threw');
      this.#lose(index, slot, 'it threw');
    });
    thread.on('exit', (code) => this.#lose(index, slot, `it exited with code ${code}`));
    log.debug({ worker: index }, 'worker started');
    return slot;
  }

  #onMessage(slot: Slot, message: FromWorker): void {
    if (slot.over !== undefined) return;
    switch (message.type) {
      case 'sessionClosed':
        if (slot.sessions.delete(message.sessionId)) this.#options.onSessionClosed(message.sessionId);
        return;
      case 'homeClosed':
        // What was sent meanwhile opens the home again, on the same worker.
        if (slot.homes.get(message.home) !== message.lastUse) return;
        slot.homes.delete(message.home);
        this.#placement.delete(message.home);
        return;
      case 'answer':
        this.#settle(slot, message.callId)?.done(message.result);
        return;
      case 'failure':
        this.#settle(slot, message.callId)?.failed(new Failure(message.kind, message.message));
        return;
      case 'replaced':
        tellReplaced();
        return;
      case 'log':
        this.#options.onLog(message);
        return;
    }
  }

  /** Gives a worker up, once. */
  #lose(index: number, slot: Slot, why: string): void {
    if (slot.over !== undefined) return;
    clearInterval(slot.pinging);
    for (const call of slot.calls.values()) call.failed(new Failure('EIO', 'the worker was lost'));
    slot.calls.clear();
    if (this.#closing) return;
    this.#options.log.error(
      { worker: index, homes: slot.homes.size, sessions: slot.sessions.size, why },
      'a worker was lost and is replaced; its clients have to connect again',
    );
    this.#slots[index] = undefined;
    slot.over = slot.thread.terminate().then(() => this.#bury(slot));
  }

  /** The thread is over and has closed its sockets: what is left of it is closed, and its homes are free. */
  #bury(slot: Slot): void {
    const { onLost, onSessionClosed, closeDescriptor } = this.#options;
    for (const { fd, adopted } of slot.sessions.values())
      if (Atomics.load(adopted, 0) === 0) closeDescriptor(fd);
    onLost([...slot.homes.keys()]);
    for (const home of slot.homes.keys()) this.#placement.delete(home);
    for (const sessionId of slot.sessions.keys()) onSessionClosed(sessionId);
  }

  #call<N extends WorkerCallName>(
    slot: Slot,
    name: N,
    params: WorkerCalls[N]['params'],
  ): Promise<WorkerCalls[N]['result']> {
    if (slot.over !== undefined) return Promise.reject(new Failure('EIO', 'the worker was lost'));
    const callId = ++this.#lastCallId;
    return new Promise((resolve, failed) => {
      // The answer of a call of this name: worker.ts is held to it by the same table.
      const done = (result: unknown): void => resolve(result as WorkerCalls[N]['result']);
      slot.calls.set(callId, { done, failed });
      this.#post(slot, { type: 'call', callId, name, params } as ToWorker);
    });
  }

  #settle(slot: Slot, callId: number): Call | undefined {
    const call = slot.calls.get(callId);
    slot.calls.delete(callId);
    return call;
  }

  #post(slot: Slot, message: ToWorker): void {
    slot.thread.postMessage(message);
  }
}

function second(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, 1000).unref();
  });
}
