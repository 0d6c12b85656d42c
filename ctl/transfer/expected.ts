/** What a put comes to, found out while it is under way: so the time that is left can be told. */
import type { Stats } from 'node:fs';
import { lstat, opendir } from 'node:fs/promises';
import { isContents, lastComponent, localJoin } from '../names.js';
import type { Expected } from '../output/display.js';
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
    await survey.add(source, isContents(source) ? Buffer.alloc(0) : lastComponent(source));
  }
  return survey;
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

  async add(path: Buffer, listed: Buffer): Promise<void> {
    if (this.#signal.aborted) return;
    try {
      const status = await lstat(path);
      if (listed.length > 0 && isExcluded(this.#flags.filter ?? [], listed, status.isDirectory())) return;
      if (status.isFile()) this.#count(status);
      if (!status.isDirectory() || this.#flags.recursive !== true) return;
      for await (const entry of await opendir(path, { encoding: 'buffer' as BufferEncoding })) {
        // node's types do not know the encoding 'buffer' here.
        const name = entry.name as unknown as Buffer;
        await this.add(localJoin(path, name), localJoin(listed, name));
      }
    } catch {
      // It vanished, or may not be read.
    }
  }

  #count({ dev, ino, nlink, size }: Stats): void {
    if (this.#flags.hardLinks === true && nlink > 1) {
      const file = `${dev}:${ino}`;
      if (this.#linked.has(file)) return;
      this.#linked.add(file);
    }
    this.files += 1;
    this.bytes += size;
  }
}
