/*
 * The partial files of uploads, in the daemon's own directory of the home.
 *
 * A name is KEY-FINGERPRINT in hex: the key of the path where the file will appear, and the fingerprint of the source. So
 * the directory alone tells what can be resumed; the store only saves hashing it again. Partial files are charged like any
 * other file; the directory itself is not.
 */
import { createHash } from 'node:crypto';
import type { RemotePath } from '../../protocol/ids.js';
import { readEntries } from '../../posix/directory.js';
import type { Fd } from '../../posix/fd.js';
import { close } from '../../posix/files.js';
import { unlinkat } from '../../posix/names.js';
import type { Status } from '../../posix/status.js';
import { statusIfAny, type ConfinedTree } from './confined.js';
import type { OpenFiles } from './open-files.js';
import type { Quota } from './quota.js';

const KEY_HEX = 32;
const SCRATCH_BYTES = 32 * 1024;

/** What a path's upload is filed under: 32 hex digits. */
export function uploadKey(path: RemotePath): string {
  return createHash('sha256').update(path).digest('hex').slice(0, KEY_HEX);
}

export function partialName(key: string, fingerprint: Buffer): string {
  return `${key}-${fingerprint.toString('hex')}`;
}

/** The key in a partial file's name. */
export function keyOfPartial(name: string): string {
  return name.slice(0, KEY_HEX);
}

export class PartialFiles {
  readonly #tree: ConfinedTree;
  readonly #quota: Quota;
  readonly #openFiles: OpenFiles;

  constructor(parts: { tree: ConfinedTree; quota: Quota; openFiles: OpenFiles }) {
    this.#tree = parts.tree;
    this.#quota = parts.quota;
    this.#openFiles = parts.openFiles;
  }

  /** Acts on the directory of the partial files, made where it is missing; its descriptor is good during the call. */
  within<T>(act: (directory: Fd) => T): T {
    return closing(this.#tree.openReserved() ?? this.#tree.makeReserved(), act);
  }

  /** All partial files. */
  list(): { name: string; status: Status }[] {
    const found: { name: string; status: Status }[] = [];
    const scratch = Buffer.allocUnsafe(SCRATCH_BYTES);
    this.#withinExisting((directory) => {
      for (;;) {
        const records = readEntries(directory, scratch);
        if (records.length === 0) return;
        for (const record of records) {
          const status = statusIfAny(directory, record.name);
          if (status !== undefined) found.push({ name: record.name.toString('latin1'), status });
        }
      }
    });
    return found;
  }

  /** Removes one, and gives back its charge; one that is gone already is fine. */
  remove(name: string): void {
    this.#withinExisting((directory) => {
      const bytes = Buffer.from(name, 'latin1');
      const before = statusIfAny(directory, bytes);
      if (before === undefined) return;
      this.#quota.prepare();
      unlinkat(directory, bytes, 0);
      this.#openFiles.nameRemoved(before);
    });
  }

  /** Nothing happens where there is no such directory: a home that is full or read-only can still be opened. */
  #withinExisting(act: (directory: Fd) => void): void {
    const directory = this.#tree.openReserved();
    if (directory !== undefined) closing(directory, act);
  }
}

function closing<T>(directory: Fd, act: (directory: Fd) => T): T {
  try {
    return act(directory);
  } finally {
    close(directory);
  }
}
