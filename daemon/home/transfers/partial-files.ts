/*
 * The partial files of uploads, in the daemon's own directory of the home.
 *
 * A name is KEY-FINGERPRINT in hex: the key of the path where the file will appear, and the fingerprint of the source; of a
 * stream it is KEY-stream. So the directory alone tells what can be resumed; the store only saves hashing it again. Partial files are charged like any
 * other file; the directory itself is not.
 *
 * Invariants: the names are read once, and known from then on, so that beginning an upload costs the same however many there
 * are; there are MAX_PARTIAL_FILES at most, unless they came from elsewhere.
 */
import { createHash } from 'node:crypto';
import { Failure } from '../../../protocol/failure.js';
import type { RemotePath } from '../../../protocol/ids.js';
import { readEntries } from '../../../posix/directory.js';
import type { Fd } from '../../../posix/fd.js';
import { unlinkat } from '../../../posix/names.js';
import type { Status } from '../../../posix/status.js';
import { isOwnName } from '../../../state/home-layout.js';
import { closing, statusIfAny, type ConfinedTree } from '../disk/confined.js';
import type { HeldFiles } from '../files/held-files.js';
import type { Quota } from '../quota/quota.js';

/** Of one home. Far more than anybody uploads at a time; the names are kept in memory. */
export const MAX_PARTIAL_FILES = 10_000;

const KEY_HEX = 32;
const STREAM_SUFFIX = '-stream';
const SCRATCH_BYTES = 32 * 1024;

/** What a path's upload is filed under: 32 hex digits. */
export function uploadKey(path: RemotePath): string {
  return createHash('sha256').update(path).digest('hex').slice(0, KEY_HEX);
}

/** Without a source: that of a stream. */
export function partialName(key: string, source: { readonly fingerprint: Buffer } | undefined): string {
  return `${key}${source === undefined ? STREAM_SUFFIX : `-${source.fingerprint.toString('hex')}`}`;
}

/** Whether nobody can go on with it. */
export function isStreamPartial(name: string): boolean {
  return name.endsWith(STREAM_SUFFIX);
}

/** The key in a partial file's name. */
export function keyOfPartial(name: string): string {
  return name.slice(0, KEY_HEX);
}

export interface PartialFile {
  readonly name: string;
  readonly status: Status;
}

export class PartialFiles {
  readonly #tree: ConfinedTree;
  readonly #quota: Quota;
  readonly #held: HeldFiles;
  /** By key; undefined until they are asked for. */
  #names: Map<string, Set<string>> | undefined;
  #count = 0;

  constructor(parts: { tree: ConfinedTree; quota: Quota; held: HeldFiles }) {
    this.#tree = parts.tree;
    this.#quota = parts.quota;
    this.#held = parts.held;
  }

  /** Acts on the directory of the partial files, made where it is missing; its descriptor is good during the call. */
  within<T>(act: (directory: Fd) => T): T {
    return closing(this.#tree.makeReserved(), act);
  }

  /** All names, in no order. */
  names(): string[] {
    return [...this.#known().values()].flatMap((names) => [...names]);
  }

  /** Those of these names that are there. */
  statuses(names: readonly string[]): PartialFile[] {
    const found: PartialFile[] = [];
    this.#withinExisting((directory) => {
      for (const name of names) {
        const status = statusIfAny(directory, Buffer.from(name, 'latin1'));
        if (status !== undefined) found.push({ name, status });
      }
    });
    return found;
  }

  /** The names of the partial files for one path. */
  ofKey(key: string): readonly string[] {
    return [...(this.#known().get(key) ?? [])];
  }

  /** To be called before one is made. EDQUOT. */
  requireRoom(): void {
    this.#known();
    if (this.#count >= MAX_PARTIAL_FILES) throw new Failure('EDQUOT', 'too many uploads are not finished');
  }

  /** One of this name was made. */
  made(name: string): void {
    note(this.#known(), name);
    this.#count += 1;
  }

  /** One was removed, or got the name that it was made for. */
  gone(name: string): void {
    const key = keyOfPartial(name);
    const names = this.#known().get(key);
    if (names?.delete(name) !== true) return;
    this.#count -= 1;
    if (names.size === 0) this.#known().delete(key);
  }

  /** Removes one, and gives back its charge; one that is gone already is fine. */
  remove(name: string): void {
    this.#withinExisting((directory) => {
      const bytes = Buffer.from(name, 'latin1');
      const before = statusIfAny(directory, bytes);
      if (before === undefined) return;
      this.#quota.prepare();
      const freed = this.#held.freedBy({ directory, name: bytes, status: before });
      unlinkat(directory, bytes, 0);
      this.#quota.release(freed.bytes, freed.files);
    });
    this.gone(name);
  }

  #known(): Map<string, Set<string>> {
    if (this.#names !== undefined) return this.#names;
    const names = new Map<string, Set<string>>();
    let count = 0;
    this.#eachName((name) => {
      note(names, name.toString('latin1'));
      count += 1;
    });
    this.#count = count;
    this.#names = names;
    return names;
  }

  #eachName(visit: (name: Buffer) => void): void {
    const scratch = Buffer.allocUnsafe(SCRATCH_BYTES);
    this.#withinExisting((directory) => {
      for (;;) {
        const records = readEntries(directory, scratch);
        if (records.length === 0) return;
        for (const { name } of records) if (!isOwnName(name)) visit(name);
      }
    });
  }

  /** Nothing happens where there is no such directory: a home that is full or read-only can still be opened. */
  #withinExisting(act: (directory: Fd) => void): void {
    const directory = this.#tree.openReserved();
    if (directory !== undefined) closing(directory, act);
  }
}

function note(names: Map<string, Set<string>>, name: string): void {
  const key = keyOfPartial(name);
  const same = names.get(key);
  if (same === undefined) names.set(key, new Set([name]));
  else same.add(name);
}
