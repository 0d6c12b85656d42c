/*
 * What a running daemon has measured since it started, as it answers when asked: for /metrics, and for whoever watches it.
 */
import type { MethodName } from '../protocol/methods.js';

/** How logins end. */
export const LOGIN_RESULTS = ['accepted', 'rejected', 'busy', 'full', 'failed'] as const;
export type LoginResult = (typeof LOGIN_RESULTS)[number];

/** Calls that wait for the server's disk. */
export const SYNC_CALLS = ['fsync', 'fdatasync', 'syncfs'] as const;
export type SyncCall = (typeof SYNC_CALLS)[number];

/** Upper bounds of the classes of durations, in microseconds: each four times the one before, from 64 µs to 18 minutes. */
export const DURATION_BOUNDS: readonly number[] = Array.from({ length: 13 }, (_, index) => 64 * 4 ** index);

/** How long something took, all times that it was done. */
export interface Durations {
  readonly totalMs: number;
  /** One for each of DURATION_BOUNDS, and one for what took longer. */
  readonly counts: readonly number[];
}

export interface Measurements {
  readonly logins: Readonly<Record<LoginResult, number>>;
  /** Connections that were refused because of a ban. */
  readonly banned: number;
  /** Bytes of all sessions on the network. */
  readonly bytesReceived: number;
  readonly bytesSent: number;
  /** Units of leases (files and directories) that clients hold now, and that ever were asked back. */
  readonly leases: number;
  readonly leasesRecalled: number;
  /** From the login to the session, of those who were admitted. */
  readonly queueWaits: Durations;
  /** From the request's arrival to its answer; what others hold up is in it. */
  readonly calls: Readonly<Record<MethodName, Durations>>;
  readonly syncs: Readonly<Record<SyncCall, Durations>>;
  /** By how much the threads were late, looked at ten times a second, by the name of the thread. */
  readonly loopDelays: Readonly<Record<string, Durations>>;
}
