/**
 * Inode numbers of several homes in one mount. tar, rsync and du take (st_dev, st_ino) for a file, and homes may be on
 * several disks of the server, which number their files alike. So some bits of the numbers of a share are changed by the
 * share's tag, which follows from its name: the numbers are the same with the next mount.
 *
 * Invariants: a share's numbers are as different as they were; those of two homes are, too, while disks give numbers below
 * 2^40 (ext4, btrfs; XFS up to 500 TB). They stay below 2^53, as node's own stat(2) would round others.
 */
import { createHash } from 'node:crypto';
import type { ShareName } from '../../protocol/ids.js';

/** The user's own home has tag 0: no change. */
const TAGS = 2 ** 13;
const TAG_SHIFT = 40n;

/** Gives each share of a mount a tag of its own. */
export class InodeTags {
  readonly #tags = new Map<ShareName, bigint>();
  readonly #given = new Set<number>();

  /** Of shares that have none yet, in the order of their names, so that the same shares have the same tags. */
  give(names: Iterable<ShareName>): void {
    for (const name of [...names].toSorted()) {
      if (this.#tags.has(name)) continue;
      let tag = wantedTag(name);
      while (tag === 0 || this.#given.has(tag)) tag = (tag + 1) % TAGS;
      this.#given.add(tag);
      this.#tags.set(name, BigInt(tag) << TAG_SHIFT);
    }
  }

  /** What is changed in the numbers of a share (by exclusive or). */
  of(name: ShareName): bigint {
    this.give([name]);
    return this.#tags.get(name) ?? 0n;
  }

  /** Of a share that is not there any more. */
  takeBack(name: ShareName): void {
    this.#given.delete(Number((this.#tags.get(name) ?? 0n) >> TAG_SHIFT));
    this.#tags.delete(name);
  }
}

function wantedTag(name: ShareName): number {
  return createHash('sha256').update(name).digest().readUInt16BE() % TAGS;
}
