/*
 * The window of one session: how many requests, and how many bytes of file data in them, may be without an answer.
 * The client keeps it, so that neither end has to hold more; what exceeds it waits here.
 *
 * It has two lanes. A call may have to wait at the server until another client has given a lease back. What a client gives
 * back with, its log (`apply`) and what is sent behind it, must not wait behind such calls, or two clients would wait for
 * each other: so the log has room of its own.
 * Invariants: calls and bytes admitted and not left never exceed MAX_CALLS and MAX_BYTES_IN_FLIGHT in either lane; nothing
 * overtakes a request of the log, and no call overtakes another.
 */
import type { Data } from '../codec.js';
import { bytesAsked, bytesSent } from './file-data.js';
import { MAX_BYTES_IN_FLIGHT, MAX_CALLS } from '../limits.js';
import type { MethodName } from '../methods.js';

/**
 * How a request travels: `free`: at once, it holds nothing at the server and must get through; `log`: behind the log that
 * was sent before it; `call`: behind all that was sent before it.
 */
export type Lane = 'free' | 'log' | 'call';

/** What a request takes of the window. */
export interface Weight {
  readonly lane: Lane;
  /** 0 or 1. */
  readonly calls: number;
  /** Of file data. */
  readonly bytes: number;
}

const WEIGHTLESS = { calls: 0, bytes: 0 } as const;
const FREE: Weight = { lane: 'free', ...WEIGHTLESS };
const BEHIND_LOG: Weight = { lane: 'log', ...WEIGHTLESS };

/** What a request takes of the window; parameters as for bytesSent. */
export function weightOf(method: MethodName, params: readonly unknown[], data?: Data): Weight {
  switch (method) {
    case 'login':
    case 'ping':
      return FREE;
    case 'hold':
    case 'returned':
    case 'sync':
    case 'grant':
    case 'lock':
    case 'relock':
      return BEHIND_LOG;
    case 'apply':
      return { lane: 'log', calls: 1, bytes: fileDataBytes(method, params, data) };
    default:
      return { lane: 'call', calls: 1, bytes: fileDataBytes(method, params, data) };
  }
}

/** Bytes of file data that a request asks for or sends; parameters as for bytesSent. */
export function fileDataBytes(method: MethodName, params: readonly unknown[], data?: Data): number {
  return bytesAsked(method, params) + bytesSent(method, params, data);
}

/** What is admitted in one lane. */
class Room {
  #calls = 0;
  #bytes = 0;

  take({ calls, bytes }: Weight): boolean {
    if (this.#calls + calls > MAX_CALLS || this.#bytes + bytes > MAX_BYTES_IN_FLIGHT) return false;
    this.#calls += calls;
    this.#bytes += bytes;
    return true;
  }

  give({ calls, bytes }: Weight): void {
    this.#calls -= calls;
    this.#bytes -= bytes;
  }
}

interface Waiting<T> {
  readonly weight: Weight;
  readonly item: T;
}

/** `T` is what waits: an encoded message. */
export class CallWindow<T> {
  readonly #log = new Room();
  readonly #calls = new Room();
  /** By request id, in the order of arrival. */
  readonly #waiting = new Map<number, Waiting<T>>();
  /** How many of those are of the log. */
  #logWaiting = 0;

  /** Takes room for a request; false where it has to wait, which it also has to behind others. */
  admit(weight: Weight): boolean {
    switch (weight.lane) {
      case 'free':
        return true;
      case 'log':
        return this.#logWaiting === 0 && this.#log.take(weight);
      case 'call':
        return this.#waiting.size === 0 && this.#calls.take(weight);
    }
  }

  wait(id: number, weight: Weight, item: T): void {
    this.#waiting.set(id, { weight, item });
    if (weight.lane === 'log') this.#logWaiting += 1;
  }

  isWaiting(id: number): boolean {
    return this.#waiting.has(id);
  }

  /** Removes one that waits; false where it does not. */
  withdraw(id: number): boolean {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return false;
    this.#waiting.delete(id);
    if (waiting.weight.lane === 'log') this.#logWaiting -= 1;
    return true;
  }

  /** Gives the room of an admitted request back. */
  leave(weight: Weight): void {
    (weight.lane === 'log' ? this.#log : this.#calls).give(weight);
  }

  /** Admits and returns the one that waits longest and may go, or undefined where there is none. */
  next(): T | undefined {
    let callsWait = false;
    for (const [id, { weight, item }] of this.#waiting) {
      const ofLog = weight.lane === 'log';
      if (callsWait && !ofLog) continue;
      if ((ofLog ? this.#log : this.#calls).take(weight)) {
        this.withdraw(id);
        return item;
      }
      // Behind a call that waits only the log goes on, behind one of the log nothing.
      if (ofLog || this.#logWaiting === 0) return undefined;
      callsWait = true;
    }
    return undefined;
  }
}
