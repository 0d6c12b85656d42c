/**
 * What goes into one `apply`: operations with little data many at a time, as each message costs more than they do; a large
 * WRITE last, its data apart, so that they are sealed from where they are.
 *
 * Invariant: the message fits into a record.
 */
import { MAX_DATA, MAX_OPERATIONS } from '../../protocol/limits.js';
import { WRITE, type LogOperation } from '../../protocol/operations.js';
import type { FileRef } from '../../protocol/references.js';

/** Operations and their data that travel together, without the data apart (bytes). */
export const MESSAGE_BYTES = 256 * 1024;

/** Data of one WRITE that travel among other operations, at most: packing copies them. */
const INLINE_BYTES = 32 * 1024;

/** What an operation takes in a message besides its names, paths, values and data, at most. */
const OPERATION_BYTES = 160;

export class Message {
  readonly operations: LogOperation[] = [];
  /** Data of the last operation, where they are apart. */
  data: Buffer | undefined;
  readonly #maxOperations: number;
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(maxOperations: number, maxBytes: number) {
    this.#maxOperations = Math.min(maxOperations, MAX_OPERATIONS);
    this.#maxBytes = Math.min(maxBytes, MESSAGE_BYTES);
  }

  /** How long it is, about. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Adds one more; false where it has to be in the next message. */
  add(operation: LogOperation): boolean {
    const { operations } = this;
    if (this.data !== undefined || operations.length >= this.#maxOperations) return false;
    const data = operation.kind === WRITE ? operation.data : null;
    const apart = data !== null && data.length > INLINE_BYTES;
    const bytes = this.#bytes + headBytes(operation) + (data?.length ?? 0);
    if (operations.length > 0 && bytes > (apart ? MAX_DATA : this.#maxBytes)) return false;
    if (apart && operation.kind === WRITE) {
      operations.push({ ...operation, data: null });
      this.data = data;
    } else {
      operations.push(operation);
    }
    this.#bytes = bytes;
    return true;
  }
}

/** What an operation takes in a message without its data, at most. */
function headBytes(operation: LogOperation): number {
  let bytes = OPERATION_BYTES;
  if ('directory' in operation) bytes += pathBytes(operation.directory) + operation.name.length;
  if ('newDirectory' in operation) bytes += pathBytes(operation.newDirectory) + operation.newName.length;
  if ('file' in operation) bytes += pathBytes(operation.file);
  if ('target' in operation) bytes += operation.target.length;
  if ('xattr' in operation) bytes += operation.xattr.length;
  if ('value' in operation) bytes += operation.value.length;
  return bytes;
}

function pathBytes(ref: FileRef): number {
  return ref.path?.length ?? 0;
}
