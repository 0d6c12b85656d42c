/** `ftpctl stat [--json] [USER@]HOST:PATH...`: all attributes of a file; of a symlink itself. */
import type { Attributes, Timestamp } from '../protocol/attributes.js';
import { displayName } from './names.js';
import { Outcome } from './outcome.js';
import { exactText, modeText, typeText } from './output/attributes.js';
import { writeOut } from './output/stdout.js';
import { isSymlink, throughLinks } from './remote/directory.js';
import type { SessionOptions } from './remote/session-options.js';
import { withPlaces } from './remote/matching.js';
import type { Place } from './remote/place.js';
import type { RemoteSession } from './remote/session.js';
import { pathFrom } from './remote/shared-path.js';

export interface StatFlags {
  readonly json?: boolean;
}

export interface StatOptions extends SessionOptions, StatFlags {}

/** Returns the exit code. */
export async function stat(texts: readonly string[], options: StatOptions): Promise<number> {
  return withPlaces(texts, options, (session, places) => showAttributes(session, places, options), true);
}

/** Shows the attributes of places of a home. Returns the exit code. */
export async function showAttributes(
  { client, share }: RemoteSession,
  places: readonly Place[],
  flags: StatFlags,
): Promise<number> {
  const outcome = new Outcome();
  for (const { path, shown } of places) {
    await outcome.guard(shown, async () => {
      const [attributes, link] = await throughLinks(client, path, 'kept', async (there) => {
        const found = await client.call('getattr', [there]);
        return [found, isSymlink(found) ? displayName(await client.call('readlink', [there])) : undefined];
      });
      const text =
        flags.json === true
          ? JSON.stringify(json(pathFrom(share, path).toString(), attributes, link))
          : lines(displayName(shown) || '.', attributes, link);
      await writeOut(`${text}\n`);
    });
  }
  return outcome.exitCode;
}

function lines(name: string, a: Attributes, link: string | undefined): string {
  const permissions = (a.mode & 0o7777).toString(8).padStart(4, '0');
  return [
    `  File: ${name}${link === undefined ? '' : ` -> ${link}`}`,
    `  Size: ${a.size}  Blocks: ${a.blocks}  Type: ${typeText(a.mode)}`,
    ` Inode: ${a.ino}  Links: ${a.nlink}`,
    `  Mode: ${permissions} (${modeText(a.mode)})${a.owner === null ? '' : `  Owner: ${a.owner.uid}:${a.owner.gid}`}`,
    `Access: ${exactText(a.atime)}`,
    `Modify: ${exactText(a.mtime)}`,
    `Change: ${exactText(a.ctime)}`,
    ` Birth: ${exactText(fromNanoseconds(a.birth))}`,
  ].join('\n');
}

/** Times in seconds since 1970, as text where a number would not be exact. */
function json(path: string, a: Attributes, link: string | undefined): Record<string, unknown> {
  const time = ({ sec, nsec }: Timestamp): string => `${sec}.${String(nsec).padStart(9, '0')}`;
  return {
    path,
    type: typeText(a.mode),
    mode: (a.mode & 0o7777).toString(8).padStart(4, '0'),
    size: a.size,
    blocks: a.blocks,
    inode: a.ino.toString(),
    links: a.nlink,
    ...(a.owner === null ? {} : a.owner),
    accessed: time(a.atime),
    modified: time(a.mtime),
    changed: time(a.ctime),
    born: time(fromNanoseconds(a.birth)),
    ...(link === undefined ? {} : { target: link }),
  };
}

function fromNanoseconds(birth: bigint): Timestamp {
  return { sec: Number(birth / 1_000_000_000n), nsec: Number(birth % 1_000_000_000n) };
}
