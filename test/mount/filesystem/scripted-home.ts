/**
 * A mounted home in memory: all of mount/filesystem over a server that the test plays (test/mount/remote/fake-server.ts), and
 * a kernel that takes what it is told.
 */
import { join } from 'node:path';
import { Failure } from '../../../protocol/failure.js';
import type { Attributes } from '../../../protocol/attributes.js';
import { ROOT_NODE, ROOT_PATH, type NodeId } from '../../../protocol/ids.js';
import { LEASE_WRITE, WHOLE_HOME, type MethodName } from '../../../protocol/methods.js';
import type { FileId } from '../../../protocol/references.js';
import type { Temper } from '../../../mount/filesystem/home.js';
import { openHome, type HomeState } from '../../../mount/filesystem/open-home.js';
import type { MountedHome } from '../../../mount/filesystem/mounted-home.js';
import { Remote } from '../../../mount/remote/remote.js';
import type { Caller, DirectoryEntry } from '../../../mount/operations.js';
import { temporaryDirectory } from '../../lib/directory.js';
import type { Scope } from '../../lib/scope.js';
import { failureOf } from '../remote/failure-of.js';
import { FakeServer } from '../remote/fake-server.js';
import { dying, until } from '../remote/processes.js';
import { attributesOf, DIRECTORY, newId, ROOT_INO } from '../tree/planted.js';

export const CALLER: Caller = { uid: 0, gid: 0, pid: process.pid };

type Answers = { [M in MethodName]?: (params: readonly unknown[]) => unknown };

export class ScriptedHome {
  readonly server = new FakeServer();
  readonly root: Attributes = attributesOf(ROOT_INO, DIRECTORY);
  /** What the server answers; what is not here is ENOSYS. */
  readonly answers: Answers;
  /** 'INODE OFFSET' and 'PARENT/NAME' that the kernel was told to drop. */
  readonly dropped: string[] = [];
  /** Where the data of lost writes are kept. */
  readonly lost: string;
  /** What it was told to forget. */
  readonly pruned: NodeId[] = [];
  /** When the kernel has dropped it. */
  settled: Promise<void> = Promise.resolve();
  /** The same of attributes, which it drops without waiting for a lock. */
  attributesSettled: Promise<void> = Promise.resolve();
  /** How many of these it has acted on. */
  whenLooked: () => number = () => 0;
  filesystem!: MountedHome;
  state!: HomeState;

  private constructor(answers: Answers, lost: string) {
    this.lost = lost;
    this.answers = {
      grant: ([, , regular, directories]) => [1e9, 1e6, ids(regular), ids(directories)],
      ...answers,
    };
    this.answers.apply ??= ([first, operations]) => {
      const applied = Number(first) + (operations as unknown[]).length - 1;
      return [applied, 0, 1e9, 1e6, []];
    };
    this.server.reply = (method, params) => {
      const answer = this.answers[method];
      if (answer === undefined) throw new Failure('ENOSYS', method);
      return answer(params);
    };
  }

  static async open(
    scope: Scope,
    answers: Answers = {},
    temper: Partial<Temper> = {},
    limits: { maxOpenFiles?: number; acls?: boolean } = {},
  ): Promise<ScriptedHome> {
    const home = new ScriptedHome(answers, join(temporaryDirectory(scope), 'lost'));
    home.server.maxOpenFiles = limits.maxOpenFiles ?? home.server.maxOpenFiles;
    const quiet = (): void => undefined;
    const remote = new Remote({
      connect: home.server.connect,
      log: { info: quiet, warn: quiet, error: quiet },
      backoff: { next: () => 1, lasted: () => undefined, refusedLong: false },
    });
    scope.teardown(() => remote.close());
    const { termMs, disk, maxOpenFiles } = await remote.connect();
    const { filesystem, state } = openHome({
      ...{ remote, termMs, disk, maxOpenFiles },
      root: { path: ROOT_PATH, attributes: home.root },
      caches: {
        invalidateNode: (node, offset) => home.dropped.push(`${node} ${offset}`),
        invalidateEntry: (parent, name) => home.dropped.push(`${parent}/${name.toString()}`),
        prune: (nodes) => home.pruned.push(...nodes),
        settled: (of) => (of === undefined ? home.settled : home.attributesSettled),
        get acted() {
          return home.whenLooked();
        },
        mapsDirect: true,
      },
      ownership: { uid: 0, gid: 0 },
      acls: limits.acls === true,
      log: { error: quiet },
      temper: { sync: false, flush: false, ...temper },
      lossDirectory: home.lost,
    });
    home.filesystem = filesystem;
    home.state = state;
    return home;
  }

  /** The root is listed, and leased to this mount for writing, as all else if `whole`. */
  async own(names: Readonly<Record<string, Attributes>> = {}, whole = true): Promise<void> {
    this.server.connection.notifications.lease?.([[whole ? WHOLE_HOME : ROOT_INO, LEASE_WRITE]]);
    const entries = Object.entries(names).map(([name, attributes]) => [Buffer.from(name), attributes, null]);
    this.answers.list = () => [[this.root, entries, null]];
    await this.list();
  }

  /** Looks a name of the root up; the kernel has one lookup more of it. */
  async node(name: string): Promise<NodeId> {
    const { nodeId } = await this.filesystem.lookup(ROOT_NODE, Buffer.from(name), CALLER);
    if (nodeId === undefined) throw new Failure('ENOENT', name);
    return nodeId;
  }

  /** The names in the root, as a program lists them. */
  async list(): Promise<string[]> {
    const opened = await this.filesystem.opendir(ROOT_NODE, CALLER);
    const names: string[] = [];
    const sink = ({ name }: DirectoryEntry): boolean => names.push(name.toString()) > 0;
    await this.filesystem.readdir(ROOT_NODE, opened.handle, 0n, false, sink, CALLER);
    await this.filesystem.releasedir(ROOT_NODE, opened.handle);
    return names.filter((name) => name !== '.' && name !== '..');
  }
}

/** Makes a call whose caller is ended by a signal when such a request is on its way, which is answered after that. */
export async function letGo(
  scope: Scope,
  { server }: ScriptedHome,
  method: MethodName,
  call: (caller: Caller) => unknown,
): Promise<string> {
  const pid = await dying(scope);
  const { connection } = server;
  connection.held = true;
  const abort = new AbortController();
  const called = failureOf(async () => call({ ...CALLER, pid, signal: abort.signal }));
  await until(() => connection.requests.some((each) => each.startsWith(method)));
  abort.abort();
  const failure = await called;
  connection.answer();
  return failure;
}

/** As many ids as are asked for. */
function ids(count: unknown): FileId[] {
  return Array.from({ length: Number(count) }, newId);
}
