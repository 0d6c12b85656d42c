/*
 * `xattrs` and `xattr`: reading extended attributes. Of several files at once, those behind the first are asked ahead of need:
 * what somebody else has for writing, or is gone, is left out.
 */
import { Failure } from '../../protocol/failure.js';
import { MAX_ELEMENTS, MAX_XATTRS, MAX_XATTRS_TOLD } from '../../protocol/limits.js';
import type { FileRef } from '../../protocol/references.js';
import type { DiskWatch } from './leases/disk-watch.js';
import { readXattr, userXattrs } from './disk/file-xattrs.js';
import type { HomeClient } from './home-client.js';
import type { Identities } from './files/identities.js';
import type { Leases } from './leases/leases.js';
import type { Located } from './disk/located.js';
import { unitOfFile } from './leases/units.js';

/** [name, value or nil], as it travels. */
type Told = [name: Buffer, value: Buffer | null][];

/** Values in one message besides attributes, with room; and of one attribute: its array, its name and its value. */
const OTHER_ELEMENTS = 1024;
const XATTR_ELEMENTS = 3;
/** Attributes whose values are read for one file, or all that are told ahead of need, some 4 us each: others wait meanwhile. */
const MAX_READ = 1024;
/** Names and arrays, in bytes, that one answer has besides values: far below what a record takes. */
const MAX_NAME_BYTES = 128 * 1024;

/** What is left of one answer. */
interface Room {
  values: number;
  names: number;
  xattrs: number;
  /** Something had no room. */
  full: boolean;
}

export class XattrReading {
  readonly #identities: Identities;
  readonly #leases: Leases;
  readonly #watch: DiskWatch;

  constructor(parts: { identities: Identities; leases: Leases; watch: DiskWatch }) {
    this.#identities = parts.identities;
    this.#leases = parts.leases;
    this.#watch = parts.watch;
  }

  /** The answer of `xattrs`, of a file and of others. E2BIG where its names are too many for one answer. */
  ofFiles(client: HomeClient, first: Located, others: readonly FileRef[], bytes: number): (Told | null)[] {
    const xattrs = Math.floor((MAX_ELEMENTS - OTHER_ELEMENTS) / XATTR_ELEMENTS);
    const room: Room = { values: bytes, names: MAX_NAME_BYTES, xattrs, full: false };
    const own = this.#told(first, room);
    if (own === null) throw new Failure('E2BIG', 'the file has too many extended attributes');
    room.xattrs = Math.min(room.xattrs, MAX_READ);
    return [own, ...others.map((ref) => this.#ahead(client, ref, room))];
  }

  /** The answer of `xattr`. ENODATA. */
  value(located: Located, name: Buffer): Buffer {
    const value = readXattr(located, name);
    if (value === undefined) throw new Failure('ENODATA', 'no such attribute');
    return value;
  }

  #ahead(client: HomeClient, asked: FileRef, room: Room): Told | null {
    // To find out how much more there would be takes time, too.
    if (room.full) return null;
    try {
      const located = this.#identities.file(client.provisional.ref(asked));
      const unit = unitOfFile(located);
      this.#watch.cover(client, [{ unit, write: false }]);
      if (!this.#leases.mayRead(client, unit)) return null;
      this.#leases.mention(client, [unit]);
      return this.#told(located, room);
    } catch {
      return null; // gone, or its id is not known
    }
  }

  /** Null where there is no room for it. */
  #told(located: Located, room: Room): Told | null {
    const names = userXattrs(located);
    if (names.length === 0) return [];
    const nameBytes = names.reduce((bytes, name) => bytes + name.length, 0);
    if (names.length > Math.min(room.xattrs, MAX_XATTRS) || nameBytes > room.names) {
      room.full = true;
      return null;
    }
    room.xattrs -= names.length;
    room.names -= nameBytes;
    if (names.length > MAX_READ) return onlyNamed(names);
    let left = Math.min(room.values, MAX_XATTRS_TOLD);
    const told: Told = [];
    for (const name of names) {
      const value = left < 0 ? undefined : readXattr(located, name);
      left -= value?.length ?? 0;
      told.push([name, value !== undefined && left >= 0 ? value : null]);
    }
    if (left < 0) return onlyNamed(names);
    room.values -= Math.min(room.values, MAX_XATTRS_TOLD) - left;
    return told;
  }
}

function onlyNamed(names: readonly Buffer[]): Told {
  return names.map((name) => [name, null]);
}
