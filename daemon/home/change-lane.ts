/*
 * `change`: one operation, awaited. It waits until nobody else has what it touches, is carried out, and answered with what
 * it left.
 *
 * Invariants: a number that is marked as done is not carried out again: the answer is then what there is now. One that is only
 * marked as begun was under way when the daemon was killed: it is judged as a replay by what it expects, and an append by
 * where it began. Of a write what fits is written, and the size that it left tells how much; of an append, together with the size
 * where it began.
 */
import { MKDIR, LINK, TMPFILE, WRITE, type Operation, type Write } from '../../protocol/operations.js';
import type { FileRef } from '../../protocol/references.js';
import { PosixError } from '../../posix/error.js';
import type { Fd } from '../../posix/fd.js';
import { pread } from '../../posix/files.js';
import { statxFd } from '../../posix/status.js';
import { Failure } from '../../protocol/failure.js';
import { statusIfAny } from './disk/confined.js';
import type { CarriedOut, Executor } from './operations/executor.js';
import { ShortWrite } from './operations/file-changes.js';
import { idOf, isDirectory } from './disk/file-ids.js';
import type { XattrFile } from './disk/file-xattrs.js';
import type { HomeClient } from './home-client.js';
import type { Identities } from './files/identities.js';
import type { Prepared } from './leases/lease-waits.js';
import type { Touch } from './leases/lease-table.js';
import type { Marks } from './operations/marks.js';
import type { ToldStatus } from './files/owner-record.js';
import { readOnWay } from './leases/path-units.js';
import type { Telling } from './files/telling.js';
import type { VirtualOwners } from './files/virtual-owners.js';
import { Unfinished } from './calls/unfinished.js';
import type { UnitChanges } from './leases/unit-changes.js';
import { unitsOfOperation, unitsReadBy } from './leases/units.js';

const NOTHING = Buffer.alloc(0);

export class ChangeLane {
  readonly #identities: Identities;
  readonly #executor: Executor;
  readonly #telling: Telling;
  readonly #owners: VirtualOwners;
  readonly #units: UnitChanges;

  constructor(parts: {
    identities: Identities;
    executor: Executor;
    telling: Telling;
    owners: VirtualOwners;
    units: UnitChanges;
  }) {
    this.#identities = parts.identities;
    this.#executor = parts.executor;
    this.#telling = parts.telling;
    this.#owners = parts.owners;
    this.#units = parts.units;
  }

  prepare(
    client: HomeClient,
    number: number,
    operation: Operation,
    data: Buffer | null,
  ): Prepared<unknown[]> {
    const marks = marksOf(client);
    if (marks?.done(number) === true && !isLost(client, number, operation)) {
      return { touches: [], run: () => this.#wire(this.#asItIs(client, number, operation)) };
    }
    const units = this.#ifAny(unitsOfOperation, client, operation);
    const touches: Touch[] = refsOf(operation).flatMap((ref) => readOnWay(this.#identities, ref));
    for (const unit of units) touches.push({ unit, write: true });
    for (const unit of this.#ifAny(unitsReadBy, client, operation)) {
      if (!units.includes(unit)) touches.push({ unit, write: false });
    }
    return {
      touches,
      run: () => {
        const { told, lost } = this.#carryOut(client, marks, number, operation, data);
        this.#noteMade(client, number, operation, units[0], told[0]);
        if (lost !== undefined) this.#units.lost(client, lost, false);
        return this.#wire(told);
      },
    };
  }

  #carryOut(
    client: HomeClient,
    marks: Marks | undefined,
    number: number,
    operation: Operation,
    data: Buffer | null,
  ): CarriedOut {
    const before = marks?.begun(number);
    const end = isAppend(operation) ? this.#endFor(client, operation, data, before ?? null) : null;
    const placed = isAppend(operation) ? { ...operation, offset: end } : operation;
    noted(() => marks?.setBegun(number, end));
    let done: CarriedOut;
    try {
      done = this.#executor.carryOut(client, placed, data, before !== undefined);
    } catch (error) {
      // Of a write some may be there; what is carried out again keeps what is known of the first time.
      const isAgain = before !== undefined && error instanceof Unfinished;
      if (operation.kind !== WRITE && !isAgain) noted(() => marks?.forgetChange(number));
      if (!(error instanceof ShortWrite)) throw error;
      done = { told: [error.file], lost: undefined };
    }
    noted(() => marks?.setDone(number));
    const [file] = done.told;
    return end === null || file === undefined ? done : { ...done, told: [file, { ...file, size: end }] };
  }

  /** Where an append goes. `before`: where it went when it was begun the last time. */
  #endFor(
    client: HomeClient,
    { file, data: own }: Write,
    data: Buffer | null,
    before: number | null,
  ): number {
    const { fd, status } = this.#identities.writable(client.provisional.ref(file));
    const isThere =
      before !== null && before <= status.size && beginsLike(fd, before, own ?? data ?? NOTHING);
    return isThere ? before : status.size;
  }

  /** Units of an operation; none where they cannot be told, because it will fail. */
  #ifAny(units: typeof unitsOfOperation, client: HomeClient, operation: Operation): bigint[] {
    try {
      return units(this.#identities, client.provisional, operation);
    } catch (error) {
      if (error instanceof Failure || error instanceof PosixError) return [];
      throw error;
    }
  }

  /** A unit that was made. */
  #noteMade(
    client: HomeClient,
    number: number,
    operation: Operation,
    directory: bigint | undefined,
    file: ToldStatus | undefined,
  ): void {
    switch (operation.kind) {
      case MKDIR:
      case LINK: {
        if (file === undefined || directory === undefined) return;
        if (!isDirectory(file) && file.nlink !== 2) return;
        this.#units.made(client, directory, file.ino, true);
        return;
      }
      case TMPFILE:
        if (file === undefined) return;
        client.madeUnnamed(number, idOf(file));
        this.#units.made(client, file.ino, file.ino, true);
        return;
      default:
    }
  }

