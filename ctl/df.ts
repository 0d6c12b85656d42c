/**
 * `ftpctl df [-h] [USER@]HOST`: the home's space and files: limit, used, and what is left by quota and disk; and what partial uploads
 * take of what is used; what is in the trash, which makes room; and how long the soft quota may still be passed.
 */
import { Failure } from '../protocol/failure.js';
import { writeOut } from './output/stdout.js';
import { formatTable } from './output/table.js';
import { homeText } from './remote/endpoint.js';
import type { SessionOptions } from './remote/session-options.js';
import { partialUploads } from './remote/partial-uploads.js';
import { remoteArguments } from './remote/place.js';
import type { RemoteSession } from './remote/session.js';
import { withSharedSession } from './remote/shared-session.js';
import { PROGRAM } from './program.js';
import { formatSize } from '../state/sizes.js';
import { sizedAdvice } from '../state/soft-quota.js';

export interface DfFlags {
  readonly humanReadable?: boolean;
}

export interface DfOptions extends SessionOptions, DfFlags {}

/** Returns the exit code. */
export async function df(place: string, options: DfOptions): Promise<number> {
  return withSharedSession(remoteArguments([place], true), options, (session) => showSpace(session, options));
}

/** Shows quota and use of a home. Returns the exit code. */
export async function showSpace(session: RemoteSession, flags: DfFlags): Promise<number> {
  const { client, signal } = session;
  const [, limit, used, free, fileLimit, files, filesFree, soft, grace, ...trash] = await client.call(
    'statfs',
    [],
  );
  const space = usage(limit, used, free);
  const inodes = usage(fileLimit, files, filesFree);
  const show = flags.humanReadable === true ? formatSize : kibibytes;
  const size = flags.humanReadable === true ? 'Size' : '1K-blocks';
  const rows = [
    ['Home', size, 'Used', 'Avail', 'Use%', 'Files', 'FUsed', 'FFree', 'FUse%'],
    [
      homeText(session),
      show(space.size),
      show(used),
      show(space.available),
      space.percent,
      String(inodes.size),
      String(files),
      String(inodes.available),
      inodes.percent,
    ],
  ];
  const right = rows[0]?.slice(1).map(() => 'right' as const) ?? [];
  const lines = formatTable(rows, ['left', ...right]);
  let uploads = 0;
  let bytes = 0;
  for await (const { received } of partialUploads(client)) {
    if (signal.aborted) throw new Failure('ECANCELED', 'interrupted');
    uploads += 1;
    bytes += received;
  }
  if (uploads > 0) {
    const count = `${uploads} partial ${uploads === 1 ? 'upload' : 'uploads'}`;
    lines.push(`of that ${formatSize(bytes)} in ${count}, which ${PROGRAM} uploads lists`);
  }
  const [trashedBytes, trashedFiles] = trash;
  if (trashedFiles > 0) {
    const size = formatSize(trashedBytes);
    lines.push(`besides what is in the trash (${size}), which makes room: ${PROGRAM} trash lists it`);
  }
  const advice = sizedAdvice(used, soft, grace);
  if (advice !== undefined) lines.push(advice);
  await writeOut(`${lines.join('\n')}\n`);
  return 0;
}

/** Without a limit the disk is one. Over a limit that was lowered, nothing is available. */
function usage(
  limit: number,
  used: number,
  free: number,
): { size: number; available: number; percent: string } {
  const size = limit === 0 ? used + free : limit;
  const available = limit === 0 ? free : Math.max(0, Math.min(limit - used, free));
  const whole = used + available;
  return { size, available, percent: whole === 0 ? '-' : `${Math.ceil((used / whole) * 100)}%` };
}

/** As df counts: what is begun is whole. */
function kibibytes(bytes: number): string {
  return String(Math.ceil(bytes / 1024));
}
