/*
 * What a daemon did between two looks at it: rates, of all and of each session. Pure; the looks are the daemon's answers to
 * `status` and `measurements`.
 */
import type { DaemonStatus, SessionStatus } from '../../state/control.js';
import type { Durations, Measurements } from '../../state/measurements.js';

export interface Look {
  /** Milliseconds that only grow. */
  readonly at: number;
  readonly status: DaemonStatus;
  readonly measurements: Measurements;
}

/** A second each. */
export interface Rates {
  readonly calls: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
}

export interface SessionRates extends Omit<SessionStatus, 'activity'> {
  /** Null: its worker does not answer. */
  readonly rates: Rates | null;
}

export interface Activity extends Omit<DaemonStatus, 'sessions' | 'uses'> {
  /** Of all sessions. */
  readonly rates: Rates;
  readonly syncsPerSecond: number;
  /** Mean times in milliseconds of what ended meanwhile; null: nothing did. */
  readonly callMs: number | null;
  readonly syncMs: number | null;
  readonly queueMs: number | null;
  /** By how much the threads were late (milliseconds, mean), by name; null: not known yet. */
  readonly lateMs: Readonly<Record<string, number | null>>;
  /** The busiest first. */
  readonly sessions: readonly SessionRates[];
}

export function activityBetween(before: Look, after: Look): Activity {
  const seconds = (after.at - before.at) / 1000;
  const { sessions, uses: _, ...status } = after.status;
  const former = new Map(before.status.sessions.map((session) => [keyOf(session), session]));
  const [was, is] = [before.measurements, after.measurements];
  const calls = between(sumOf(was.calls), sumOf(is.calls));
  const syncs = between(sumOf(was.syncs), sumOf(is.syncs));
  return {
    ...status,
    rates: {
      calls: calls.count / seconds,
      bytesReceived: (is.bytesReceived - was.bytesReceived) / seconds,
      bytesSent: (is.bytesSent - was.bytesSent) / seconds,
    },
    syncsPerSecond: syncs.count / seconds,
    callMs: calls.meanMs,
    syncMs: syncs.meanMs,
    queueMs: between(totalOf(was.queueWaits), totalOf(is.queueWaits)).meanMs,
    lateMs: Object.fromEntries(
      Object.entries(is.loopDelays).map(([thread, delays]) => {
        const earlier = was.loopDelays[thread];
        const from = earlier === undefined ? { count: 0, ms: 0 } : totalOf(earlier);
        return [thread, between(from, totalOf(delays)).meanMs];
      }),
    ),
    sessions: sessions
      .map((session) => ({ session, earlier: former.get(keyOf(session)) }))
      .map(({ session: { activity, ...session }, earlier }) => ({
        ...session,
        rates: activity === null ? null : ratesOf(earlier?.activity ?? NOTHING, activity, seconds),
      }))
      .toSorted((a, b) => weightOf(b) - weightOf(a)),
  };
}

const NOTHING = { requests: 0, bytesReceived: 0, bytesSent: 0 };

interface Total {
  readonly count: number;
  readonly ms: number;
}

function ratesOf(
  before: typeof NOTHING,
  { requests, bytesReceived, bytesSent }: typeof NOTHING,
  seconds: number,
): Rates {
  return {
    calls: (requests - before.requests) / seconds,
    bytesReceived: (bytesReceived - before.bytesReceived) / seconds,
    bytesSent: (bytesSent - before.bytesSent) / seconds,
  };
}

function totalOf({ totalMs, counts }: Durations): Total {
  return { count: counts.reduce((sum, count) => sum + count, 0), ms: totalMs };
}

function sumOf(all: Readonly<Record<string, Durations>>): Total {
  return Object.values(all)
    .map(totalOf)
    .reduce((sum, { count, ms }) => ({ count: sum.count + count, ms: sum.ms + ms }), { count: 0, ms: 0 });
}

function between(before: Total, after: Total): { count: number; meanMs: number | null } {
  const count = after.count - before.count;
  return { count, meanMs: count > 0 ? (after.ms - before.ms) / count : null };
}

/** No two connections have the same peer at the same time. */
function keyOf({ peer, since }: SessionStatus): string {
  return `${peer} ${since}`;
}

function weightOf({ rates }: SessionRates): number {
  return rates === null ? 0 : rates.bytesReceived + rates.bytesSent + rates.calls;
}
