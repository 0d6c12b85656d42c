/** `ftpctl ls [USER@]HOST:PATH...`: lists directories and files of a home, one name a line, in the order of their bytes. */
import type { Attributes } from '../protocol/attributes.js';
import { displayName, outputName } from './names.js';
import { Outcome } from './outcome.js';
import { minuteText, modeText } from './output/attributes.js';
import { writeOut } from './output/stdout.js';
import { formatTable } from './output/table.js';
import { isDirectory, isSymlink, openDirectory, sortedEntries } from './remote/directory.js';
import type { SessionOptions } from './remote/session-options.js';
import { remoteArguments, withSession } from './remote/session.js';
import { formatSize } from './sizes.js';

export interface LsOptions extends SessionOptions {
  readonly long?: boolean;
  readonly all?: boolean;
  readonly humanReadable?: boolean;
}

interface Listed {
  readonly name: Buffer;
  readonly attributes: Attributes;
  readonly target: Buffer | null;
}

const NEWLINE = Buffer.from('\n');
const ARROW = Buffer.from(' -> ');
const DOT = 0x2e;

/** Returns the exit code. */
export async function ls(places: readonly string[], options: LsOptions): Promise<number> {
  const { target, paths } = remoteArguments(places, true);
  const outcome = new Outcome();
  await withSession(target, options, async ({ client }) => {
    for (const [index, path] of paths.entries()) {
      await outcome.guard(path, async () => {
        const attributes = await client.call('getattr', [path]);
        if (!isDirectory(attributes)) {
          const target = isSymlink(attributes) ? await client.call('readlink', [path]) : null;
          return print([{ name: path, attributes, target }], options);
        }
        const entries = await sortedEntries(await openDirectory(client, path));
        if (paths.length > 1) await writeOut(`${index === 0 ? '' : '\n'}${displayName(path) || '.'}:\n`);
        const shown = entries.filter(({ name }) => options.all === true || name[0] !== DOT);
        return print(shown, options);
      });
    }
  });
  return outcome.exitCode;
}

async function print(entries: readonly Listed[], options: LsOptions): Promise<void> {
  const terminal = process.stdout.isTTY;
  const heads = options.long === true ? longHeads(entries, options) : undefined;
  for (const [index, { name, target }] of entries.entries()) {
    const pieces = [outputName(name, terminal)];
    if (heads !== undefined) {
      pieces.unshift(Buffer.from(`${heads[index] ?? ''}  `));
      if (target !== null) pieces.push(ARROW, outputName(target, terminal));
    }
    await writeOut(Buffer.concat([...pieces, NEWLINE]));
  }
}

function longHeads(entries: readonly Listed[], options: LsOptions): string[] {
  const rows = entries.map(({ attributes }) => [
    modeText(attributes.mode),
    String(attributes.nlink),
    options.humanReadable === true ? formatSize(attributes.size) : String(attributes.size),
    minuteText(attributes.mtime),
  ]);
  return formatTable(rows, ['left', 'right', 'right', 'left']);
}
