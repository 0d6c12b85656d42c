/**
 * `ftpctl trash [list|restore|rm|empty] [USER@]HOST[:PATH]...`: what was removed from a home, or replaced, and is kept for a time. A
 * place is the path that a file had, that of a directory with all below it, or a pattern; none is all of it, but for rm.
 */
import { Failure } from '../protocol/failure.js';
import { joinPath, splitPath, type RemotePath } from '../protocol/ids.js';
import { parseRemotePath } from '../client/remote-path.js';
import { makePath } from './mkdir.js';
import { jsonPath, outputName } from './names.js';
import { Outcome } from './outcome.js';
import { minuteText } from './output/attributes.js';
import { writeOut } from './output/stdout.js';
import { throughLinks } from './remote/directory.js';
import { remoteArguments } from './remote/place.js';
import type { SessionOptions } from './remote/session-options.js';
import type { RemoteSession } from './remote/session.js';
import { withSharedSession } from './remote/shared-session.js';
import {
  byRemoval,
  meaning,
  spelledPlaces,
  trashItems,
  type TrashItem,
  type TrashPlace,
} from './remote/trash-items.js';
import { formatSize } from '../state/sizes.js';
import { refuseSlip } from './verb-slips.js';

export interface TrashListFlags {
  readonly humanReadable?: boolean;
  /** One JSON object a line. */
  readonly json?: boolean;
}

export interface TrashRestoreFlags {
  /** A directory of the home that stands for the home: the former paths are made below it. */
  readonly to?: string;
  /** Under another name where something has the name. */
  readonly beside?: boolean;
  /** Also what was removed earlier under the same path, each beside the others. */
  readonly all?: boolean;
}

