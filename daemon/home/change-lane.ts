/*
 * `change`: one operation, awaited. It waits until nobody else has what it touches, is carried out, and answered with what
 * it left.
 *
 * Invariant: a number that is marked as done is not carried out again: the answer is then what there is now.
 */
import { MKDIR, LINK, RMDIR, type Operation } from '../../protocol/operations.js';
import type { FileRef } from '../../protocol/references.js';
import { PosixError } from '../../posix/error.js';
import { statxFd, type Status } from '../../posix/status.js';
import { Failure } from '../../protocol/failure.js';
import { statusIfAny } from './confined.js';
import type { DiskWatch } from './disk-watch.js';
import type { Executor } from './executor.js';
import { isDirectory } from './file-ids.js';
import type { HomeClient } from './home-client.js';
import type { Identities } from './identities.js';
import type { Prepared } from './lease-waits.js';
import type { Touch } from './lease-table.js';
import type { Leases } from './leases.js';
import type { Marks } from './marks.js';
import { readOnWay } from './path-units.js';
import type { ShownTimes } from './shown-times.js';
import { unitsOfOperation } from './units.js';

export class ChangeLane {
  readonly #identities: Identities;
  readonly #executor: Executor;
  readonly #leases: Leases;
  readonly #shown: ShownTimes;
  readonly #watch: DiskWatch;

  constructor(parts: {
    identities: Identities;
    executor: Executor;
    leases: Leases;
    shown: ShownTimes;
    watch: DiskWatch;
  }) {
    this.#identities = parts.identities;
    this.#executor = parts.executor;
    this.#leases = parts.leases;
    this.#shown = parts.shown;
    this.#watch = parts.watch;
  }

  prepare(
    client: HomeClient,
    number: number,
    operation: Operation,
    data: Buffer | null,
  ): Prepared<unknown[]> {
    const marks = marksOf(client);
    if (marks?.done(number) === true) return { touches: [], run: () => this.#wire(this.#asItIs(operation)) };
    const units = this.#units(client, operation);
    const touches: Touch[] = refsOf(operation).flatMap((ref) => readOnWay(this.#identities, ref));
    for (const unit of units) touches.push({ unit, write: true });
    return {
      touches,
      run: () => {
        const left = this.#executor.carryOut(client, operation, data, false);
        marks?.setDone(number);
        this.#noteUnits(client, operation, units, left);
        return this.#wire(left);
      },
    };
  }

  /** The units that it changes; none where it cannot be told, because it will fail. */
  #units(client: HomeClient, operation: Operation): bigint[] {
    try {
      return unitsOfOperation(this.#identities, client.provisional, operation);
    } catch (error) {
      if (error instanceof Failure || error instanceof PosixError) return [];
      throw error;
    }
  }

  #noteUnits(client: HomeClient, operation: Operation, units: bigint[], left: readonly Status[]): void {
    const [file] = left;
    const [directory, removed] = units;
    switch (operation.kind) {
      case MKDIR:
      case LINK: {
        if (file === undefined || directory === undefined) return;
        if (!isDirectory(file) && file.nlink !== 2) return;
        this.#watch.made(client, file.ino);
        this.#leases.made(client, directory, file.ino, true);
        return;
      }
      case RMDIR:
        if (removed === undefined) return;
        this.#watch.removed(removed);
        this.#leases.removed(removed);
        return;
      default:
    }
  }

  /** What an operation that was carried out before has left, as far as it is still there. */
  #asItIs(operation: Operation): Status[] {
    if ('file' in operation && !('directory' in operation)) {
      return ifAny(() => this.#identities.file(operation.file).status);
    }
    if (!('directory' in operation)) return [];
    const isRename = 'newDirectory' in operation;
    const place = isRename
      ? { directory: operation.newDirectory, name: operation.newName }
      : { directory: operation.directory, name: operation.name };
    const file = ifAny(() => statusIfAny(this.#identities.directoryOf(place.directory).fd, place.name));
    const directories = isRename ? [operation.directory, operation.newDirectory] : [operation.directory];
    const statuses = directories.flatMap((ref) => ifAny(() => statxFd(this.#identities.directoryOf(ref).fd)));
    return [...file, ...statuses];
  }

  #wire(statuses: readonly Status[]): unknown[] {
    return statuses.map((status) => this.#shown.attributes(status));
  }
}

/** Its marks; undefined where the disk takes none: a full one must still be emptied. */
function marksOf(client: HomeClient): Marks | undefined {
  try {
    return client.mark();
  } catch {
    return undefined;
  }
}

function ifAny(look: () => Status | undefined): Status[] {
  try {
    const status = look();
    return status === undefined ? [] : [status];
  } catch {
    return [];
  }
}

function refsOf(operation: Operation): FileRef[] {
  const refs: FileRef[] = [];
  if ('directory' in operation) refs.push(operation.directory);
  if ('newDirectory' in operation) refs.push(operation.newDirectory);
  if ('file' in operation) refs.push(operation.file);
  return refs;
}
