/* What the threads have counted and report, put together as Measurements (state/measurements.ts). */
import { LOGIN_RESULTS, SYNC_CALLS, type LoginResult, type Measurements } from '../state/measurements.js';
import type { FailureKind } from '../protocol/failure.js';
import { cellsOfThread, count, counted, durations, TIMED_METHODS } from './measures.js';
import type { Reports, WorkerPool } from './pool.js';

const RESULTS: Partial<Record<FailureKind, LoginResult>> = {
  EKEYREJECTED: 'rejected',
  EKEYEXPIRED: 'rejected',
  EAGAIN: 'rejected', // locked out
  EBUSY: 'busy',
  EUSERS: 'full',
};

/**
 * Nobody has failed yet who has a key that is not known, and now tries by password (ENOKEY); nor who was let in and asked whether a
 * directory is a share (ENOENT), and now comes to the own home.
 */
export const IS_ASKING: ReadonlySet<FailureKind> = new Set<FailureKind>(['ENOKEY', 'ENOENT']);

export function countLogin(failure?: FailureKind): void {
  if (failure !== undefined && IS_ASKING.has(failure)) return;
  count(failure === undefined ? 'accepted' : (RESULTS[failure] ?? 'failed'));
}

/** To be called on the main thread. */
export function measurements(pool: Pick<WorkerPool, 'cells'>, { reports }: Reports): Measurements {
  const main = cellsOfThread();
  const all = [main, ...pool.cells];
  const threads = [
    ['main', main] as const,
    ...pool.cells.map((cells, index) => [`worker ${index}`, cells] as const),
  ];
  return {
    logins: record(LOGIN_RESULTS, (result) => counted(result, all)),
    banned: counted('banned', all),
    bytesReceived: counted('bytesReceived', all),
    bytesSent: counted('bytesSent', all),
    leases: reports.reduce((sum, { leases }) => sum + leases, 0),
    leasesRecalled: counted('leasesRecalled', all),
    queueWaits: durations('queue', all),
    calls: record(TIMED_METHODS, (method) => durations(method, all)),
    syncs: record(SYNC_CALLS, (call) => durations(call, all)),
    loopDelays: Object.fromEntries(threads.map(([name, cells]) => [name, durations('eventLoop', [cells])])),
  };
}

function record<K extends string, V>(keys: readonly K[], value: (key: K) => V): Record<K, V> {
  return Object.fromEntries(keys.map((key) => [key, value(key)])) as Record<K, V>; // one value for each key
}
