/** `ftpctl ls [USER@]HOST:PATH...`: lists directories and files of a home, one name a line, in the order of their bytes. */
import type { Attributes } from '../protocol/attributes.js';
import type { Client } from '../protocol/session/client.js';
import { displayName, outputName } from './names.js';
import { Outcome } from './outcome.js';
import { minuteText, modeText } from './output/attributes.js';
import { writeOut } from './output/stdout.js';
import { formatTable } from './output/table.js';
import {
  find,
  isDirectory,
  isSymlink,
  openDirectory,
  sortedEntries,
  throughLinks,
  type RemoteDirectory,
} from './remote/directory.js';
import type { SessionOptions } from './remote/session-options.js';
import { withPlaces } from './remote/matching.js';
import type { Place } from './remote/place.js';
import type { RemoteSession } from './remote/session.js';
import { formatSize } from '../state/sizes.js';

export interface LsFlags {
  readonly long?: boolean;
  readonly all?: boolean;
  readonly humanReadable?: boolean;
}

export interface LsOptions extends SessionOptions, LsFlags {}

interface Listed {
  readonly name: Buffer;
  readonly attributes: Attributes;
  readonly target: Buffer | null;
}

const NEWLINE = Buffer.from('\n');
const ARROW = Buffer.from(' -> ');
const DOT = 0x2e;

/** Returns the exit code. */
export async function ls(texts: readonly string[], options: LsOptions): Promise<number> {
  return withPlaces(texts, options, (session, places) => list(session, places, options), true);
}

/** Lists places of a home. Returns the exit code. */
export async function list(
  { client }: RemoteSession,
  places: readonly Place[],
  flags: LsFlags,
): Promise<number> {
  const outcome = new Outcome();
  for (const [index, place] of places.entries()) {
    const { shown } = place;
    await outcome.guard(shown, async () => {
      const listing = await listingOf(client, place, flags);
      if (!('entries' in listing)) return print([{ name: shown, ...listing }], flags);
      const entries = await sortedEntries(listing);
      if (places.length > 1) await writeOut(`${index === 0 ? '' : '\n'}${displayName(shown) || '.'}:\n`);
      return print(
        entries.filter(({ name }) => flags.all === true || name[0] !== DOT),
        flags,
      );
    });
  }
  return outcome.exitCode;
}

/** What a place is; a link to a directory is that, but for --long, as ls has it. */
async function listingOf(
  client: Client,
  { path, text }: Place,
  flags: LsFlags,
): Promise<RemoteDirectory | Omit<Listed, 'name'>> {
  const found = await throughLinks(client, path, 'kept', async (there) => ({
    path: there,
    attributes: await client.call('getattr', [there]),
  }));
  if (!isSymlink(found.attributes))
    return isDirectory(found.attributes)
      ? openDirectory(client, found.path)
      : { attributes: found.attributes, target: null };
  const target = await client.call('readlink', [found.path]);
  if (flags.long !== true || text.endsWith('/')) {
    const led = await find(client, found.path);
    if (led.attributes !== undefined && isDirectory(led.attributes)) return openDirectory(client, led.path);
  }
  return { attributes: found.attributes, target };
}

async function print(entries: readonly Listed[], flags: LsFlags): Promise<void> {
  const terminal = process.stdout.isTTY;
  const heads = flags.long === true ? longHeads(entries, flags) : undefined;
  for (const [index, { name, target }] of entries.entries()) {
    const pieces = [outputName(name, terminal)];
    if (heads !== undefined) {
      pieces.unshift(Buffer.from(`${heads[index] ?? ''}  `));
      if (target !== null) pieces.push(ARROW, outputName(target, terminal));
    }
    await writeOut(Buffer.concat([...pieces, NEWLINE]));
  }
}

function longHeads(entries: readonly Listed[], flags: LsFlags): string[] {
  const rows = entries.map(({ attributes }) => [
    modeText(attributes.mode),
    String(attributes.nlink),
    flags.humanReadable === true ? formatSize(attributes.size) : String(attributes.size),
    minuteText(attributes.mtime),
  ]);
  return formatTable(rows, ['left', 'right', 'right', 'left']);
}
