/* A daemon's activity as lines, for a terminal of some size: what there is no room for is left out, and said to be. */
import { printable } from '../../program/report.js';
import { formatDuration, formatSize } from '../../state/sizes.js';
import { formatTable } from '../output/table.js';
import type { Activity, SessionRates } from './activity.js';

/** Infinity: no bound. */
export interface Room {
  readonly columns: number;
  readonly rows: number;
}

const HEAD = ['Recv/s', 'Sent/s', 'Calls/s', 'Open', 'User', 'Share', 'Peer', 'Program'];
const ALIGNMENTS = ['right', 'right', 'right', 'right', 'left', 'left', 'left', 'left'] as const;

/** `now`: milliseconds since 1970. */
export function activityLines(activity: Activity, now: number, { columns, rows }: Room): string[] {
  const summary = [...summaryOf(activity, now), ''];
  const room = Math.max(0, rows - summary.length);
  return [...summary, ...sessionLines(activity.sessions, now, room)]
    .slice(0, rows)
    .map((line) => line.slice(0, columns));
}

function summaryOf(activity: Activity, now: number): string[] {
  const { version, pid, address, startedAt, sessions, maxSessions, queued, maxQueue, rates } = activity;
  const up = formatDuration((now - startedAt) / 1000);
  const silent = activity.silentWorkers.map((worker) => `; worker ${worker} does not answer`);
  const late = Object.entries(activity.lateMs).map(([thread, ms]) => `${thread} ${milliseconds(ms)}`);
  return [
    `ftpmountd ${version}, process ${pid}, on ${address}, up ${up}`,
    `sessions  ${sessions.length} of ${maxSessions}; waiting ${queued} of ${maxQueue}, for ${milliseconds(activity.queueMs)}`,
    `traffic   received ${rate(rates.bytesReceived)}, sent ${rate(rates.bytesSent)}`,
    `calls     ${count(rates.calls)}/s, each ${milliseconds(activity.callMs)}; syncs ${count(activity.syncsPerSecond)}/s, each ${milliseconds(activity.syncMs)}`,
    `workers   ${activity.workers}${silent.join('')}`,
    `late by   ${late.join(', ')}`,
  ];
}

/** In at most so many lines. */
function sessionLines(sessions: readonly SessionRates[], now: number, room: number): string[] {
  if (sessions.length === 0) return ['nobody is connected'].slice(0, room);
  const table = sessions.map(({ rates, since, user, share, peer, program }) => [
    rates === null ? '-' : formatSize(Math.round(rates.bytesReceived)),
    rates === null ? '-' : formatSize(Math.round(rates.bytesSent)),
    rates === null ? '-' : count(rates.calls),
    formatDuration((now - since) / 1000),
    user,
    share ?? '-',
    peer,
    printable(program),
  ]);
  if (table.length < room) return formatTable([HEAD, ...table], ALIGNMENTS);
  const shown = Math.max(0, room - 2);
  const lines = formatTable([HEAD, ...table.slice(0, shown)], ALIGNMENTS);
  return [...lines, `and ${sessions.length - shown} more, less busy`];
}

function rate(bytesPerSecond: number): string {
  return `${formatSize(Math.round(bytesPerSecond))}B/s`;
}

function count(perSecond: number): string {
  return perSecond < 9.95 ? perSecond.toFixed(1) : perSecond.toFixed(0);
}

function milliseconds(ms: number | null): string {
  return ms === null ? '-' : `${ms < 9.95 ? ms.toFixed(1) : ms.toFixed(0)} ms`;
}
