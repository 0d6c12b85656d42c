/*
 * The window of one session: how many requests, and how many bytes of file data in them, may be without an answer.
 * The client keeps it, so that neither end has to hold more; what exceeds it waits here, in order.
 * Invariant: calls and bytes admitted and not left never exceed MAX_CALLS and MAX_BYTES_IN_FLIGHT.
 */
import { dataLength, type Data } from './codec.js';
import { MAX_BYTES_IN_FLIGHT, MAX_CALLS } from './limits.js';
import type { MethodName } from './methods.js';

/**
 * Bytes of file data that a request asks for or sends: what it counts in the window. `data` is the last parameter
 * where it travels apart from the others.
 */
export function fileDataBytes(method: MethodName, params: readonly unknown[], data?: Data): number {
  switch (method) {
    case 'read':
      return Number(params[2]);
    case 'write':
    case 'uploadWrite': {
      const bytes = data ?? params[2];
      return bytes instanceof Uint8Array || Array.isArray(bytes) ? dataLength(bytes) : 0;
    }
    default:
      return 0;
  }
}

interface Waiting<T> {
  readonly bytes: number;
  readonly item: T;
}

/** `T` is what waits: an encoded message. */
export class CallWindow<T> {
  #calls = 0;
  #bytes = 0;
  /** By request id, in the order of arrival. */
  readonly #waiting = new Map<number, Waiting<T>>();

  /** Takes room for a call; false where it has to wait, which it also has to behind others. */
  admit(bytes: number): boolean {
    return this.#waiting.size === 0 && this.#take(bytes);
  }

  wait(id: number, bytes: number, item: T): void {
    this.#waiting.set(id, { bytes, item });
  }

  isWaiting(id: number): boolean {
    return this.#waiting.has(id);
  }

  /** Removes one that waits; false where it does not. */
  withdraw(id: number): boolean {
    return this.#waiting.delete(id);
  }

  /** Gives the room of an admitted call back. */
  leave(bytes: number): void {
    this.#calls -= 1;
    this.#bytes -= bytes;
  }

  /** Admits and returns the one that waits longest, or undefined where there is none or no room. */
  next(): T | undefined {
    for (const [id, { bytes, item }] of this.#waiting) {
      if (!this.#take(bytes)) return undefined;
      this.#waiting.delete(id);
      return item;
    }
    return undefined;
  }

  #take(bytes: number): boolean {
    if (this.#calls >= MAX_CALLS || this.#bytes + bytes > MAX_BYTES_IN_FLIGHT) return false;
    this.#calls += 1;
    this.#bytes += bytes;
    return true;
  }
}
