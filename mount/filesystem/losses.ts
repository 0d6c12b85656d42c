/**
 * Changes that were answered, and that the server then could not make: its disk was full or broke.
 *
 * They are never silent: the file and its directory are marked, and the next write, fsync or close of either tells the
 * error; it is logged; and the data are kept in a file of this machine. The rest of the home goes on.
 *
 * Who is told follows the kernel's errseq_t: write and fsync tell each loss once to each open file, and to the first one that
 * is opened later if nobody was told by then. close tells it, too, and that does not count until the last descriptor is
 * closed: a program that starts closes what it inherits, and takes no notice of what it is told.
 */
import { Failure } from '../../protocol/failure.js';
import { RELEASE, WRITE, type LogOperation, type Write } from '../../protocol/operations.js';
import type { FileId, FileRef } from '../../protocol/references.js';
import type { Entry } from '../log/entry.js';
import type { Inode, Loss } from '../tree/inode.js';
import type { Tree } from '../tree/tree.js';
import type { FileHandle, Opened } from './handles.js';
import type { KernelView } from './kernel-view.js';
import type { LostData } from './lost-data.js';

/** Where losses are told: the part of a pino logger that is used here. */
export interface LossLog {
  error(details: object, message: string): void;
}

export class Losses {
  readonly #tree: Tree;
  readonly #kernel: KernelView;
  readonly #log: LossLog;
  readonly #lostData: LostData;
  readonly #currentId: (id: FileId) => FileId;
  #count = 0;
  #conflicts = 0;

  constructor(parts: {
    tree: Tree;
    kernel: KernelView;
    log: LossLog;
    /** Where the data of lost writes are kept. */
    lostData: LostData;
    /** What the file that the log calls so is called now (server-ids.ts). */
    currentId(id: FileId): FileId;
  }) {
    this.#tree = parts.tree;
    this.#kernel = parts.kernel;
    this.#log = parts.log;
    this.#lostData = parts.lostData;
    this.#currentId = parts.currentId.bind(parts);
  }

  /** How many operations were lost. */
  get count(): number {
    return this.#count;
  }

  /** How many operations met what somebody else did, after their lease was lost. */
  get conflicts(): number {
    return this.#conflicts;
  }

  /** What was done here was changed elsewhere meanwhile. `kept`: where it is now; undefined: it was not carried out. */
  conflict(details: { path: string | undefined; reason: string; kept?: string | undefined }): void {
    this.#conflicts += 1;
    this.#log.error(details, 'the home was changed elsewhere while this mount was away');
  }

  /** The server could not carry out an operation of the log. */
  failed({ operation }: Entry, failure: Failure): void {
    for (const inode of this.#record(operation, failure)) {
      markLost(inode, failure);
      this.#kernel.takeBack(this.#tree.doubt(this.#tree.unitOf(inode) ?? inode.id.ino));
    }
  }

  /** Counts and logs a loss, and keeps its data. Returns the inodes that it is of. */
  #record(operation: LogOperation, failure: Failure): Inode[] {
    this.#count += 1;
    const inodes = refsOf(operation)
      .map((ref) => (ref.ino === null ? undefined : this.#tree.byId(this.#currentId(ref))))
      .filter((inode) => inode !== undefined);
    const [first] = inodes;
    const path = first === undefined ? undefined : this.#tree.pathOf(first)?.toString();
    const kept = operation.kind === WRITE ? this.#keep(first, operation) : undefined;
    this.#log.error(
      { path, kind: operation.kind, reason: failure.message, code: failure.code, kept },
      'the server could not make a change that was answered before',
    );
    return inodes;
  }

  /** The mount ends without its server: what it has not carried out is lost to it. In the order of the log. */
  abandoned(entries: Iterable<Entry>): void {
    for (const { state, operation } of entries) {
      if (state === 'unsent' || state === 'sent') {
        this.#record(operation, new Failure('ETIMEDOUT', 'the mount ended before the server had it'));
      }
    }
  }

  /** Keeps the data of a write that was lost. Returns the file. */
  #keep(inode: Inode | undefined, { file, offset, data }: Write): string | undefined {
    if (data === null || file.ino === null) return undefined;
    const [name] = inode?.names ?? [];
    try {
      return this.#lostData.keep(inode?.id ?? file, name?.key, offset ?? 0, data);
    } catch (error) {
      this.#log.error({ err: error }, 'the data of a lost write could not be kept');
      return undefined;
    }
  }
}

export function markLost(inode: Inode, failure: Failure): void {
  if (inode.loss === undefined || inode.loss.seen) inode.loss = { failure, seen: false };
}

/** What who opens it now need not be told. */
export function lossSeen({ loss }: Inode): Loss | undefined {
  return loss?.seen === true ? loss : undefined;
}

/** write(2) and fsync(2): throws what was lost, once. */
export function tellLoss(opened: Opened): void {
  const { loss } = opened.inode;
  if (loss === undefined || loss === opened.told) return;
  loss.seen = true;
  opened.told = loss;
  throw loss.failure;
}

/** close(2): throws what was lost. */
export function tellLossAtClose(handle: FileHandle): void {
  const { loss } = handle.inode;
  if (loss === undefined || loss === handle.told) return;
  handle.toldAtClose = loss;
  throw loss.failure;
}

/** The last descriptor is closed. */
export function lossToldAtClose({ toldAtClose }: FileHandle): void {
  if (toldAtClose !== undefined) toldAtClose.seen = true;
}

function refsOf(operation: LogOperation): readonly FileRef[] {
  if ('file' in operation) {
    return 'directory' in operation ? [operation.file, operation.directory] : [operation.file];
  }
  if (operation.kind === RELEASE) return [];
  const id = operation.id === null ? [] : [{ ...operation.id, path: null }];
  return [...id, operation.directory, ...('newDirectory' in operation ? [operation.newDirectory] : [])];
}
