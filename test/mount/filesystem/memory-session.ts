/**
 * One session with a home in memory (memory-home.ts): requests are carried out when they are made and answered in order,
 * in later turns of the event loop; answers can be held back, and the connection can break.
 */
import { packAttributes, type Changes } from '../../../protocol/attributes.js';
import { Failure } from '../../../protocol/failure.js';
import {
  CHANGED_NAME,
  CHANGED_NODE,
  CHANGED_RENAME,
  METHODS,
  OPEN_APPEND,
  OPEN_EXCLUSIVE,
  OPEN_TRUNCATE,
  RENAME_EXCHANGE,
  RENAME_NOREPLACE,
  type Change,
  type MethodName,
  type Result,
} from '../../../protocol/methods.js';
import type { Connection, Hello } from '../../../mount/remote/connection.js';
import { attributesOf, Inode, type Answer, type Handle, type MemoryHome } from './memory-home.js';

const S_IFMT = 0o170000;
const S_IFDIR = 0o040000;
const S_IFREG = 0o100000;
const S_IFLNK = 0o120000;

const wire = (inode: Inode): unknown[] => packAttributes(attributesOf(inode));

export class MemorySession implements Connection {
  readonly session: Connection['session'];
  readonly closed: Promise<Failure | undefined>;
  open = true;
  /** While true, requests are carried out, and answers and notifications are kept back. */
  held = false;
  /** While true, requests are swallowed: they never arrive. */
  deaf = false;
  /** The methods that were requested, in order. */
  readonly requests: MethodName[] = [];
  readonly cancelled: number[] = [];
  #nextId: number;
  readonly #home: MemoryHome;
  readonly #hello: Hello;
  readonly #client: { handles: Map<number, Handle>; answers: Map<number, Answer> };
  readonly #unanswered = new Map<number, (failure: Failure | undefined, result: unknown) => void>();
  #outbox: (() => void)[] = [];
  #resolveClosed: (failure: Failure | undefined) => void = () => undefined;

  constructor(
    home: MemoryHome,
    hello: Hello,
    client: { handles: Map<number, Handle>; answers: Map<number, Answer> },
    resumed: boolean,
  ) {
    this.#home = home;
    this.#hello = hello;
    this.#client = client;
    this.#nextId = hello.firstId + 1;
    this.session = { bootVerifier: home.bootVerifier, resumed, root: attributesOf(home.root) };
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
  }

  get nextId(): number {
    return this.#nextId;
  }

