/*
 * The state of a home without sessions: tree, quota, identities, executor, on a temporary directory. After each partsTest the
 * charge must be what the tree and the files without a name hold, and nothing may be granted or open that is not closed.
 */
import { MAX_HELD } from '../../../protocol/limits.js';
import { mkdirSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { Timestamp } from '../../../protocol/attributes.js';
import {
  CREATE,
  LINK,
  MKDIR,
  RELEASE,
  RENAME,
  RMDIR,
  SETATTR,
  SYMLINK,
  UNLINK,
  WRITE,
  type Operation,
  type Rename,
  type SetAttributes,
  type Unlink,
} from '../../../protocol/operations.js';
import type { Owner } from '../../../protocol/owners.js';
import type { FileId, FileRef } from '../../../protocol/references.js';
import type { Status } from '../../../posix/status.js';
import { ConfinedTree } from '../../../daemon/home/disk/confined.js';
import { ChangeSummary } from '../../../daemon/home/operations/change-summary.js';
import { Executor } from '../../../daemon/home/operations/executor.js';
import { idOf } from '../../../daemon/home/disk/file-ids.js';
import { Grants, type ClientGrant } from '../../../daemon/home/quota/grants.js';
import { HeldFiles, type ClientHeld } from '../../../daemon/home/files/held-files.js';
import { Identities } from '../../../daemon/home/files/identities.js';
import type { ExecutorClient } from '../../../daemon/home/operations/operation-parts.js';
import { ProvisionalIds } from '../../../daemon/home/files/provisional-ids.js';
import { Quota } from '../../../daemon/home/quota/quota.js';
import { recount } from '../../../daemon/home/recount.js';
import { ShownTimes } from '../../../daemon/home/files/shown-times.js';
import { Telling } from '../../../daemon/home/files/telling.js';
import { VirtualOwners } from '../../../daemon/home/files/virtual-owners.js';
import type { ToldStatus } from '../../../daemon/home/files/owner-record.js';
import type { Use } from '../../../state/ledger.js';
import { temporaryDirectory } from '../../lib/directory.js';
import { ManualClock } from '../../lib/manual-clock.js';

// The daemon does so, too: modes are the client's.
process.umask(0);

const S_IFREG = 0o100000;

export interface PartsOptions {
  readonly bytes?: number;
  readonly files?: number;
  /** The home, which exists. */
  readonly directory?: string;
  /** Without O_TMPFILE. */
  readonly unnamed?: boolean;
  /** What the home holds. */
  readonly used?: Use;
  readonly maxOpenFiles?: number;
  /** Files have virtual owners. */
  readonly owners?: boolean;
  readonly sliceMs?: number;
  /** Bytes that a file can have on the disk. */
  readonly largestFile?: number;
  /** Descriptors that may stay open besides those that are open now. */
  readonly descriptors?: number;
}

export class Parts {
  readonly directory: string;
  readonly tree: ConfinedTree;
  readonly quota: Quota;
  readonly held: HeldFiles;
  readonly identities: Identities;
  readonly shown: ShownTimes;
  readonly owners: VirtualOwners;
  readonly telling: Telling;
  readonly grants: Grants;
  readonly executor: Executor;
  /** Why times could not be set. */
  readonly timesFailures: unknown[] = [];
  /** The home itself. */
  readonly home: FileRef;
  readonly clock = new ManualClock();
  readonly #clients: PartsClient[] = [];

  constructor(directory: string, options: PartsOptions = {}) {
    this.directory = directory;
    const { descriptors = Number.POSITIVE_INFINITY } = options;
    const tree = ConfinedTree.open(directory, openDescriptors() + descriptors);
    const { bytes = 0, files = 0, used = { bytes: 0, files: 0 } } = options;
    this.tree = tree;
    this.quota = new Quota(used, { bytes, files });
    const { quota } = this;
    this.held = new HeldFiles({
      ...{ tree, quota, clock: this.clock, limit: options.maxOpenFiles ?? MAX_HELD },
      isShared: () => this.#clients.length > 1,
    });
    this.identities = new Identities({ tree, held: this.held });
    this.shown = ShownTimes.open(tree);
    this.grants = new Grants({ tree, quota, now: () => performance.now(), unnamed: options.unnamed ?? true });
    this.owners = new VirtualOwners(tree, options.owners === true, this.identities.root.ino);
    this.telling = new Telling(this.shown, this.owners, this.held);
    const { held, identities, shown, owners } = this;
    this.executor = new Executor({
      ...{ tree, held, identities, shown, owners, sliceMs: options.sliceMs },
      trash: { take: () => undefined, accountOf: (_, account) => account },
      places: { requireNone: () => undefined, requireOutside: () => undefined },
      largestFile: options.largestFile ?? Number.MAX_SAFE_INTEGER,
      changed: () => undefined,
      moved: () => undefined,
      onTimesFailed: (error) => this.timesFailures.push(error),
    });
    this.home = refOf(identities.root);
  }

  client(): PartsClient {
    const client = new PartsClient(this);
    this.#clients.push(client);
    return client;
  }

  /** What is charged, and what a count finds. */
  async counts(): Promise<{ charged: Use; counted: Use }> {
    const tree = await recount(this.tree);
    const { bytes, files } = this.held.unlinked();
    return { charged: this.quota.used, counted: { bytes: tree.bytes + bytes, files: tree.files + files } };
  }

  close(): void {
    for (const client of this.#clients) client.close();
    this.identities.close();
    this.held.close();
    this.grants.close();
    this.shown.close();
    this.owners.close();
    this.tree.close();
  }
}

/** A client as the executor sees it. */
export class PartsClient implements ExecutorClient {
  readonly grant: ClientGrant;
  readonly held: ClientHeld;
  readonly provisional = new ProvisionalIds();
  readonly summary = new ChangeSummary();
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.grant = parts.grants.client();
    this.held = parts.held.client();
  }

  /** An awaited change; what it left, the file first. */
  change(operation: Operation, replay = false): ToldStatus[] {
    return this.#parts.executor.carryOut(this, operation, null, replay).told;
  }

  /** A change of a file that is still there. */
  changed(operation: Operation, replay = false): ToldStatus {
    const [file] = this.change(operation, replay);
    if (file === undefined) throw new Error('nothing is left');
    return file;
  }

  /** Operations of the log, in one batch; what was told of each. A failure ends it. */
  log(...operations: Operation[]): ToldStatus[][] {
    return this.#batch(operations, false);
  }

  /** log() of operations that may have been carried out before. */
  replay(...operations: Operation[]): ToldStatus[][] {
    return this.#batch(operations, true);
  }

  close(): void {
    this.held.close();
    this.grant.close();
  }

  #batch(operations: Operation[], replay: boolean): ToldStatus[][] {
    this.#parts.executor.begin();
    try {
      const { executor } = this.#parts;
      return operations.map((operation) => executor.carryOut(this, operation, null, replay).told);
    } finally {
      this.#parts.executor.end();
    }
  }
}

