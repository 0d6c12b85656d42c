/**
 * Opening a file that is replaced by rename again and again, by another session or by this one.
 *
 * The kernel opens in steps: LOOKUP gives the node of a name, GETATTR what permissions it has, OPEN opens it. Where the
 * name leads to another file by the time the server is asked, the step is told ESTALE, and the kernel takes all of them
 * once more; when that is overtaken too, open(2) fails, which it never does on a disk (two mounts on loopback, one
 * replacing a file as fast as it can: 1 of 500 opens in the other). So the second LOOKUP opens the file along, in
 * one request: the file that it answers is there for the steps that follow, whoever replaces it.
 */
import { Failure } from '../../protocol/failure.js';
import { OPEN_READ } from '../../protocol/methods.js';
import type { Interruptible } from '../remote/interruption.js';
import type { DirectoryState } from './directory-state.js';
import type { MountState } from './mount-state.js';
import { isFile, type Name, type Node } from './nodes.js';
import type { Absent, Resolution } from './resolution.js';

/** Threads that were told ESTALE and did not look up again; where there are more, all are forgotten. */
const MAX_OVERTAKEN = 256;

/** The kernel looks up what it knew of the name, is told of another node, and looks the name up as a new one. */
const LOOKUPS = 2;

export class SecondTries {
  readonly #mount: MountState;
  readonly #resolution: Resolution;
  /** Thread ids, and how many lookups of the second try may follow. */
  readonly #overtaken = new Map<number, number>();

  constructor(mount: MountState, resolution: Resolution) {
    this.#mount = mount;
    this.#resolution = resolution;
  }

  /** An operation of this thread fails: where that is why, the kernel tries again. */
  failed(thrown: unknown, { pid }: Interruptible): void {
    if (Failure.from(thrown).kind !== 'ESTALE') return;
    if (this.#overtaken.size >= MAX_OVERTAKEN) this.#overtaken.clear();
    this.#overtaken.set(pid, LOOKUPS);
  }

  /** Looks a name up and opens its file along, where that is called for; undefined where it is not. */
  lookup(
    parent: Node & { readonly directory: DirectoryState },
    key: string,
    caller: Interruptible,
  ): Promise<Name | Absent> | undefined {
    if (this.#overtaken.size === 0) return undefined;
    // On the way to the file, the kernel looks up the directories of the path again too.
    const known = parent.directory.names.get(key)?.node;
    if (known !== undefined && !isFile(known)) return undefined;
    const left = this.#overtaken.get(caller.pid);
    if (left === undefined) return undefined;
    if (left > 1) this.#overtaken.set(caller.pid, left - 1);
    else this.#overtaken.delete(caller.pid);
    const { nodes, remote } = this.#mount;
    return this.#mount
      .ask(
        'open',
        () => [nodes.pathIn(parent, key), OPEN_READ],
        caller,
        ([handle, attributes], sequence): Name => {
          const name = this.#resolution.found(parent, key, attributes, sequence);
          const { node } = name;
          if (node.ino === attributes.ino && isFile(node) && node.file.kept === undefined) {
            node.file.kept = remote.adopt(handle, attributes, OPEN_READ, () => nodes.pathOf(node));
          } else {
            remote.closeHandle(handle);
          }
          return name;
        },
        { abandoned: ([handle]) => remote.closeHandle(handle) },
      )
      .catch((thrown: unknown) => {
        if (Failure.from(thrown).kind === 'EINTR') throw thrown;
        // It is no file, or gone.
        return this.#resolution.lookup(parent, key, caller);
      });
  }

  /** The kernel knows the node no more: nobody will open it. */
  forgotten(node: Node): void {
    const kept = node.file?.takeKept();
    if (kept !== undefined) this.#mount.remote.closeFile(kept);
  }
}
