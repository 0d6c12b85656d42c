/**
 * Messages that the driver sends unasked: what the kernel should no longer believe, or should know already.
 *
 * Invariant: they are written one after the other, in the order of the calls, and never by the main thread: the
 * kernel takes the lock of a directory (INVAL_ENTRY, DELETE) or of a page (INVAL_INODE, STORE), and who holds it may
 * be waiting for an answer of the main thread. Answers themselves take no such lock.
 *
 * Arriving late is harmless, since a notification only takes knowledge away.
 */
import type { NodeId } from '../../protocol/ids.js';
import type { KernelCaches } from '../operations.js';
import { Writer } from './cursor.js';
import { OUT_HEADER_SIZE, writeOutHeader } from './structs.js';

/** enum fuse_notify_code. */
const FUSE_NOTIFY_INVAL_INODE = 2;
const FUSE_NOTIFY_INVAL_ENTRY = 3;
const FUSE_NOTIFY_STORE = 4;
const FUSE_NOTIFY_DELETE = 6;

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

/** struct fuse_notify_inval_entry_out, then the name with a NUL. */
export function encodeInvalEntry(parent: NodeId, name: Buffer): Buffer {
  const message = begin(FUSE_NOTIFY_INVAL_ENTRY, 16 + name.length + 1);
  message.u64(parent);
  message.u32(name.length);
  message.u32(FUSE_EXPIRE_ONLY);
  message.bytes(name);
  message.zeros(1);
  return message.buffer;
}

/** struct fuse_notify_store_out, then the data. Grows the file in the kernel's eyes where it ends beyond. */
export function encodeStore(node: NodeId, offset: number, data: Buffer): Buffer {
  const message = begin(FUSE_NOTIFY_STORE, 24 + data.length);
  message.u64(node);
  message.u64(offset);
  message.u32(data.length);
  message.u32(0);
  message.bytes(data);
  return message.buffer;
}

/** struct fuse_notify_delete_out, then the name with a NUL. */
export function encodeDelete(parent: NodeId, child: NodeId, name: Buffer): Buffer {
  const message = begin(FUSE_NOTIFY_DELETE, 24 + name.length + 1);
  message.u64(parent);
  message.u64(child);
  message.u32(name.length);
  message.u32(0);
  message.bytes(name);
  message.zeros(1);
  return message.buffer;
}

/** KernelCaches over FUSE notifications, with the two more that this driver can send. */
export class Notifier implements KernelCaches {
  mapsDirect = false;
  readonly #write: (message: Buffer) => Promise<void>;
  #queue: Buffer[] = [];
  /** Ends when the queue is empty; undefined while it is. */
  #draining: Promise<void> | undefined;

  /** `write` writes one message on another thread and settles when the kernel has acted on it. */
  constructor(write: (message: Buffer) => Promise<void>) {
    this.#write = write;
  }

  invalidateNode(node: NodeId, offset: number, length: number): void {
    this.#send(encodeInvalInode(node, offset, length));
  }

  invalidateEntry(parent: NodeId, name: Buffer): void {
    this.#send(encodeInvalEntry(parent, name));
  }

  /** Puts data into the cache of a node, and extends its size to the end of the data. */
  store(node: NodeId, offset: number, data: Buffer): void {
    this.#send(encodeStore(node, offset, data));
  }

  /** As invalidateEntry for a name that was removed: programs that watch the directory hear of it (inotify). */
  deleteEntry(parent: NodeId, child: NodeId, name: Buffer): void {
    this.#send(encodeDelete(parent, child, name));
  }

  settled(): Promise<void> {
    return this.#draining ?? Promise.resolve();
  }

  #send(message: Buffer): void {
    this.#queue.push(message);
    this.#draining ??= this.#drain();
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      const messages = this.#queue;
      this.#queue = [];
      // A hint never fails: mostly the kernel says ENOENT, that it did not know the node or the name.
      for (const message of messages) await this.#write(message).catch(() => {});
    }
    this.#draining = undefined;
  }
}
