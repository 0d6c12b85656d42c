/**
 * `ftpctl uploads [list|rm] [USER@]HOST[:PATH]...`: what interrupted uploads left in a home, to be gone on with until it expires.
 * A place is that of the file to be, or a directory with all below it; none is the whole home.
 */
import { Failure } from '../protocol/failure.js';
import { pathBelow, type RemotePath, type ShareName } from '../protocol/ids.js';
import { jsonPath, outputName } from './names.js';
import { Outcome } from './outcome.js';
import { minuteText } from './output/attributes.js';
import { writeOut } from './output/stdout.js';
import { formatTable } from './output/table.js';
import { find } from './remote/directory.js';
import { partialUploads, type PartialUpload } from './remote/partial-uploads.js';
import { remoteArguments, type Place } from './remote/place.js';
import type { SessionOptions } from './remote/session-options.js';
import type { RemoteSession } from './remote/session.js';
import { pathFrom } from './remote/shared-path.js';
import { withSharedSession } from './remote/shared-session.js';
import { formatSize } from '../state/sizes.js';
import { refuseSlip } from './verb-slips.js';

export interface UploadsFlags {
  readonly humanReadable?: boolean;
  /** One JSON object a line. */
  readonly json?: boolean;
}

export interface UploadsOptions extends SessionOptions, UploadsFlags {}

/** The first is what is done where none is said. */
export const UPLOADS_VERBS = ['list', 'rm'];
const NO_PATH = Buffer.from('(not known)');
const UNITS = [
  [86_400, 'd'],
  [3600, 'h'],
  [60, 'm'],
] as const;

/** Returns the exit code. */
export async function uploads(texts: readonly string[], options: UploadsOptions): Promise<number> {
  refuseSlip('uploads', texts[0], UPLOADS_VERBS, (host) => `a server: ${host}:`);
  return withSharedSession(remoteArguments(texts, true), options, (session, places) =>
    listUploads(session, places, options),
  );
}

/** Returns the exit code. */
export async function uploadsRm(texts: readonly string[], options: SessionOptions): Promise<number> {
  return withSharedSession(remoteArguments(texts, true), options, removeUploads);
}

/** Lists the partial uploads of places. Returns the exit code: a failure where there is none of one that is named. */
export async function listUploads(
  session: RemoteSession,
  places: readonly Place[],
  flags: UploadsFlags,
): Promise<number> {
  const outcome = new Outcome();
  const byId = new Map<string, PartialUpload>();
  for (const place of places) {
    await outcome.guard(place.shown, async () => {
      for (const upload of await uploadsOf(session, place)) byId.set(upload.id.toString('latin1'), upload);
    });
  }
  const found = [...byId.values()].toSorted(byPath);
  if (flags.json === true) {
    for (const upload of found) await writeOut(`${JSON.stringify(jsonOf(upload))}\n`);
    return outcome.exitCode;
  }
  if (found.length === 0) return outcome.exitCode;
  const show = flags.humanReadable === true ? formatSize : String;
  const rows = found.map(({ received, size, age, left, isUnderWay }) => [
    show(received),
    size === undefined ? '-' : show(size),
    isUnderWay ? '-' : ageText(age),
    isUnderWay ? 'under way' : expiryText(left),
  ]);
  const [head, ...lines] = formatTable(
    [['Received', 'Size', 'Age', 'Expires', 'Path'], ...rows.map((row) => [...row, ''])],
    ['right', 'right', 'right', 'left', 'left'],
  );
  await writeOut(`${head}\n`);
  const width = (head ?? '').length - 'Path'.length;
  for (const [index, { path = NO_PATH }] of found.entries()) {
    const shown = outputName(path, process.stdout.isTTY);
    await writeOut(
      Buffer.concat([Buffer.from((lines[index] ?? '').padEnd(width)), shown, Buffer.from('\n')]),
    );
  }
  return outcome.exitCode;
}

/** Throws the partial uploads of places away. Returns the exit code. */
export async function removeUploads(session: RemoteSession, places: readonly Place[]): Promise<number> {
  const outcome = new Outcome();
  for (const place of places) {
    await outcome.guard(place.shown, async () => {
      for (const { id, path = NO_PATH } of await uploadsOf(session, place))
        await outcome.guard(path, () => session.client.call('uploadRemove', [id]).then(() => undefined));
    });
  }
  return outcome.exitCode;
}

/** In the order of their paths. ENOENT: there is none, of a place that is not the whole home. */
async function uploadsOf({ client, share, signal }: RemoteSession, place: Place): Promise<PartialUpload[]> {
  const { path: top } = await find(client, place.path);
  const found: PartialUpload[] = [];
  for await (const upload of partialUploads(client)) {
    if (signal.aborted) throw new Failure('ECANCELED', 'interrupted');
    if (isWithin(top, upload.path)) found.push(shownUpload(upload, share));
  }
  if (found.length === 0 && place.path.length > 0)
    throw new Failure('ENOENT', 'there is no partial upload of it, nor below it');
  return found.toSorted(byPath);
}

function byPath(a: PartialUpload, b: PartialUpload): number {
  return Buffer.compare(a.path ?? NO_PATH, b.path ?? NO_PATH);
}

/** By its path in the own home. */
function shownUpload(upload: PartialUpload, share: ShareName | undefined): PartialUpload {
  return upload.path === undefined ? upload : { ...upload, path: pathFrom(share, upload.path) };
}

/** What is not known is in the home. */
function isWithin(top: RemotePath, path: RemotePath | undefined): boolean {
  return path === undefined ? top.length === 0 : pathBelow(top, path) !== undefined;
}

function jsonOf({ path, size, received, age, left, isUnderWay }: PartialUpload): Record<string, unknown> {
  return {
    ...(path === undefined ? { path: null } : jsonPath(path)),
    received,
    size: size ?? null,
    age,
    expires: left,
    underWay: isUnderWay,
  };
}

function ageText(seconds: number): string {
  const [length, letter] = UNITS.find(([unit]) => seconds >= unit) ?? [1, 's'];
  return `${Math.floor(seconds / length)}${letter}`;
}

/** By the clock of this machine. */
function expiryText(secondsLeft: number): string {
  return minuteText({ sec: Math.floor(Date.now() / 1000) + secondsLeft, nsec: 0 });
}
