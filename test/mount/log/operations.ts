/** Operations for tests: directories that are told apart by a serial number. */
import type { Charge } from '../../../mount/log/entry.js';
import { MKDIR, type Mkdir, type Operation } from '../../../protocol/operations.js';
import type { FileId } from '../../../protocol/references.js';

export const NOTHING: Charge = { bytes: 0, files: 0 };
export const TIME = { sec: 1_000, nsec: 0 };
export const FILE: FileId = { ino: 7n, birth: 1n };

export function mkdir(serial: number): Mkdir {
  return {
    kind: MKDIR,
    directory: { ino: 1n, birth: 1n, path: null },
    name: Buffer.from(String(serial)),
    time: TIME,
    mode: 0o755,
    id: null,
  };
}

/** The serial number of such an operation. */
export function serialOf(operation: Operation): number {
  return operation.kind === MKDIR ? Number(operation.name) : Number.NaN;
}
