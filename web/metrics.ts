/* Which metrics there are: docs/operations.md lists them. */
import type { DaemonStatus } from '../state/control.js';
import type { HomeRecord } from '../state/home-record.js';
import { LOGIN_RESULTS, SYNC_CALLS, type Durations, type Measurements } from '../state/measurements.js';
import type { Disk } from './disks.js';
import { Exposition, type Sample } from './exposition.js';
import type { ShareRow } from '../state/share-rows.js';
import type { UserRow } from '../state/user-rows.js';

export interface Observed {
  readonly status: DaemonStatus;
  readonly measurements: Measurements;
  readonly users: readonly UserRow[];
  readonly shares: readonly ShareRow[];
  readonly disks: readonly Disk[];
  /** How many there are. */
  readonly bans: number;
}

/** A home, whose it is, and what is used and allowed there. */
interface QuotaRow extends Pick<UserRow, 'use'> {
  readonly limits: Pick<HomeRecord, 'quotaBytes' | 'maxFiles'>;
  readonly labels: Readonly<Record<string, string>>;
}

/** The answer of /metrics. */
export function formatMetrics({ status, measurements, users, shares, disks, bans }: Observed): string {
  const e = new Exposition();
  const { logins, calls, syncs, loopDelays } = measurements;
  const quotas: readonly QuotaRow[] = [
    ...users.map(({ account, use }) => ({ limits: account, use, labels: { user: account.name } })),
    ...shares.map(({ share, use }) => ({ limits: share, use, labels: { share: share.name } })),
  ];

  e.gauge('ftpmount_build_info', 'The version of the daemon.', [[1, { version: status.version }]]);
  e.gauge('ftpmount_start_time_seconds', 'When the daemon started, since 1970.', [[status.startedAt / 1000]]);
  e.counter('process_cpu_seconds_total', 'Processor time of the daemon.', [[cpuSeconds()]]);
  e.gauge('process_resident_memory_bytes', 'Memory of the daemon.', [[process.memoryUsage.rss()]]);
  e.gauge('ftpmount_silent_workers', 'Workers that do not answer.', [[status.silentWorkers.length]]);
  e.histogram(
    'ftpmount_event_loop_delay_seconds',
    'By how much a thread is late, looked at ten times a second.',
    histograms(loopDelays, 'thread'),
  );

  e.gauge('ftpmount_sessions', 'Sessions that are open.', [[status.sessions.length]]);
  e.gauge('ftpmount_sessions_limit', 'max-sessions.', [[status.maxSessions]]);
  e.gauge('ftpmount_queue_length', 'Clients that wait for a session.', [[status.queued]]);
  e.gauge('ftpmount_queue_limit', 'max-queue.', [[status.maxQueue]]);
  e.histogram('ftpmount_queue_wait_seconds', 'From the login to the session.', [[measurements.queueWaits]]);
  e.counter(
    'ftpmount_logins_total',
    'Logins by how they ended.',
    LOGIN_RESULTS.map((result) => [logins[result], { result }]),
  );

  e.counter('ftpmount_banned_connections_total', 'Connections that bans refused.', [[measurements.banned]]);
  e.gauge('ftpmount_bans', 'Bans that are in force.', [[bans]]);

  e.counter('ftpmount_received_bytes_total', 'Bytes from clients, of sessions.', [
    [measurements.bytesReceived],
  ]);
  e.counter('ftpmount_sent_bytes_total', 'Bytes to clients, of sessions.', [[measurements.bytesSent]]);
  e.histogram(
    'ftpmount_call_duration_seconds',
    'Calls of clients, from the arrival of the request to its answer.',
    histograms(calls, 'method'),
  );
  e.gauge('ftpmount_leases', 'Files and directories that clients are leased.', [[measurements.leases]]);
  e.counter('ftpmount_leases_recalled_total', 'Leases that were asked back.', [
    [measurements.leasesRecalled],
  ]);

  e.histogram(
    'ftpmount_sync_duration_seconds',
    'Waits for the disk of the homes.',
    SYNC_CALLS.map((call) => [syncs[call], { call }]),
  );
  e.gauge(
    'ftpmount_disk_size_bytes',
    'Size of the disk of the homes, and of the state.',
    disks.map(({ of, size }) => [size, { of }]),
  );
  e.gauge(
    'ftpmount_disk_free_bytes',
    'What of it is free.',
    disks.map(({ of, free }) => [free, { of }]),
  );

  e.gauge(
    'ftpmount_quota_used_bytes',
    'Use of each user, without the trash, and of each share.',
    quotas.flatMap(use('bytes')),
  );
  e.gauge(
    'ftpmount_quota_limit_bytes',
    'Quota of each user and share that has one.',
    quotas.flatMap(limit('quotaBytes')),
  );
  e.gauge(
    'ftpmount_trash_bytes',
    'What is in the trash of each user, and makes room by itself.',
    users.map(({ account, trashed }) => [trashed.bytes, { user: account.name }]),
  );
  e.gauge('ftpmount_quota_used_files', 'Files of each user and share.', quotas.flatMap(use('files')));
  e.gauge(
    'ftpmount_quota_limit_files',
    'Limit of files of each user and share that has one.',
    quotas.flatMap(limit('maxFiles')),
  );
  return e.toString();
}

/** Those that happened: methods that nobody calls would be most of the text. */
function histograms(all: Readonly<Record<string, Durations>>, label: string): Sample<Durations>[] {
  return Object.entries(all)
    .filter(([, { counts }]) => counts.some((count) => count > 0))
    .map(([name, durations]) => [durations, { [label]: name }]);
}

function use(what: 'bytes' | 'files') {
  return ({ use, labels }: QuotaRow): Sample[] => (use === undefined ? [] : [[use[what], labels]]);
}

function limit(what: 'quotaBytes' | 'maxFiles') {
  return ({ limits, labels }: QuotaRow): Sample[] => (limits[what] === 0 ? [] : [[limits[what], labels]]);
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
