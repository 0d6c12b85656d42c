/**
 * Writing behind the back of the program: write(2) returns when the bytes are copied, and they are sent in pieces of
 * up to MAX_DATA, when a piece is full, IDLE_MS after its first byte, or when something waits for them (flush, fsync,
 * a read of them, a truncation).
 *
 * Invariants:
 * - A file has at most one piece that is not sent, and pieces are sent in the order of the writes; the server carries
 *   out requests in order, so what is asked after a piece was sent sees its bytes.
 * - Bytes are kept until the server acknowledged them: after a lost connection they are sent again.
 * - At most LIMIT bytes of all files are not acknowledged; beyond that the answer to a write waits.
 * - A failure is told to each handle that could have written, once, by its next write, flush or fsync. From then on the
 *   file is written through, so that a program that fills a quota gets the error of the write at that write;
 *   a success ends that.
 *
 * Pieces end at multiples of MAX_DATA in the file: large sequential writes then arrive in whole pages, and a
 * 1 MiB write is one piece. The one copy costs 0.1 ms for each MiB; it cannot be spared, as the kernel's buffer is
 * reused and the bytes may have to be sent again.
 */
import { giveBuffer, takeBuffer } from '../../protocol/buffer-pool.js';
import type { Attributes } from '../../protocol/attributes.js';
import type { Failure } from '../../protocol/failure.js';
import { MAX_DATA } from '../../protocol/limits.js';
import type { Remote } from '../remote.js';
import { onInterrupt, type Interruptible } from '../remote/interruption.js';
import type { RemoteFile } from '../remote/remote-file.js';
import type { FileHandle } from './handles.js';
import type { Node } from './nodes.js';
import type { Eventually } from './operations.js';

/** Bytes of all files that may wait for their acknowledgement: 80 ms of a line of 100 MB/s. */
const LIMIT = 8 * 1024 * 1024;

/** How long after its first byte a piece is sent at the latest (milliseconds). */
const IDLE_MS = 30;

/** A second write makes it likely that more follow: room for that before the largest. */
const GROWN_BYTES = 64 * 1024;

export interface WriteEvents {
  /** The server wrote; `sequence` is of the request, the attributes are those after it. */
  written(node: Node, attributes: Attributes, sequence: number): void;
  /** The server did not write: what the kernel has of these bytes is not in the file. */
  failed(node: Node, failure: Failure): void;
}

/** Contiguous bytes on their way to a place in a file. */
class Piece {
  readonly handle: FileHandle;
  readonly offset: number;
  readonly #capacity: number;
  #buffer: Buffer;
  length = 0;

  constructor(handle: FileHandle, offset: number, expected: number) {
    this.handle = handle;
    this.offset = offset;
    this.#capacity = MAX_DATA - (offset % MAX_DATA);
    this.#buffer = takeBuffer(Math.min(expected, this.#capacity));
  }

  get full(): boolean {
    return this.length === this.#capacity;
  }

  /** Whether bytes for this place can be put in: right after what is there or, where the place is the writer's, on it. */
  accepts(handle: FileHandle, offset: number): boolean {
    const at = offset - this.offset;
    return (
      handle === this.handle &&
      at < this.#capacity &&
      (at === this.length || (at >= 0 && at < this.length && !handle.appending))
    );
  }