/** A test with the parts of a home, whose charge must equal a count of the tree at its end. */
export function partsTest(
  name: string,
  options: PartsOptions,
  body: (t: Test, parts: Parts) => Promise<void> | void,
): void {
  void t.test(name, async (t) => {
    const directory = options.directory ?? join(temporaryDirectory(t), 'home');
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const parts = new Parts(directory, options);
    await body(t, parts);
    const { charged, counted } = await parts.counts();
    t.strictSame(charged, counted, 'the charge is what the tree holds');
    parts.close();
    t.strictSame(parts.quota.granted, { bytes: 0, files: 0 }, 'all grants were given back');
    t.strictSame(openBelow(directory), [], 'all descriptors were closed');
    const tree = ConfinedTree.open(directory);
    const { bytes, files } = await recount(tree);
    tree.close();
    t.strictSame(parts.quota.used, { bytes, files }, 'nothing without a name is charged any more');
  });
}

/** What is open of a directory. Node has others open, and closes them when it likes. */
function openBelow(directory: string): string[] {
  const places = readdirSync('/proc/self/fd').map((number) => {
    try {
      return readlinkSync(`/proc/self/fd/${number}`);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') return ''; // of this reading itself
      if (code === 'ENAMETOOLONG') return `${directory}/…`;
      throw error;
    }
  });
  return places.filter((place) => place.startsWith(directory));
}

/** But for the one that this needs itself. */
export function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length - 1;
}

export function refOf(id: FileId): FileRef {
  return { ino: id.ino, birth: id.birth, path: null };
}

/** A reference by the id of a file that has this status. */
export function refTo(status: Status): FileRef {
  return refOf(idOf(status));
}

/** Times of tests: so many seconds after a day of 2023. */
export function at(sec: number, nsec = 0): Timestamp {
  return { sec: 1_700_000_000 + sec, nsec };
}

interface Made {
  readonly mode?: number;
  readonly id?: FileId | null;
  readonly time?: Timestamp | null;
  readonly owner?: Owner | null;
  readonly rdev?: number;
}

export function create(directory: FileRef, name: string | Buffer, made: Made = {}): Operation {
  const { mode = 0o644, id = null, time = null, owner = null, rdev = 0 } = made;
  const withType = mode > 0o7777 ? mode : S_IFREG | mode;
  return { kind: CREATE, directory, name: Buffer.from(name), time, mode: withType, id, owner, rdev };
}

export function mkdir(directory: FileRef, name: string, made: Made = {}): Operation {
  const { mode = 0o755, id = null, time = null, owner = null } = made;
  return { kind: MKDIR, directory, name: Buffer.from(name), time, mode, id, owner };
}

export function symlink(directory: FileRef, name: string, target: string, made: Made = {}): Operation {
  const { id = null, time = null, owner = null } = made;
  return { kind: SYMLINK, directory, name: Buffer.from(name), time, target: Buffer.from(target), id, owner };
}

export function link(
  file: FileRef,
  directory: FileRef,
  name: string,
  time: Timestamp | null = null,
): Operation {
  return { kind: LINK, directory, name: Buffer.from(name), time, file };
}

export function unlink(directory: FileRef, name: string | Buffer, more: Partial<Unlink> = {}): Operation {
  return { kind: UNLINK, directory, name: Buffer.from(name), time: null, id: null, hold: false, ...more };
}

export function rmdir(directory: FileRef, name: string, id: FileId | null = null): Operation {
  return { kind: RMDIR, directory, name: Buffer.from(name), time: null, id };
}

export function rename(
  [directory, name]: [FileRef, string],
  [newDirectory, newName]: [FileRef, string],
  more: Partial<Rename> = {},
): Operation {
  return {
    ...{ kind: RENAME, directory, name: Buffer.from(name), newDirectory, newName: Buffer.from(newName) },
    ...{ time: null, id: null, replaced: null, flags: 0, hold: false },
    ...more,
  };
}

export function setattr(file: FileRef, changes: Partial<SetAttributes>): Operation {
  return { kind: SETATTR, file, mode: null, size: null, atime: null, mtime: null, time: null, ...changes };
}

export function write(
  file: FileRef,
  offset: number | null,
  data: string | Buffer,
  time: Timestamp | null = null,
): Operation {
  return { kind: WRITE, file, offset, data: Buffer.from(data), time };
}

export function release(id: FileId): Operation {
  return { kind: RELEASE, id };
}
