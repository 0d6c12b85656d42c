/**
 * Messages that the driver sends unasked: what the kernel should no longer believe.
 *
 * Invariant: they are written one after the other, in the order of the calls, and never by the main thread: the kernel takes
 * the lock of a directory (INVAL_ENTRY) or of a page (INVAL_INODE), and who holds it may be waiting for an answer of the main
 * thread. Answers themselves take no such lock. Nor does what drops attributes only: it goes ahead, in an order of its own.
 *
 * Arriving late is harmless, since a notification only takes knowledge away. Arriving before an answer that was given earlier is
 * not, where the kernel takes that in without a lock: kernel-view.ts tells of such names twice.
 */
import type { NodeId } from '../../protocol/ids.js';
import type { KernelCaches } from '../operations.js';
import { Writer } from './cursor.js';
import { OUT_HEADER_SIZE, writeOutHeader } from './structs.js';

/** enum fuse_notify_code. */
const FUSE_NOTIFY_INVAL_INODE = 2;
const FUSE_NOTIFY_INVAL_ENTRY = 3;
const FUSE_NOTIFY_PRUNE = 9;

/** In one message: the kernel looks at them one after the other. */
const MAX_PRUNED = 512;

/** A notification has 0 as `unique` and its code where an answer has the errno. */
function begin(code: number, bodyLength: number): Writer {
  const length = OUT_HEADER_SIZE + bodyLength;
  const message = new Writer(Buffer.allocUnsafe(length));
  writeOutHeader(message, length, -code, 0);
  return message;
}

/** struct fuse_notify_inval_inode_out. */
export function encodeInvalInode(node: NodeId, offset: number, length: number): Buffer {
  const message = begin(FUSE_NOTIFY_INVAL_INODE, 24);
  message.u64(node);
  message.i64(offset);
  message.i64(length);
  return message.buffer;
}

/**
 * FUSE_EXPIRE_ONLY: the kernel asks for the name anew when it needs it, and leaves it to who works in it until then: a
 * directory that is dropped takes getcwd(3) from its shells. Kernels before 6.2 drop it.
 */
const FUSE_EXPIRE_ONLY = 1;

/** struct fuse_notify_inval_entry_out, then the name with a NUL. `drop`: without FUSE_EXPIRE_ONLY. */
export function encodeInvalEntry(parent: NodeId, name: Buffer, drop = false): Buffer {
  const message = begin(FUSE_NOTIFY_INVAL_ENTRY, 16 + name.length + 1);
  message.u64(parent);
  message.u32(name.length);
  message.u32(drop ? 0 : FUSE_EXPIRE_ONLY);
  message.bytes(name);
  message.zeros(1);
  return message.buffer;
}

/** struct fuse_notify_prune_out, then the nodes (FUSE 7.45, Linux 6.18; older kernels say EINVAL). */
export function encodePrune(nodes: readonly NodeId[]): Buffer {
  const message = begin(FUSE_NOTIFY_PRUNE, 16 + 8 * nodes.length);
  message.u32(nodes.length);
  message.zeros(4 + 8);
  for (const node of nodes) message.u64(node);
  return message.buffer;
}

/** So many messages are written whatever they are. */
const MANY = 4096;

/** Who waits until the kernel has acted on what was told before. */
interface Waiting {
  readonly settled: Promise<void>;
  readonly resolve: () => void;
}

function newWaiting(): Waiting {
  let resolve: () => void = () => undefined;
  const settled = new Promise<void>((onSettled) => {
    resolve = onSettled;
  });
  return { settled, resolve };
}

/** KernelCaches over FUSE notifications. */
export class Notifier implements KernelCaches {
  mapsDirect = false;
  /** What drops attributes only. */
  readonly #ahead: Lane;
  readonly #others: Lane;

  /** `write` writes one message on another thread and settles when the kernel has acted on it. */
  constructor(write: (message: Buffer) => Promise<void>, many = MANY) {
    this.#ahead = new Lane(write, many);
    this.#others = new Lane(write, many);
  }

  get acted(): number {
    return this.#others.acted + (this.#others.isDraining ? 0 : this.#ahead.acted);
  }

  invalidateNode(node: NodeId, offset: number, length: number): void {
    const lane = offset < 0 ? this.#ahead : this.#others;
    lane.send(encodeInvalInode(node, offset, length));
  }

  invalidateEntry(parent: NodeId, name: Buffer, drop = false): void {
    this.#others.send(encodeInvalEntry(parent, name, drop));
  }

  prune(nodes: readonly NodeId[]): void {
    for (let at = 0; at < nodes.length; at += MAX_PRUNED) {
      this.#others.send(encodePrune(nodes.slice(at, at + MAX_PRUNED)));
    }
  }

  async settled(of?: 'attributes'): Promise<void> {
    const ahead = this.#ahead.settled();
    if (of === undefined) await this.#others.settled();
    await ahead;
  }
}

/** Messages that are written one after the other. */
class Lane {
  acted = 0;
  readonly #write: (message: Buffer) => Promise<void>;
  readonly #many: number;
  /** Messages, and in between who waits for those before. */
  #queue: (Buffer | Waiting)[] = [];
  /**
   * The messages in it. Where they are many, none is queued twice: it will take away what the kernel was told until then. So
   * the queue is bounded by what the kernel knows, also where it does not act and a server goes on recalling.
   */
  readonly #queued = new Set<string>();
  isDraining = false;

  constructor(write: (message: Buffer) => Promise<void>, many: number) {
    this.#write = write;
    this.#many = many;
  }

  settled(): Promise<void> {
    if (!this.isDraining) return Promise.resolve();
    const last = this.#queue.at(-1);
    if (last !== undefined && !Buffer.isBuffer(last)) return last.settled;
    const waiting = newWaiting();
    this.#queue.push(waiting);
    return waiting.settled;
  }

  send(message: Buffer): void {
    const key = message.toString('latin1');
    if (this.#queue.length >= this.#many && this.#queued.has(key)) return;
    this.#queued.add(key);
    this.#queue.push(message);
    if (!this.isDraining) void this.#drain();
  }

  async #drain(): Promise<void> {
    this.isDraining = true;
    while (this.#queue.length > 0) {
      const queued = this.#queue;
      this.#queue = [];
      for (const each of queued) {
        if (!Buffer.isBuffer(each)) {
          each.resolve();
          continue;
        }
        this.#queued.delete(each.toString('latin1'));
        // A hint never fails: mostly the kernel says ENOENT, that it did not know the node or the name.
        await this.#write(each).catch(() => {});
        this.acted += 1;
      }
    }
    this.isDraining = false;
  }
}
