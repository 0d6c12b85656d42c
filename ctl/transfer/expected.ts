/** What a put or get comes to, found out while it is under way: so the time that is left can be told. */
import { lstat, opendir } from 'node:fs/promises';
import { S_IFMT, S_IFREG } from '../../posix/flags.js';
import type { Attributes } from '../../protocol/attributes.js';
import type { Client } from '../../protocol/session/client.js';
import type { RemotePath } from '../../protocol/ids.js';
import { isContents, lastComponent, localJoin } from '../names.js';
import type { Expected } from '../output/display.js';
import { findThere, isDirectory, openDirectory, type RemoteEntry } from '../remote/directory.js';
import type { Place } from '../remote/place.js';
import type { TransferFlags } from './command.js';
import { isExcluded } from './filter.js';

type Selection = Pick<TransferFlags, 'recursive' | 'filter' | 'hardLinks'>;

/**
 * Of what is named and what is below it, as far as it comes until `signal`. What cannot be looked at is passed over: the transfer tells
 * it.
 */
export async function expectedOf(
  sources: readonly Buffer[],
  flags: Selection,
  signal: AbortSignal,
): Promise<Expected> {
  const survey = new Survey(flags, signal);
  for (const source of sources) {
    await addHere(survey, source, isContents(source) ? Buffer.alloc(0) : lastComponent(source));
  }
  return survey;
}

/** As expectedOf(), of places of a home. */
export async function expectedThere(
  client: Client,
  sources: readonly Place[],
  flags: Selection,
  signal: AbortSignal,
): Promise<Expected> {
  const survey = new Survey(flags, signal);
  for (const source of sources) {
    await passingOver(async () => {
      const { path, attributes } = await findThere(client, source.path);
      await addThere(survey, client, { path, attributes }, source.name);
    });
  }
  return survey;
}

function addHere(survey: Survey, path: Buffer, listed: Buffer): Promise<void> {
  return passingOver(async () => {
    const status = await lstat(path);
    const type = status.isDirectory() ? 'directory' : status.isFile() ? 'file' : 'other';
    if (
      !survey.add(type, listed, {
        ino: status.ino,
        birth: status.dev,
        nlink: status.nlink,
        size: status.size,
      })
    )
      return;
    for await (const entry of await opendir(path, { encoding: 'buffer' as BufferEncoding })) {
      // node's types do not know the encoding 'buffer' here.
      const name = entry.name as unknown as Buffer;
      await addHere(survey, localJoin(path, name), localJoin(listed, name));
    }
  });
}

async function addThere(
  survey: Survey,
  client: Client,
  { path, attributes }: { readonly path: RemotePath; readonly attributes: Attributes },
  listed: Buffer,
): Promise<void> {
  const isFile = (attributes.mode & S_IFMT) === S_IFREG;
  const type = isDirectory(attributes) ? 'directory' : isFile ? 'file' : 'other';
  if (!survey.add(type, listed, attributes)) return;
  await passingOver(async () => {
    const directories: RemoteEntry[] = [];
    for await (const entry of (await openDirectory(client, path)).entries) {
      if (isDirectory(entry.attributes)) directories.push(entry);
      else await addThere(survey, client, entry, localJoin(listed, entry.name));
    }
    for (const entry of directories) await addThere(survey, client, entry, localJoin(listed, entry.name));
  });
}

/** It vanished, or may not be read. */
async function passingOver(look: () => Promise<void>): Promise<void> {
  try {
    await look();
  } catch {
    // The transfer tells it.
  }
}

/** A file, by its numbers. */
interface Counted {
  readonly ino: number | bigint;
  readonly birth: number | bigint;
  readonly nlink: number;
  readonly size: number;
}

class Survey implements Expected {
  files = 0;
  bytes = 0;
  readonly #flags: Selection;
  readonly #signal: AbortSignal;
  /** Files with several names, which are copied once. */
  readonly #linked = new Set<string>();

  constructor(flags: Selection, signal: AbortSignal) {
    this.#flags = flags;
    this.#signal = signal;
  }

  /** Counts what is to be copied. Returns whether what is in it is to be looked at. */
  add(type: 'file' | 'directory' | 'other', listed: Buffer, counted: Counted): boolean {
    if (this.#signal.aborted) return false;
    const isEntered = type === 'directory';
    if (listed.length > 0 && isExcluded(this.#flags.filter ?? [], listed, isEntered)) return false;
    if (type === 'file') this.#count(counted);
    return isEntered && this.#flags.recursive === true;
  }

  #count({ ino, birth, nlink, size }: Counted): void {
    if (this.#flags.hardLinks === true && nlink > 1) {
      const file = `${birth}:${ino}`;
      if (this.#linked.has(file)) return;
      this.#linked.add(file);
    }
    this.files += 1;
    this.bytes += size;
  }
}