  /** What an operation that was carried out before has left, as far as it is still there. */
  #asItIs({ provisional, unnamed }: HomeClient, number: number, operation: Operation): ToldStatus[] {
    if (operation.kind === TMPFILE) {
      const id = unnamed.get(number);
      return id === undefined ? [] : this.#toldIfAny(() => this.#identities.file({ ...id, path: null }));
    }
    if ('file' in operation && !('directory' in operation)) {
      return this.#toldIfAny(() => this.#identities.file(provisional.ref(operation.file)));
    }
    if (!('directory' in operation)) return [];
    const directoryOf = (ref: FileRef): Fd => this.#identities.directoryOf(provisional.ref(ref)).fd;
    const isRename = 'newDirectory' in operation;
    const place = isRename
      ? { directory: operation.newDirectory, name: operation.newName }
      : { directory: operation.directory, name: operation.name };
    const file = this.#toldIfAny(() => {
      const directory = directoryOf(place.directory);
      const status = statusIfAny(directory, place.name);
      return status && { directory, name: place.name, status };
    });
    const directories = isRename ? [operation.directory, operation.newDirectory] : [operation.directory];
    const statuses = directories.flatMap((ref) =>
      this.#toldIfAny(() => {
        const fd = directoryOf(ref);
        return { fd, status: statxFd(fd) };
      }),
    );
    return [...file, ...statuses];
  }

  #toldIfAny(look: () => XattrFile | undefined): ToldStatus[] {
    try {
      const file = look();
      return file === undefined ? [] : [this.#owners.told(file)];
    } catch {
      return [];
    }
  }

  #wire(left: readonly ToldStatus[]): unknown[] {
    return left.map((told) => this.#telling.attributes(told));
  }
}

/** Whether a file without a name was made by the change, and has gone with a daemon that was killed since. */
function isLost(client: HomeClient, number: number, { kind }: Operation): boolean {
  return kind === TMPFILE && !client.unnamed.has(number);
}

function isAppend(operation: Operation): operation is Write {
  return operation.kind === WRITE && operation.offset === null;
}

/** Whether what a file has from a place on is what was to be written there, as far as the shorter of both goes. */
function beginsLike(fd: Fd, place: number, bytes: Buffer): boolean {
  const there = Buffer.alloc(bytes.length);
  const length = pread(fd, there, 0, there.length, place);
  return there.subarray(0, length).equals(bytes.subarray(0, length));
}

/** Writes a mark, if the disk takes it: a full one must still be emptied. */
function noted(mark: () => void): void {
  try {
    mark();
  } catch {
    // It is known as long as the daemon lives.
  }
}

/** Its marks; undefined where the disk takes none. */
function marksOf(client: HomeClient): Marks | undefined {
  try {
    return client.mark();
  } catch {
    return undefined;
  }
}

function refsOf(operation: Operation): FileRef[] {
  const refs: FileRef[] = [];
  if ('directory' in operation) refs.push(operation.directory);
  if ('newDirectory' in operation) refs.push(operation.newDirectory);
  if ('file' in operation) refs.push(operation.file);
  if ('source' in operation) refs.push(operation.source);
  return refs;
}