  /** Copies what there is room for of data[from...]; returns the number of bytes. */
  put(offset: number, data: Buffer, from: number): number {
    const at = offset - this.offset;
    const count = Math.min(data.length - from, this.#capacity - at);
    const end = at + count;
    if (end > this.#buffer.length) this.#grow(end);
    data.copy(this.#buffer, at, from, from + count);
    this.length = Math.max(this.length, end);
    return count;
  }

  #grow(needed: number): void {
    const grown = takeBuffer(needed <= GROWN_BYTES ? Math.min(GROWN_BYTES, this.#capacity) : this.#capacity);
    this.#buffer.copy(grown, 0, 0, this.length);
    giveBuffer(this.#buffer);
    this.#buffer = grown;
  }

  get data(): Buffer {
    return this.#buffer.subarray(0, this.length);
  }

  free(): void {
    giveBuffer(this.#buffer);
  }
}

/** What was written to one file and is not acknowledged. */
export class FileWrites {
  /** Not sent. */
  piece: Piece | undefined;
  /** Sent, by sequence number and so in order. */
  readonly sent = new Map<number, Piece>();
  /** Where the file ends at least, by what is not acknowledged. */
  end = 0;
  bytes = 0;
  /** The latest outcome was a failure. */
  through = false;
  waiting: { readonly last: number; readonly settle: () => void }[] = [];

  /** Undefined where all is at the server. */
  get unacknowledged(): { readonly end: number; readonly bytes: number } | undefined {
    return this.bytes > 0 ? this : undefined;
  }
}

type FileNode = Node & { readonly file: NonNullable<Node['file']> };

export class WriteBehind {
  readonly #remote: Remote;
  readonly #events: WriteEvents;
  #bytes = 0;
  /** Files with a piece that is not sent, with the time of its first byte, the oldest first. */
  readonly #unsent = new Map<FileNode, number>();
  #timer: NodeJS.Timeout | undefined;
  #waitingForRoom: (() => void)[] = [];

  constructor(remote: Remote, events: WriteEvents) {
    this.#remote = remote;
    this.#events = events;
  }

  /**
   * Takes the bytes; answers when there is room for more. Throws what failed before, and where the file is written
   * through, what fails now.
   */
  write(
    node: FileNode,
    handle: FileHandle,
    remoteFile: RemoteFile,
    offset: number,
    data: Buffer,
    caller: Interruptible,
  ): Eventually<number> {
    const failure = handle.takeFailure();
    if (failure !== undefined) throw failure;
    const writes = (node.file.writes ??= new FileWrites());
    for (let taken = 0; taken < data.length;) {
      const at = offset + taken;
      if (writes.piece?.accepts(handle, at) === false) this.send(node);
      const piece = (writes.piece ??= this.#begin(node, handle, at, data.length - taken));
      const before = piece.length;
      taken += piece.put(at, data, taken);
      writes.bytes += piece.length - before;
      this.#bytes += piece.length - before;
      if (piece.full) this.#send(node, writes, piece, remoteFile);
    }
    writes.end = Math.max(writes.end, offset + data.length);
    if (writes.through) return this.#writeThrough(node, handle, data.length);
    return this.#bytes <= LIMIT ? data.length : this.#room(data.length, caller);
  }

  #begin(node: FileNode, handle: FileHandle, offset: number, expected: number): Piece {
    this.#unsent.set(node, performance.now());
    if (this.#timer === undefined) this.#timer = setTimeout(this.#sendIdle, IDLE_MS);
    return new Piece(handle, offset, expected);
  }

  async #writeThrough(node: FileNode, handle: FileHandle, length: number): Promise<number> {
    await this.settled(node);
    const failure = handle.takeFailure();
    if (failure !== undefined) throw failure;
    return length;
  }

  /** Waits until there is room. A caller that is let go has written nevertheless: its bytes are taken. */
  #room(length: number, caller: Interruptible): Promise<number> {
    return new Promise((resolve) => {
      const end = onInterrupt(caller, () => resolve(length));
      this.#waitingForRoom.push(() => {
        end?.();
        resolve(length);
      });
    });
  }

  /** Sends what was not sent of a file. */
  send(node: Node): void {
    const writes = node.file?.writes;
    const piece = writes?.piece;
    if (writes === undefined || piece === undefined) return;
    const file = piece.handle.begun;
    // A handle that writes was opened before it was given out.
    if (file === undefined || file instanceof Promise) throw new Error('a write before the file was open');
    this.#send(node as FileNode, writes, piece, file);
  }

  readonly #sendIdle = (): void => {
    this.#timer = undefined;
    const now = performance.now();
    for (const [node, since] of this.#unsent) {
      const wait = since + IDLE_MS - now;
      if (wait > 1) {
        this.#timer = setTimeout(this.#sendIdle, wait);
        return;
      }
      this.send(node);
    }
  };

  #send(node: FileNode, writes: FileWrites, piece: Piece, file: RemoteFile): void {
    writes.piece = undefined;
    this.#unsent.delete(node);
    node.file.ownChanges++;
    const sent = this.#remote.request(
      'write',
      [file, piece.offset],
      piece.data,
      (failure, attributes, sequence) => {
        node.file.ownChanges--;
        writes.sent.delete(sequence);
        writes.bytes -= piece.length;
        this.#bytes -= piece.length;
        if (writes.bytes === 0) writes.end = 0;
        writes.through = failure !== undefined;
        if (failure === undefined && attributes !== undefined) {
          this.#events.written(node, attributes, sequence);
        } else if (failure !== undefined) {
          for (const handle of node.file.handles) if (handle.writable) handle.failure ??= failure;
          this.#events.failed(node, failure);
        }
        piece.free();
        this.#acknowledged(writes);
      },
    );
    writes.sent.set(sent, piece);
  }

  #acknowledged(writes: FileWrites): void {
    if (writes.waiting.length > 0) {
      const [oldest = Number.POSITIVE_INFINITY] = writes.sent.keys();
      const waiting = writes.waiting;
      writes.waiting = waiting.filter(({ last }) => last >= oldest);
      for (const { last, settle } of waiting) if (last < oldest) settle();
    }
    if (this.#bytes <= LIMIT && this.#waitingForRoom.length > 0) {
      const waiting = this.#waitingForRoom;
      this.#waitingForRoom = [];
      for (const resume of waiting) resume();
    }
  }

  /** Sends what was not sent; resolves when all that was written until now is acknowledged, or failed. */
  settled(node: Node): Eventually<void> {
    this.send(node);
    const writes = node.file?.writes;
    const last = writes === undefined ? undefined : [...writes.sent.keys()].at(-1);
    if (writes === undefined || last === undefined) return undefined;
    return new Promise((settle) => writes.waiting.push({ last, settle }));
  }

  /** A truncation was sent: what ended beyond does so no more. */
  truncated(node: Node, size: number): void {
    const writes = node.file?.writes;
    if (writes !== undefined) writes.end = Math.min(writes.end, size);
  }
}
