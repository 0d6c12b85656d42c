/* What goes on: sessions, throughput, queue, workers, disks, and the last hours. */
import { formatDuration, formatSize } from '../../state/sizes.js';
import type { DaemonStatus } from '../../state/control.js';
import type { Disk } from '../disks.js';
import { MAX_SAMPLES, type Sample } from '../history.js';
import { html, type Html } from '../html.js';
import type { Page } from './frame.js';
import { bar, name, table, transferred } from './parts.js';

export interface DashboardData {
  readonly status: DaemonStatus;
  readonly disks: readonly Disk[];
  /** The oldest first. */
  readonly samples: readonly Sample[];
}

export function dashboard({ status, disks, samples }: DashboardData): Page {
  const { received = 0, sent = 0 } = samples.at(-1) ?? {};
  const silent = status.silentWorkers;
  const content = html`<div class="cards">
      ${card('Sessions', status.sessions.length, `of ${status.maxSessions}`)}
      ${card('Waiting', status.queued, `of ${status.maxQueue}`)}
      ${card('From clients', rate(received), 'in the last half minute')}
      ${card('To clients', rate(sent), 'in the last half minute')}
      ${card('Workers', status.workers, silent.length === 0 ? 'all answer' : notAnswering(silent), silent.length > 0)}
      ${disks.map(diskCard)}
    </div>
    <div class="columns">
      ${graph(
        'Throughput',
        samples,
        [
          ['from clients', ({ received }) => received],
          ['to clients', ({ sent }) => sent],
        ],
        rate,
      )}
      ${graph(
        'Sessions',
        samples,
        [
          ['open', ({ sessions }) => sessions],
          ['waiting', ({ queued }) => queued],
        ],
        String,
      )}
    </div>
    <section>
      <h2>Sessions</h2>
      ${table(
        ['User', 'From', 'Program', 'Open for', 'Received', 'Sent'],
        status.sessions.map(({ user, share, peer, program, since, activity }) => [
          html`<a href="/users/${user}">${user}</a>${share === null ? '' : ` in ${share}`}`,
          html`${peer}`,
          name(program),
          html`${formatDuration((Date.now() - since) / 1000)}`,
          transferred(activity?.bytesReceived),
          transferred(activity?.bytesSent),
        ]),
        'Nobody is connected.',
      )}
    </section>
    <p class="soft">
      ftpmountd ${status.version} on ${status.address}, process ${status.pid}, up
      ${formatDuration((Date.now() - status.startedAt) / 1000)}
    </p>`;
  return { title: 'Dashboard', content, live: true };
}

function card(title: string, figure: string | number, words: string, bad = false): Html {
  return html`<div class="card">
    <h2>${title}</h2>
    <p class="figure">${figure}</p>
    <p class="${bad ? 'bad' : ''}">${words}</p>
  </div>`;
}

function diskCard({ of, size, free }: Disk): Html {
  return html`<div class="card">
    <h2>Disk of the ${of}</h2>
    <p class="figure">${formatSize(free)} free</p>
    ${bar(size - free, size, `use of the disk of the ${of}`)}
  </div>`;
}

function notAnswering(silent: readonly number[]): string {
  return `${silent.map((worker) => `worker ${worker}`).join(', ')}: no answer`;
}

function rate(bytesPerSecond: number): string {
  return `${formatSize(Math.round(bytesPerSecond))}B/s`;
}

type Curve = readonly [label: string, value: (sample: Sample) => number];

/** The last six hours, the present at the right edge; a sample is one unit wide. */
function graph(
  title: string,
  samples: readonly Sample[],
  curves: readonly [Curve, Curve],
  format: (value: number) => string,
): Html {
  const highest = Math.max(0, ...samples.flatMap((sample) => curves.map(([, value]) => value(sample))));
  const points = ([, value]: Curve): string =>
    samples
      .map((sample, index) => {
        const x = MAX_SAMPLES - samples.length + index;
        return `${x},${(98 - (96 * value(sample)) / Math.max(highest, 1)).toFixed(1)}`;
      })
      .join(' ');
  const [[first], [second]] = curves;
  return html`<section>
    <h2>${title}</h2>
    <svg
      viewBox="0 0 ${MAX_SAMPLES} 100"
      preserveAspectRatio="none"
      role="img"
      aria-label="${title} in the last six hours, at most ${format(highest)}"
    >
      <line x1="0" y1="98" x2="${MAX_SAMPLES}" y2="98" />
      <polyline class="second" points="${points(curves[1])}" />
      <polyline points="${points(curves[0])}" />
    </svg>
    <p class="soft">Six hours, at most ${format(highest)}. Solid: ${first}; dashed: ${second}.</p>
  </section>`;
}
