/** A RemoteFilesystem over a home in memory, with a clock that stands still, as a test uses it. */
import { Failure } from '../../../protocol/failure.js';
import { ROOT_NODE, type HandleId, type NodeId } from '../../../protocol/ids.js';
import type { Attributes } from '../../../protocol/attributes.js';
import type { MethodName } from '../../../protocol/methods.js';
import type { RemotePath } from '../../../protocol/ids.js';
import { remotePath } from '../../../protocol/ids.js';
import type { Caller, Entry, NodeAttributes } from '../../../mount/filesystem/operations.js';
import { mountedDirectory, RemoteFilesystem } from '../../../mount/filesystem/remote-filesystem.js';
import { Remote } from '../../../mount/remote.js';
import { MemoryHome } from './memory-home.js';
import type { MemorySession } from './memory-session.js';

export const CALLER: Caller = { uid: 1000, gid: 1000, pid: process.pid };

const O_RDONLY = 0;

/** tap's test object satisfies it. */
interface Scope {
  teardown(handler: () => unknown): unknown;
}

export interface MountedOptions {
  readonly home?: MemoryHome;
  readonly directory?: string;
  readonly umask?: number;
  readonly softMs?: number;
  /** See RemoteFilesystemOptions; default true. */
  readonly kernelChecks?: boolean;
}

export class MountedHome {
  readonly home: MemoryHome;
  readonly remote: Remote;
  readonly fs: RemoteFilesystem;
  /** What the kernel was told, as text: 'node ID', 'entry ID NAME'. */
  readonly told: string[];
  readonly losses: object[];
  readonly logged: string[];
  readonly #clock: { now: number };
  readonly #connection: { session: MemorySession | undefined };

  private constructor(parts: {
    home: MemoryHome;
    remote: Remote;
    fs: RemoteFilesystem;
    told: string[];
    losses: object[];
    logged: string[];
    clock: { now: number };
    connection: { session: MemorySession | undefined };
  }) {
    this.home = parts.home;
    this.remote = parts.remote;
    this.fs = parts.fs;
    this.told = parts.told;
    this.losses = parts.losses;
    this.logged = parts.logged;
    this.#clock = parts.clock;
    this.#connection = parts.connection;
  }

  static async mount(scope: Scope, options: MountedOptions = {}): Promise<MountedHome> {
    const { home = new MemoryHome(), directory = '', umask, softMs, kernelChecks = true } = options;
    const logged: string[] = [];
    const log = (_details: object, message: string): void => {
      logged.push(message);
    };
    const connection: { session: MemorySession | undefined } = { session: undefined };
    const remote = new Remote({
      connect: async (hello) => (connection.session = await home.connect(hello)),
      log: { info: log, warn: log, error: log },
      softMs,
    });
    scope.teardown(() => remote.close());
    const path: RemotePath = remotePath(Buffer.from(directory));
    const root = await mountedDirectory(remote, (await remote.connect()) as Attributes, path);
    const told: string[] = [];
    const losses: object[] = [];
    const clock = { now: 1_000_000 };
    const fs = new RemoteFilesystem({
      remote,
      root,
      caches: {
        invalidateNode: (node) => told.push(`node ${node}`),
        invalidateEntry: (parent, name) => told.push(`entry ${parent} ${name.toString()}`),
      },
      ownership: { uid: 1000, gid: 1000, umask },
      log: { error: (details) => losses.push(details) },
      kernelChecks,
      clock: () => clock.now,
    });
    return new MountedHome({ home, remote, fs, told, losses, logged, clock, connection });
  }

  /** Lets time pass for what is cached. */
  age(ms: number): void {
    this.#clock.now += ms;
  }

  /** The present session, or the latest. */
  get session(): MemorySession {
    const { session } = this.#connection;
    if (session === undefined) throw new Error('not connected');
    return session;
  }

  /** Runs an action, and returns which requests it made. */
  async requestsOf(action: () => unknown): Promise<MethodName[]> {
    const { session } = this;
    const before = session.requests.length;
    await action();
    return session.requests.slice(before);
  }

  async lookup(path: string): Promise<Entry> {
    let parent: NodeId = ROOT_NODE;
    let entry: Entry | undefined;
    for (const name of path.split('/')) {
      const found = await this.fs.lookup(parent, Buffer.from(name), CALLER);
      if (found.nodeId === undefined) throw new Failure('ENOENT', path);
      entry = found;
      parent = found.nodeId;
    }
    if (entry === undefined) throw new Error('an empty path');
    return entry;
  }

  async exists(path: string): Promise<boolean> {
    try {
      await this.lookup(path);
      return true;
    } catch (error) {
      if (error instanceof Failure && error.kind === 'ENOENT') return false;
      throw error;
    }
  }

  async stat(node: NodeId): Promise<NodeAttributes> {
    return (await this.fs.getattr(node, undefined, CALLER)).attributes;
  }

  async list(node: NodeId, plus = false): Promise<string[]> {
    const { handle } = await this.fs.opendir(node, CALLER);
    const names = await this.listFrom(node, handle, 0n, plus);
    await this.fs.releasedir(node, handle);
    return names.map(({ name }) => name).filter((name) => name !== '.' && name !== '..');
  }

  /** Reads an open directory from an offset to its end, or `limit` entries, a few in each reply. */
  async listFrom(
    node: NodeId,
    handle: HandleId,
    offset: bigint,
    plus = false,
    limit = Number.POSITIVE_INFINITY,
  ): Promise<{ name: string; offset: bigint; entry: Entry | undefined }[]> {
    const found: { name: string; offset: bigint; entry: Entry | undefined }[] = [];
    let at = offset;
    while (found.length < limit) {
      let room = 7;
      const before = found.length;
      await this.fs.readdir(
        node,
        handle,
        at,
        plus,
        (entry, resolved) => {
          if (room === 0 || found.length === limit) return false;
          room--;
          found.push({ name: entry.name.toString(), offset: entry.offset, entry: resolved });
          at = entry.offset;
          return true;
        },
        CALLER,
      );
      if (found.length === before) break;
    }
    return found;
  }

  /** Reads an open file; one read. */
  async read(node: NodeId, handle: HandleId, offset = 0, length = 131_072, caller = CALLER): Promise<Buffer> {
    let data: Buffer | undefined;
    await this.fs.read(
      node,
      handle,
      offset,
      length,
      (pieces) => {
        if (data !== undefined) throw new Error('replied twice');
        data = Buffer.concat(pieces);
      },
      caller,
    );
    if (data === undefined) throw new Error('no reply');
    return data;
  }

  /** Opens, reads and closes, as a program does. */
  async content(path: string): Promise<string> {
    const { nodeId } = await this.lookup(path);
    const { handle } = await this.fs.open(nodeId, O_RDONLY, CALLER);
    const data = await this.read(nodeId, handle);
    await this.fs.flush(nodeId, handle, CALLER);
    await this.fs.release(nodeId, handle);
    return data.toString();
  }

  async create(parent: NodeId, name: string, flags = 0o102): Promise<{ node: NodeId; handle: HandleId }> {
    const { entry, opened } = await this.fs.create(parent, Buffer.from(name), flags, 0o644, CALLER);
    return { node: entry.nodeId, handle: opened.handle };
  }
}

/** Resolves when the condition holds; rejects after some seconds. For what has no event to wait for. */
export async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 4_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`never came true: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** The kind of the failure that an operation ends with. */
export async function failureOf(action: () => unknown): Promise<string> {
  try {
    await action();
  } catch (error) {
    return error instanceof Failure ? error.kind : String(error);
  }
  return 'no failure';
}
