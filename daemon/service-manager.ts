/*
 * What the service manager is told that started the daemon (sd_notify(3), systemd's Type=notify): that it is ready, that it
 * stops, and, as often as its watchdog asks (WatchdogSec=), that the main thread turns. The workers are watched by the pool,
 * which replaces them. Without a manager nobody is told.
 */
import { sendDatagram } from '../posix/datagrams.js';
import type { Log } from './log.js';

/** Of the time within which the manager wants to hear something. */
const WATCHDOG_SHARE = 1 / 3;
const MS_IN_MICROSECONDS = 1000;

export class ServiceManager {
  readonly #address: string;
  readonly #watchdogMs: number | undefined;
  readonly #log: Log;

  constructor(log: Log, environment: NodeJS.ProcessEnv = process.env) {
    this.#address = environment['NOTIFY_SOCKET'] ?? '';
    this.#watchdogMs = watchdogInterval(environment);
    this.#log = log;
  }

  /** The daemon listens. */
  ready(): void {
    this.#tell('READY=1');
    if (this.#watchdogMs !== undefined) setInterval(() => this.#tell('WATCHDOG=1'), this.#watchdogMs).unref();
  }

  /** The daemon finishes what is in flight, and ends. */
  stopping(): void {
    this.#tell('STOPPING=1');
  }

  /** Never throws: a manager that cannot be told is no reason not to serve. */
  #tell(state: string): void {
    if (this.#address === '') return;
    try {
      sendDatagram(this.#address, Buffer.from(state));
    } catch (error) {
      this.#log.warn({ error, state }, 'the service manager could not be told');
    }
  }
}

/** Milliseconds; undefined where the manager watches nobody, or another process. */
function watchdogInterval(environment: NodeJS.ProcessEnv): number | undefined {
  const { WATCHDOG_USEC: microseconds, WATCHDOG_PID: pid } = environment;
  const isMeant = pid === undefined || Number(pid) === process.pid;
  const limit = Number(microseconds) / MS_IN_MICROSECONDS;
  return isMeant && limit > 0 ? limit * WATCHDOG_SHARE : undefined;
}
