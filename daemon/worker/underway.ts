/*
 * What one session has under way, held to the limits that its client keeps (protocol/session/window): more is a fault of the peer.
 */
import { Failure } from '../../protocol/failure.js';
import { bytesSent } from '../../protocol/session/file-data.js';
import { MAX_BYTES_IN_FLIGHT, MAX_CALLS } from '../../protocol/limits.js';
import type { MethodName } from '../../protocol/methods.js';
import { weightOf, type Lane, type Weight } from '../../protocol/session/window.js';

/** Requests that no window counts (`sync`, `hold` and the like), at once. */
const MAX_UNCOUNTED = 64 * MAX_CALLS;
/** Bytes of memory that a value takes beside its own. */
const OVERHEAD_BYTES = 16;

/** What a request that is not answered yet takes. */
export interface Load extends Weight {
  /** Bytes of memory, of a request that no window counts. */
  readonly kept: number;
  /** Bytes of file data that it brings. */
  readonly sent: number;
}

/** `params` as the row of METHODS yields them. */
export function loadOf(method: MethodName, params: readonly unknown[]): Load {
  const weight = weightOf(method, params);
  const kept = weight.calls === 0 ? sizeOf(params) : 0;
  return { ...weight, kept, sent: bytesSent(method, params) };
}

/** Bytes of memory that parameters take. */
export function sizeOf(value: unknown): number {
  if (Buffer.isBuffer(value)) return value.length + OVERHEAD_BYTES;
  if (typeof value !== 'object' || value === null) return OVERHEAD_BYTES;
  return Object.values(value).reduce<number>((sum, part) => sum + sizeOf(part), OVERHEAD_BYTES);
}

interface Sum {
  calls: number;
  bytes: number;
}

export class Underway {
  readonly #loads: Record<Lane, Sum> = {
    free: { calls: 0, bytes: 0 },
    log: { calls: 0, bytes: 0 },
    call: { calls: 0, bytes: 0 },
  };
  #uncounted = 0;
  #kept = 0;

  /** PROTOCOL. */
  begin({ lane, calls, bytes, kept }: Load): void {
    const load = this.#loads[lane];
    if (calls === 0) this.#uncounted += 1;
    this.#kept += kept;
    load.calls += calls;
    load.bytes += bytes;
    if (load.calls > MAX_CALLS || this.#uncounted > MAX_UNCOUNTED) {
      throw new Failure('PROTOCOL', `more than ${MAX_CALLS} calls at once`);
    }
    if (load.bytes > MAX_BYTES_IN_FLIGHT || this.#kept > MAX_BYTES_IN_FLIGHT) {
      throw new Failure('PROTOCOL', `more than ${MAX_BYTES_IN_FLIGHT} bytes at once`);
    }
  }

  end({ lane, calls, bytes, kept }: Load): void {
    const load = this.#loads[lane];
    if (calls === 0) this.#uncounted -= 1;
    this.#kept -= kept;
    load.calls -= calls;
    load.bytes -= bytes;
  }
}
