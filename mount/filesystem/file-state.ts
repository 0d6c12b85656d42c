/**
 * What is known of the data of one regular file, on this machine and on its way.
 */
import type { RemoteFile } from '../remote/remote-file.js';
import type { FileHandle } from './handles.js';
import type { FileWrites } from './write-behind.js';

export class FileState {
  /** Open here. */
  readonly handles = new Set<FileHandle>();
  /** What was written here and is not acknowledged; made with the first write. */
  writes: FileWrites | undefined;
  /** Own requests under way that change data or times: attributes that differ meanwhile are explained by them. */
  ownChanges = 0;
  /** Open at the server for who opens it next (second-tries.ts). */
  kept: RemoteFile | undefined;
  /** Counts changes of the data that were not made here. */
  #version = 0;
  /** The version that the kernel's cached pages are of. */
  #kernelVersion = -1;

  /** The data changed elsewhere: what was read before is out of date. */
  changedElsewhere(): void {
    this.#version++;
    for (const handle of this.handles) handle.readAhead?.drop();
  }

  /** Hands over what is kept open. */
  takeKept(): RemoteFile | undefined {
    const { kept } = this;
    this.kept = undefined;
    return kept;
  }

  /** Whether the kernel's pages, if it has any, are those of the file. */
  get kernelHasData(): boolean {
    return this.#kernelVersion === this.#version;
  }

  /** Whether the kernel's pages are those of the file, when it is opened. They will be from now on. */
  kernelMayKeep(): boolean {
    const current = this.kernelHasData;
    this.#kernelVersion = this.#version;
    return current;
  }

  kernelForgot(): void {
    this.#kernelVersion = -1;
  }
}