/** The first is what is done where none is said. */
export const TRASH_VERBS = ['list', 'restore', 'rm', 'empty'];
const MAGIC = /[*?[]/;
const NO_PATH = Buffer.from('(not known)');
const SUFFIX = '.restored';
/** As wide as a time, and as the size of a file of a petabyte. */
const HEAD = 'Removed                    Size  Path\n';
const SIZE_WIDTH = 13;

/** Returns the exit code. */
export async function trash(
  texts: readonly string[],
  options: SessionOptions & TrashListFlags,
): Promise<number> {
  refuseSlip('trash', texts[0], TRASH_VERBS, (host) => `a server: ${host}:`);
  return withTrashPlaces(texts, options, (session, places) => listTrash(session, places, options));
}

/** Returns the exit code. */
export async function trashRestore(
  texts: readonly string[],
  options: SessionOptions & TrashRestoreFlags,
): Promise<number> {
  return withTrashPlaces(texts, options, (session, places) => restoreTrash(session, places, options));
}

/** Returns the exit code. */
export async function trashRm(texts: readonly string[], options: SessionOptions): Promise<number> {
  return withTrashPlaces(texts, options, removeTrash);
}

/** Returns the exit code. */
export async function trashEmpty(text: string, options: SessionOptions): Promise<number> {
  return withSharedSession(remoteArguments([text], true), options, (session, [{ path }]) => {
    if (path.length > 0) throw new Failure('USAGE', 'empty takes no path: rm removes what was there');
    return emptyTrash(session);
  });
}

/** Lists what is in the trash, of places. Returns the exit code: a failure where nothing is of one that is named. */
export async function listTrash(
  { client, signal }: RemoteSession,
  places: readonly TrashPlace[],
  flags: TrashListFlags,
): Promise<number> {
  const spelled = await spelledPlaces(client, signal, places);
  const meant = spelled.map((place) => ({ place, isMeant: meaning(place), found: place.path.length === 0 }));
  let head = HEAD;
  for await (const item of trashItems(client, signal)) {
    const by = meant.filter(({ isMeant }) => isMeant(item));
    for (const one of by) one.found = true;
    if (by.length === 0) continue;
    if (flags.json === true) {
      await writeOut(`${JSON.stringify(jsonOf(item))}\n`);
      continue;
    }
    const size = flags.humanReadable === true ? formatSize(item.bytes) : String(item.bytes);
    const figures = `${head}${minuteText(item.removed)}  ${size.padStart(SIZE_WIDTH)}  `;
    head = '';
    const shown = outputName(item.path ?? NO_PATH, process.stdout.isTTY);
    await writeOut(Buffer.concat([Buffer.from(figures), shown, Buffer.from('\n')]));
  }
  const outcome = new Outcome();
  for (const { place, found } of meant) if (!found) outcome.fail(place.shown, nothingOf(place));
  return outcome.exitCode;
}

/** Gives files names in the home again. Returns the exit code. */
export async function restoreTrash(
  session: RemoteSession,
  places: readonly TrashPlace[],
  flags: TrashRestoreFlags,
): Promise<number> {
  const top = flags.to === undefined ? undefined : parseRemotePath(flags.to);
  const outcome = new Outcome();
  const isFirst = firstTime();
  const makeParent = makingOnce(session);
  for (const place of await spelledPlaces(session.client, session.signal, places)) {
    await outcome.guard(place.shown, async () => {
      for (const item of await toRestore(session, place, flags.all === true)) {
        const { path } = item;
        if (path === undefined || !isFirst(item)) continue;
        const to = top === undefined ? path : joined(top, path);
        await outcome.guard(to, () => restoreOne(session, item, to, { ...flags, makeParent }));
      }
    });
  }
  await session.client.call('sync', [0]);
  return outcome.exitCode;
}

/** Removes for good what is in the trash, of places. Returns the exit code. USAGE: one of them is all of it. */
export async function removeTrash(
  { client, signal }: RemoteSession,
  places: readonly TrashPlace[],
): Promise<number> {
  if (places.some(({ path }) => path.length === 0)) {
    throw new Failure('USAGE', 'say the path of what rm is to remove: empty removes all of it');
  }
  const outcome = new Outcome();
  for (const place of await spelledPlaces(client, signal, places)) {
    await outcome.guard(place.shown, async () => {
      const isMeant = meaning(place);
      let found = false;
      for await (const item of trashItems(client, signal)) {
        if (!isMeant(item)) continue;
        found = true;
        await outcome.guard(item.path ?? NO_PATH, () => client.call('trashRemove', [item.id]));
      }
      if (!found) throw nothingOf(place);
    });
  }
  return outcome.exitCode;
}

/** Removes for good all that is in the trash. Returns the exit code. */
export async function emptyTrash({ client }: RemoteSession): Promise<number> {
  await client.call('trashEmpty', []);
  return 0;
}

function withTrashPlaces(
  texts: readonly string[],
  options: SessionOptions,
  use: (session: RemoteSession, places: readonly TrashPlace[]) => Promise<number>,
): Promise<number> {
  return withSharedSession(remoteArguments(texts, true), options, (session, places) =>
    use(
      session,
      places.map(({ text, path, shown }) => ({ path, isPattern: MAGIC.test(text), shown })),
    ),
  );
}

/** What a place means: of each path what was removed last, or all, the last first. ENOENT. */
async function toRestore(
  { client, signal }: RemoteSession,
  place: TrashPlace,
  all: boolean,
): Promise<readonly TrashItem[]> {
  const isMeant = meaning(place);
  const found: TrashItem[] = [];
  for await (const item of trashItems(client, signal)) if (isMeant(item)) found.push(item);
  if (found.length === 0) throw nothingOf(place);
  found.sort(byRemoval);
  if (all) return found;
  const paths = new Set<string>();
  return found.filter(({ path }) => {
    const key = path?.toString('latin1') ?? '';
    if (paths.has(key)) return false;
    paths.add(key);
    return true;
  });
}

/** Makes the directories that are missing on the way. */
async function restoreOne(
  session: RemoteSession,
  { id }: TrashItem,
  path: RemotePath,
  {
    beside = false,
    all = false,
    makeParent,
  }: TrashRestoreFlags & { makeParent: (parent: RemotePath) => Promise<void> },
): Promise<void> {
  const { parent, name } = splitPath(path);
  const restore = (as: Buffer): Promise<unknown> =>
    throughLinks(session.client, joinPath(parent, as), 'kept', (there) =>
      session.client.call('trashRestore', [id, there]),
    );
  await makeParent(parent);
  for (let tried = 0; ; tried += 1) {
    const more = tried === 0 ? '' : tried === 1 ? SUFFIX : `${SUFFIX}-${tried}`;
    try {
      await restore(Buffer.concat([name, Buffer.from(more)]));
      return;
    } catch (error) {
      const failure = Failure.from(error);
      if (failure.kind !== 'EEXIST' || session.signal.aborted) throw error;
      if (!beside && !all)
        throw new Failure('EEXIST', 'there is something of that name: --beside takes another one', {
          cause: error,
        });
    }
  }
}

/** Makes a directory with those above it, once. */
function makingOnce(session: RemoteSession): (directory: RemotePath) => Promise<void> {
  const made = new Set(['']);
  const permissions = 0o777 & ~process.umask();
  return async (directory) => {
    const key = directory.toString('latin1');
    if (made.has(key)) return;
    await makePath(session, directory, permissions);
    made.add(key);
  };
}

/** Whether an item is seen for the first time: two places may mean it. */
function firstTime(): (item: TrashItem) => boolean {
  const seen = new Set<string>();
  return ({ id }) => seen.size < seen.add(id.toString('latin1')).size;
}

function joined(top: RemotePath, path: RemotePath): RemotePath {
  return parseRemotePath(path, top);
}

function nothingOf({ path }: TrashPlace): Failure {
  return new Failure('ENOENT', path.length === 0 ? 'the trash is empty' : 'nothing of it is in the trash');
}

function jsonOf({ path, bytes, removed }: TrashItem): Record<string, unknown> {
  const at = new Date(removed.sec * 1000 + Math.floor(removed.nsec / 1e6)).toISOString();
  return { ...(path === undefined ? { path: null } : jsonPath(path)), bytes, removed: at };
}
