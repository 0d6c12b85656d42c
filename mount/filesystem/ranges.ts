/**
 * Ranges of a file that the server works on by itself: room that is made ahead, holes (fallocate), where they are (lseek),
 * and copies (copy_file_range).
 *
 * What becomes of them only the server's disk knows: so each is asked for and awaited, whatever is leased, behind the
 * log's operations on the file. One round trip.
 *
 * Invariant: from when it is asked for until it is answered, nothing that is known here of the file's data counts.
 */
import type { Attributes } from '../../protocol/attributes.js';
import { Failure } from '../../protocol/failure.js';
import type { HandleId } from '../../protocol/ids.js';
import { MAX_COPY } from '../../protocol/limits.js';
import { ALLOCATE, ALLOCATE_MODES, COPY, type Operation } from '../../protocol/operations.js';
import { packRef } from '../../protocol/references.js';
import type { Caller } from '../operations.js';
import type { Inode } from '../tree/inode.js';
import type { FileData } from './file-data.js';
import type { FileHandle, HandleTable } from './handles.js';
import type { Home } from './home.js';
import type { Lookups } from './lookups.js';
import { tellLoss } from './losses.js';

/** Pieces of a copy that are on their way at once, at most. */
const MAX_PIECES = 16;

export class Ranges {
  readonly #home: Home;
  readonly #lookups: Lookups;
  readonly #data: FileData;
  readonly #handles: HandleTable<FileHandle>;

  constructor(parts: { home: Home; lookups: Lookups; data: FileData; handles: HandleTable<FileHandle> }) {
    this.#home = parts.home;
    this.#lookups = parts.lookups;
    this.#data = parts.data;
    this.#handles = parts.handles;
  }

  /** `mode` as fallocate(2). The server goes on for some milliseconds at a time, as others wait. EOPNOTSUPP. */
  async allocate(id: HandleId, mode: number, offset: number, length: number, caller: Caller): Promise<void> {
    const inode = this.#toChange(id);
    if (!ALLOCATE_MODES.includes(mode)) throw new Failure('EOPNOTSUPP');
    const end = offset + length;
    const { tree } = this.#home;
    for (let at = offset; at < end;) {
      at = await this.#change(inode, [inode], { start: at, end }, caller, () => ({
        ...{ kind: ALLOCATE, file: tree.refOf(inode), time: this.#timeOf(inode) },
        ...{ mode, offset: at, length: end - at },
      }));
    }
  }

  /**
   * Copies as far as the source goes, or as there is room, or as nothing fails. Piece by piece, as others wait at the server for
   * each; several are on their way at once. EOPNOTSUPP, EXDEV: the kernel reads and writes instead.
   */
  async copy(
    from: HandleId,
    offset: number,
    to: HandleId,
    targetOffset: number,
    length: number,
    caller: Caller,
  ): Promise<number> {
    const target = this.#toChange(to);
    const { inode: source } = this.#handles.get(from);
    const { tree } = this.#home;
    if (!tree.knows(source)) await this.#lookups.refresh(source, caller);
    const end = Math.min(length, source.attributes.size - offset);
    let done = 0;
    while (done < end) {
      const pieces = nextPieces(done, end).map(({ start, length: bytes }) => {
        const at = targetOffset + start;
        return this.#change(target, [target, source], { start: at, end: at + bytes }, caller, () => ({
          ...{ kind: COPY, file: tree.refOf(target), time: this.#timeOf(target), offset: at },
          ...{ source: tree.refOf(source), sourceOffset: offset + start, length: bytes },
        })).then((upTo) => ({ copied: upTo - at, whole: upTo === at + bytes }));
      });
      for (const outcome of await Promise.allSettled(pieces)) {
        if (outcome.status === 'fulfilled') {
          done += outcome.value.copied;
          if (outcome.value.whole) continue;
          // The next call is told why. Nothing at all is asked for again.
          if (done > 0) return done;
          break;
        }
        // What came before it was copied, and is told; the next call meets the failure again.
        else if (done > 0) return done;
        else throw unlessShorter(Failure.from(outcome.reason));
      }
    }
    return done;
  }

  /** ENXIO. */
  seek(id: HandleId, offset: number, what: 'data' | 'hole', caller: Caller): Promise<number> {
    const { inode } = this.#handles.get(id);
    const { tree } = this.#home;
    if (tree.knows(inode) && offset >= inode.attributes.size) throw new Failure('ENXIO');
    return this.#home.ask(
      'seek',
      [inode],
      caller,
      () => [packRef(tree.refOf(inode)), offset, what === 'hole'],
      (found) => found,
    );
  }

  #toChange(id: HandleId): Inode {
    const handle = this.#handles.get(id);
    if (!handle.writable) throw new Failure('EBADF');
    tellLoss(handle);
    return handle.inode;
  }

  /** As of a write: what this mount alone may change has times of this machine. */
  #timeOf(inode: Inode) {
    return this.#home.tree.mayChange(inode) ? this.#home.clock.now() : null;
  }

  /** Has the server work on [start, end); tells where it stopped, which is `start` where that got lost with a connection. */
  #change(
    inode: Inode,
    involved: readonly Inode[],
    { start, end }: { start: number; end: number },
    caller: Caller,
    operation: () => Operation,
  ): Promise<number> {
    const { kernel } = this.#home;
    this.#data.awaited(inode);
    return this.#home.change(involved, caller, operation, ([left, upTo]) => {
      this.#data.awaited(inode);
      if (left !== undefined) this.#told(inode, left);
      kernel.told(inode);
      if (upTo === undefined) return start;
      if (upTo.size <= start || upTo.size > end) throw new Failure('EPROTO', 'the range stops elsewhere');
      return upTo.size;
    });
  }

  #told(inode: Inode, left: Attributes): void {
    const { tree, clock } = this.#home;
    tree.told(inode, left);
    // A page that was written back meanwhile is newer, and knows nothing of how long the file has become.
    if (inode.attributes.size < left.size) tree.wrote(inode, left.size, left.size, clock.now());
  }
}

/**
 * The next pieces of [start, end) that may be on their way together. Not one that is smaller: it might fit where the one
 * before it did not, and would be there behind a gap.
 */
function nextPieces(start: number, end: number): { start: number; length: number }[] {
  const pieces = [];
  for (let at = start; end - at >= MAX_COPY && pieces.length < MAX_PIECES; at += MAX_COPY) {
    pieces.push({ start: at, length: MAX_COPY });
  }
  return pieces.length > 0 ? pieces : [{ start, length: end - start }];
}

/** The source became shorter meanwhile: the kernel is to look for itself. */
function unlessShorter(failure: Failure): Failure {
  return failure.kind === 'ENODATA' ? new Failure('EOPNOTSUPP', failure.message) : failure;
}
