/*
 * The trash as its owner sees it: page by page, the oldest period first.
 *
 * A page goes on where the former one ended by the positions of the disk's own directories (as directory-cursor.ts), so it costs the
 * same however much there is, and ends with the turn; what was removed or restored meanwhile is not told. The position is the client's to keep.
 */
import type { Timestamp } from '../../../protocol/attributes.js';
import { Failure } from '../../../protocol/failure.js';
import { remotePath, type RemotePath } from '../../../protocol/ids.js';
import { MAX_DATA, MAX_PAGE_TRASH } from '../../../protocol/limits.js';
import { readEntries, seek } from '../../../posix/directory.js';
import type { Fd } from '../../../posix/fd.js';
import { statusIfAny } from '../disk/confined.js';
import { closing } from '../disk/confined.js';
import { isDirectory } from '../disk/file-ids.js';
import { chargedBytes } from '../files/held-files.js';
import type { TrashBatches } from './trash-batches.js';
import type { Turns } from '../calls/turns.js';
import { beginningOf, isBatch, isPeriod, itemId, PERIOD_MS, type ItemPlace } from './trash-layout.js';

/** (id, where it was or nil: not known, mode, bytes, when it was removed: sec, nsec), as `trash` answers. */
export type TrashItem = [
  id: Buffer,
  path: RemotePath | null,
  mode: number,
  bytes: number,
  sec: number,
  nsec: number,
];

/** Records of directories that one page looks at, however fast: some 5 us each, and some 100 us of one of a batch. */
const MAX_LOOKED_AT = 1024;
/** No more than a page has room for is read at a time: a record takes 24 to 280 bytes. */
const SCRATCH_BYTES = 1024;
const SLASH = Buffer.from('/');
const BEGINNING = 0n;

/** Where a page begins. */
interface Position {
  readonly period: string;
  /** In the directory of the period: of the record of the batch. */
  readonly at: bigint;
  readonly batch: string;
  /** In the directory of the batch. */
  readonly within: bigint;
}

export class TrashPages {
  readonly #batches: TrashBatches;
  readonly #turns: Pick<Turns, 'isOver'>;
  readonly #scratch = Buffer.allocUnsafe(SCRATCH_BYTES);

  constructor(batches: TrashBatches, turns: Pick<Turns, 'isOver'>) {
    this.#batches = batches;
    this.#turns = turns;
  }

  /** The items from a position on (nil: from the first on), and where the next page begins; nil: there is none. EINVAL. */
  page(from: Buffer | null): [items: TrashItem[], next: Buffer | null] {
    const page = new Page(this.#turns);
    let position = from === null ? undefined : parsePosition(from);
    for (const period of this.#batches.periods) {
      if (position !== undefined && period < position.period) continue;
      if (position !== undefined && period > position.period) position = undefined;
      if (page.isFull)
        return [page.items, formatPosition({ period, at: BEGINNING, batch: '', within: BEGINNING })];
      const fd = this.#batches.openIn(period);
      const next = fd && closing(fd, () => this.#ofPeriod(page, fd, period, position));
      if (next !== undefined) return [page.items, formatPosition(next)];
      page.isBegun = true;
    }
    return [page.items, null];
  }

  /** Where an item was; undefined: that is not known. */
  pathOf({ period, batch, name }: ItemPlace): RemotePath | undefined {
    const above = this.#batches.pathOf(period, batch);
    return above && pathBelow(above, name);
  }

  /** Where the page is full; undefined: it has room for more. */
  #ofPeriod(page: Page, fd: Fd, period: string, from: Position | undefined): Position | undefined {
    let at = from?.at ?? BEGINNING;
    seek(fd, at);
    for (;;) {
      const records = readEntries(fd, this.#scratch);
      if (records.length === 0) return undefined;
      for (const record of records) {
        const batch = record.name.toString('latin1');
        const begin = { period, at, batch, within: batch === from?.batch ? from.within : BEGINNING };
        if (page.isFull) return begin;
        page.lookedAt += 1;
        const next = isBatch(batch) ? this.#ofBatch(page, begin) : undefined;
        if (next !== undefined) return next;
        at = record.next;
        page.isBegun = true;
      }
    }
  }

  #ofBatch(page: Page, begin: Position): Position | undefined {
    const { period, batch } = begin;
    const fd = this.#batches.openIn(period, batch);
    if (fd === undefined) return undefined;
    const above = this.#batches.pathOf(period, batch);
    return closing(fd, () => {
      let { within } = begin;
      seek(fd, within);
      for (;;) {
        const records = readEntries(fd, this.#scratch);
        if (records.length === 0) return undefined;
        for (const { name, next } of records) {
          const path = above && pathBelow(above, name);
          if (!page.hasRoom(path)) return { ...begin, within };
          page.lookedAt += 1;
          const status = statusIfAny(fd, name);
          if (status !== undefined && !isDirectory(status)) {
            const bytes = chargedBytes({ directory: fd, name, status });
            const { sec, nsec } = removedAt(period, status.ctime);
            page.add([itemId({ period, batch, name }), path ?? null, status.mode, bytes, sec, nsec]);
          }
          within = next;
          page.isBegun = true;
        }
      }
    });
  }
}

class Page {
  readonly items: TrashItem[] = [];
  lookedAt = 0;
  /** It may end: the next one begins behind where this one did. */
  isBegun = false;
  readonly #turns: Pick<Turns, 'isOver'>;
  #pathBytes = 0;

  constructor(turns: Pick<Turns, 'isOver'>) {
    this.#turns = turns;
  }

  get isFull(): boolean {
    if (this.items.length >= MAX_PAGE_TRASH || this.lookedAt >= MAX_LOOKED_AT) return true;
    return this.isBegun && this.#turns.isOver;
  }

  hasRoom(path: Buffer | undefined): boolean {
    return !this.isFull && this.#pathBytes + (path?.length ?? 0) <= MAX_DATA / 2;
  }

  add(item: TrashItem): void {
    this.items.push(item);
    this.#pathBytes += item[1]?.length ?? 0;
  }
}

/** As a path of the wire; undefined where it cannot be one. */
function pathBelow(above: Buffer, name: Buffer): RemotePath | undefined {
  try {
    return remotePath(above.length === 0 ? name : Buffer.concat([above, SLASH, name]));
  } catch {
    return undefined;
  }
}

/** By its ctime, as far as that can be: a restored backup, or who wrote to it while it was open, moves that. */
function removedAt(period: string, ctime: Timestamp): Timestamp {
  const begin = Math.floor(beginningOf(period) / 1000);
  const end = begin + PERIOD_MS / 1000;
  if (ctime.sec < begin) return { sec: begin, nsec: 0 };
  return ctime.sec < end ? ctime : { sec: end, nsec: 0 };
}

function formatPosition({ period, at, batch, within }: Position): Buffer {
  return Buffer.from([period, at, batch, within].join(' '), 'latin1');
}

function parsePosition(bytes: Buffer): Position {
  const [period = '', at = '', batch = '', within = ''] = bytes.toString('latin1').split(' ');
  const isPosition = /^\d{1,19}$/;
  // The batch may be the name of a link beside one.
  if (!isPeriod(period) || !isPosition.test(at) || !isPosition.test(within) || batch.length > 64) {
    throw new Failure('EINVAL', 'there is no such page of the trash');
  }
  return { period, at: BigInt(at), batch, within: BigInt(within) };
}