  request<M extends MethodName>(
    method: M,
    params: unknown[],
    data: Buffer | undefined,
    done: (failure: Failure | undefined, result: Result<M> | undefined) => void,
    options: { id?: number } = {},
  ): number {
    const id = options.id ?? this.#nextId++;
    if (!this.open) {
      queueMicrotask(() => done(new Failure('ENOTCONN'), undefined));
      return id;
    }
    this.requests.push(method);
    this.#unanswered.set(id, done as (failure: Failure | undefined, result: unknown) => void);
    if (this.deaf) return id;
    const sent = data === undefined ? params : [...params, Buffer.from(data)];
    const answer = this.#client.answers.get(id) ?? this.#carryOut(method, sent);
    if (METHODS[method].mutates) this.#client.answers.set(id, answer);
    this.#later(() => {
      this.#unanswered.delete(id);
      if ('failure' in answer) done(answer.failure, undefined);
      // The shape parses in place, and an answer may be given twice.
      else done(undefined, METHODS[method].result(structuredCloneBuffers(answer.result)) as Result<M>);
    });
    return id;
  }

  cancel(id: number): void {
    this.cancelled.push(id);
  }

  push(change: Change): void {
    this.#later(() => this.#hello.notifications.changed([change]));
  }

  shutdown(reason: string, again: boolean): void {
    this.#hello.notifications.shutdown(reason, again);
    this.break();
  }

  /** Delivers what was held back, what came last before the rest. */
  deliverLastFirst(): void {
    this.#outbox.unshift(...this.#outbox.splice(-1));
    this.deliver();
  }

  /** Delivers what was held back. */
  deliver(): void {
    this.held = false;
    this.#schedule();
  }

  break(failure: Failure | undefined = new Failure('ECONNRESET')): void {
    if (!this.open) return;
    this.open = false;
    this.#home.sessions.delete(this);
    this.#outbox = [];
    const calls = [...this.#unanswered.values()];
    this.#unanswered.clear();
    for (const done of calls) done(failure ?? new Failure('ENOTCONN'), undefined);
    this.#resolveClosed(failure);
  }

  close(): Promise<void> {
    this.break(undefined);
    return Promise.resolve();
  }

  #later(deliver: () => void): void {
    this.#outbox.push(deliver);
    if (!this.held) this.#schedule();
  }

  #schedule(): void {
    setImmediate(() => {
      while (!this.held) {
        const next = this.#outbox.shift();
        if (next === undefined) return;
        next();
      }
    });
  }

  #carryOut(method: MethodName, params: unknown[]): Answer {
    try {
      const parsed = METHODS[method].params(structuredCloneBuffers(params) as never);
      const handler = this.#handlers[method] as ((...params: never[]) => unknown) | undefined;
      if (handler === undefined) throw new Failure('ENOSYS', method);
      return { result: handler(...(parsed as never[])) };
    } catch (thrown) {
      return { failure: Failure.from(thrown) };
    }
  }

  #find(path: Buffer): Inode {
    let inode = this.#home.root;
    if (path.length === 0) return inode;
    for (const name of path.toString('latin1').split('/')) {
      if (!inode.isDirectory) throw new Failure('ENOTDIR');
      const next = inode.children.get(name);
      if (next === undefined) throw new Failure('ENOENT');
      inode = next;
    }
    return inode;
  }

  #parentOf(path: Buffer): { directory: Inode; name: string; path: Buffer } {
    const slash = path.lastIndexOf(0x2f);
    const parent = path.subarray(0, Math.max(slash, 0));
    const directory = this.#find(parent);
    if (!directory.isDirectory) throw new Failure('ENOTDIR');
    return { directory, name: path.toString('latin1').slice(slash + 1), path: Buffer.from(parent) };
  }

  #nameChanged(parent: Buffer, name: string): void {
    this.#home.tell(this, [CHANGED_NAME, parent, Buffer.from(name, 'latin1')] as unknown as Change);
  }

  #nodeChanged(inode: Inode): void {
    this.#home.tell(this, [CHANGED_NODE, BigInt(inode.ino), null]);
  }

  #make(path: Buffer, mode: number): Inode {
    const { directory, name, path: parent } = this.#parentOf(path);
    if (directory.children.has(name)) throw new Failure('EEXIST');
    const inode = this.#home.make(directory, name, mode);
    this.#nameChanged(parent, name);
    return inode;
  }

  #handle(number: number): Handle {
    const handle = this.#client.handles.get(number);
    if (handle === undefined) throw new Failure('EBADF');
    return handle;
  }

  #resize(inode: Inode, size: number): void {
    if (this.#home.used - inode.data.length + size > this.#home.quota && size > inode.data.length) {
      throw new Failure('EDQUOT');
    }
    const data = Buffer.alloc(size);
    inode.data.copy(data);
    inode.data = data;
  }

  #change(inode: Inode, changes: Changes): unknown[] {
    const now = this.#home.tick();
    if (changes.size !== undefined) {
      this.#resize(inode, changes.size);
      inode.mtime = now;
    }
    if (changes.mode !== undefined) inode.mode = (inode.mode & S_IFMT) | changes.mode;
    if (changes.mtime !== undefined) {
      inode.mtime = changes.mtime === 'now' ? now : changes.mtime.sec * 1000 + changes.mtime.nsec / 1_000_000;
    }
    inode.ctime = now;
    this.#nodeChanged(inode);
    return wire(inode);
  }

  #remove(path: Buffer, directories: boolean): null {
    const { directory, name, path: parent } = this.#parentOf(path);
    const inode = directory.children.get(name);
    if (inode === undefined) throw new Failure('ENOENT');
    if (inode.isDirectory !== directories) throw new Failure(directories ? 'ENOTDIR' : 'EISDIR');
    if (inode.children.size > 0) throw new Failure('ENOTEMPTY');
    directory.children.delete(name);
    if (directories) directory.nlink--;
    inode.nlink--;
    directory.mtime = directory.ctime = inode.ctime = this.#home.tick();
    this.#nameChanged(parent, name);
    return null;
  }

  #opened(inode: Inode, flags: number): unknown[] {
    if (inode.isDirectory) throw new Failure('EISDIR');
    if ((flags & OPEN_TRUNCATE) !== 0) {
      inode.data = Buffer.alloc(0);
      inode.mtime = inode.ctime = this.#home.tick();
      this.#nodeChanged(inode);
    }
    return [this.#home.addHandle(this.#client, { inode, flags }), wire(inode)];
  }

  #page(inode: Inode, entries: [string, Inode][]): [unknown[], number | null] {
    const page = entries
      .splice(0, this.#home.pageSize)
      .map(([name, child]) => [Buffer.from(name, 'latin1'), wire(child)]);
    return [
      page,
      entries.length === 0 ? null : this.#home.addHandle(this.#client, { inode, flags: 0, entries }),
    ];
  }

  readonly #handlers: Partial<Record<MethodName, (...params: never[]) => unknown>> = {
    getattr: (path: Buffer) => wire(this.#find(path)),
    fgetattr: (number: number) => wire(this.#handle(number).inode),
    setattr: (path: Buffer, changes: Changes) => this.#change(this.#find(path), changes),
    fsetattr: (number: number, changes: Changes) => this.#change(this.#handle(number).inode, changes),
    readdir: (path: Buffer) => {
      const inode = this.#find(path);
      if (!inode.isDirectory) throw new Failure('ENOTDIR');
      return [wire(inode), ...this.#page(inode, [...inode.children])];
    },
    readdirNext: (number: number) => {
      const { inode, entries = [] } = this.#handle(number);
      this.#client.handles.delete(number);
      return this.#page(inode, entries);
    },
    readlink: (path: Buffer) => this.#find(path).data,
    mkdir: (path: Buffer, permissions: number) => wire(this.#make(path, S_IFDIR | permissions)),
    mknod: (path: Buffer, mode: number) => wire(this.#make(path, mode)),
    symlink: (path: Buffer, target: Buffer) => {
      const inode = this.#make(path, S_IFLNK | 0o777);
      inode.data = target;
      return wire(inode);
    },
    link: (existing: Buffer, path: Buffer) => {
      const inode = this.#find(existing);
      const { directory, name, path: parent } = this.#parentOf(path);
      if (directory.children.has(name)) throw new Failure('EEXIST');
      directory.children.set(name, inode);
      inode.nlink++;
      directory.mtime = directory.ctime = inode.ctime = this.#home.tick();
      this.#nameChanged(parent, name);
      return wire(inode);
    },
    unlink: (path: Buffer) => this.#remove(path, false),
    rmdir: (path: Buffer) => this.#remove(path, true),
    rename: (from: Buffer, to: Buffer, flags: number) => {
      const source = this.#parentOf(from);
      const target = this.#parentOf(to);
      const moved = source.directory.children.get(source.name);
      const replaced = target.directory.children.get(target.name);
      if (moved === undefined) throw new Failure('ENOENT');
      if (replaced !== undefined && flags === RENAME_NOREPLACE) throw new Failure('EEXIST');
      if (flags === RENAME_EXCHANGE) {
        if (replaced === undefined) throw new Failure('ENOENT');
        source.directory.children.set(source.name, replaced);
      } else {
        if (replaced !== undefined && replaced.children.size > 0) throw new Failure('ENOTEMPTY');
        if (replaced !== undefined) replaced.nlink--;
        source.directory.children.delete(source.name);
      }
      target.directory.children.set(target.name, moved);
      source.directory.mtime = target.directory.mtime = moved.ctime = this.#home.tick();
      this.#home.tell(this, [
        CHANGED_RENAME,
        source.path,
        Buffer.from(source.name, 'latin1'),
        target.path,
        Buffer.from(target.name, 'latin1'),
        flags === RENAME_EXCHANGE,
      ] as unknown as Change);
      return null;
    },
    open: (path: Buffer, flags: number, prefetch: number | null) => {
      const inode = this.#find(path);
      const opened = this.#opened(inode, flags);
      const { prefetches } = this.#home;
      return prefetch === null || prefetches === undefined
        ? opened
        : [...opened, inode.data.subarray(0, Math.min(prefetch, prefetches))];
    },
    create: (path: Buffer, flags: number, permissions: number) => {
      const { directory, name } = this.#parentOf(path);
      const existing = directory.children.get(name);
      if (existing === undefined)
        return this.#opened(this.#make(path, S_IFREG | permissions), flags & ~OPEN_TRUNCATE);
      if ((flags & OPEN_EXCLUSIVE) !== 0) throw new Failure('EEXIST');
      return this.#opened(existing, flags);
    },
    read: (number: number, offset: number, length: number) =>
      this.#handle(number).inode.data.subarray(offset, offset + length),
    write: (number: number, offset: number, data: Buffer) => {
      const { inode, flags } = this.#handle(number);
      const at = (flags & OPEN_APPEND) === 0 ? offset : inode.data.length;
      if (at + data.length > inode.data.length) this.#resize(inode, at + data.length);
      data.copy(inode.data, at);
      inode.mtime = inode.ctime = this.#home.tick();
      this.#nodeChanged(inode);
      return wire(inode);
    },
    fsync: (number: number) => (this.#handle(number), null),
    fsyncdir: (path: Buffer) => (this.#find(path), null),
    close: (number: number) => {
      this.#handle(number);
      this.#client.handles.delete(number);
      return null;
    },
    statfs: () => [
      4096,
      Number.isFinite(this.#home.quota) ? this.#home.quota : 0,
      this.#home.used,
      1 << 30,
      100,
      10,
      1_000_000,
    ],
  };

  /** Handles that the client has open, of any kind. */
  get openHandles(): number {
    return this.#client.handles.size;
  }
}

/** A deep copy of lists, with bytes copied too, as if it had been on the wire. */
function structuredCloneBuffers(value: unknown): unknown {
  if (Buffer.isBuffer(value)) return Buffer.from(value);
  return Array.isArray(value) ? value.map(structuredCloneBuffers) : value;
}
