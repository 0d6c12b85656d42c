/**
 * A home in memory that speaks the methods of the protocol without sockets: sessions of one user, changes told to the
 * others, a quota, answers that can be held back, lost connections and restarts. For tests of the mount.
 *
 * Requests are carried out when they are made and answered in order, in later turns of the event loop.
 */
import type { Attributes } from '../../../protocol/attributes.js';
import { Failure } from '../../../protocol/failure.js';
import { MAX_PAGE_ENTRIES } from '../../../protocol/limits.js';
import type { Change } from '../../../protocol/methods.js';
import type { Hello } from '../../../mount/remote/connection.js';
import { MemorySession } from './memory-session.js';

const S_IFMT = 0o170000;
const S_IFDIR = 0o040000;
const S_IFREG = 0o100000;

export class Inode {
  readonly ino: number;
  readonly birth: number;
  mode: number;
  nlink = 1;
  data: Buffer = Buffer.alloc(0);
  mtime: number;
  ctime: number;
  readonly children = new Map<string, Inode>();
  parent: Inode | undefined;

  constructor(ino: number, mode: number, now: number) {
    this.ino = ino;
    this.birth = now;
    this.mode = mode;
    this.mtime = now;
    this.ctime = now;
  }

  get isDirectory(): boolean {
    return (this.mode & S_IFMT) === S_IFDIR;
  }
}

export type Answer = { failure: Failure } | { result: unknown };

export interface Handle {
  readonly inode: Inode;
  readonly flags: number;
  /** Of a cursor: the entries that are left. */
  entries?: [string, Inode][];
}

export class MemoryHome {
  readonly root: Inode;
  /** Bytes that may be stored. */
  quota = Number.POSITIVE_INFINITY;
  /** Entries in a page of a listing. */
  pageSize = MAX_PAGE_ENTRIES;
  /** Bytes that `open` sends along at most; undefined: it never does. */
  prefetches: number | undefined = Number.POSITIVE_INFINITY;
  bootVerifier: Buffer = Buffer.from('boot0001');
  /** What `connect` fails with. */
  refusal: Failure | undefined;
  readonly sessions = new Set<MemorySession>();
  #clients = new Map<string, { handles: Map<number, Handle>; answers: Map<number, Answer> }>();
  #time = 1_000;
  #nextIno = 2;
  #nextHandle = 1;

  constructor() {
    this.root = new Inode(1, S_IFDIR | 0o755, this.tick());
    this.root.nlink = 2;
  }

  tick(): number {
    return this.#time++;
  }

  connect(hello: Hello): Promise<MemorySession> {
    if (this.refusal !== undefined) return Promise.reject(this.refusal);
    const key = hello.clientId.toString('hex');
    const known = this.#clients.get(key);
    const client = known ?? { handles: new Map<number, Handle>(), answers: new Map<number, Answer>() };
    this.#clients.set(key, client);
    const session = new MemorySession(this, hello, client, known !== undefined);
    this.sessions.add(session);
    return Promise.resolve(session);
  }

  /** The connections break; the server forgets all handles. */
  restart(): void {
    this.#clients = new Map();
    this.bootVerifier = Buffer.from(`boot${String(this.#time).padStart(4, '0').slice(-4)}`);
    this.breakConnections();
  }

  breakConnections(): void {
    for (const session of this.sessions) session.break();
  }

  get used(): number {
    const seen = new Set<Inode>();
    const walk = (inode: Inode): number => {
      if (seen.has(inode)) return 0;
      seen.add(inode);
      let sum = inode.data.length;
      for (const child of inode.children.values()) sum += walk(child);
      return sum;
    };
    return walk(this.root);
  }

  /** What is at a path, for assertions and changes behind the daemon's back. */
  at(path: string): Inode {
    const inode = path
      .split('/')
      .reduce<Inode | undefined>(
        (directory, name) => (name === '' ? directory : directory?.children.get(name)),
        this.root,
      );
    if (inode === undefined) throw new Failure('ENOENT', path);
    return inode;
  }

  /** Makes directories and files behind the daemon's back: a name that ends with a slash is a directory. */
  plant(tree: Record<string, string>): void {
    for (const [path, content] of Object.entries(tree)) {
      const parts = path.split('/').filter((part) => part !== '');
      const last = parts.pop() ?? '';
      let directory = this.root;
      for (const part of parts)
        directory = directory.children.get(part) ?? this.make(directory, part, S_IFDIR | 0o755);
      if (path.endsWith('/')) this.make(directory, last, S_IFDIR | 0o755);
      else this.write(directory.children.get(last) ?? this.make(directory, last, S_IFREG | 0o644), content);
    }
  }

  write(inode: Inode, content: string): void {
    inode.data = Buffer.from(content);
    inode.mtime = inode.ctime = this.tick();
  }

  make(directory: Inode, name: string, mode: number): Inode {
    const inode = new Inode(this.#nextIno++, mode, this.tick());
    inode.parent = directory;
    if (inode.isDirectory) {
      inode.nlink = 2;
      directory.nlink++;
    }
    directory.children.set(name, inode);
    directory.mtime = directory.ctime = this.tick();
    return inode;
  }

  addHandle(client: { handles: Map<number, Handle> }, handle: Handle): number {
    const number = this.#nextHandle++;
    client.handles.set(number, handle);
    return number;
  }

  tell(origin: MemorySession, change: Change): void {
    for (const session of this.sessions) if (session !== origin) session.push(change);
  }
}

export function attributesOf(inode: Inode): Attributes {
  const time = (t: number) => ({ sec: Math.floor(t / 1000), nsec: (t % 1000) * 1_000_000 });
  return {
    ino: BigInt(inode.ino),
    birth: BigInt(inode.birth),
    mode: inode.mode,
    nlink: inode.nlink,
    size: inode.isDirectory ? 0 : inode.data.length,
    blocks: Math.ceil(inode.data.length / 512),
    rdev: 0,
    atime: time(inode.mtime),
    mtime: time(inode.mtime),
    ctime: time(inode.ctime),
  };
}
