/*
 * The directories of a tree that is walked depth first, each opened from the nearest one above it that is open, so that a
 * deep tree costs no more than a flat one.
 *
 * Invariant: MAX_OPEN are open at most. Who comes up again to a directory that was closed opens it by the whole way, and with
 * it the last STEPS above it, for they are next.
 */
import type { Fd } from '../../../posix/fd.js';
import { close } from '../../../posix/files.js';
import { O_PATH, O_RDONLY } from '../../../posix/flags.js';
import type { ConfinedTree } from './confined.js';

const MAX_OPEN = 64;
const STEPS = 32;
const SLASH = Buffer.from('/');

/** A directory below the home; the home itself has none above it, and no name. */
export interface Step {
  readonly above: Step | undefined;
  readonly name: Buffer;
}

export class WayDown {
  readonly #tree: ConfinedTree;
  /** The one opened first is first. */
  readonly #open = new Map<Step, Fd>();
  /** Names that were walked. */
  passed = 0;

  constructor(tree: ConfinedTree) {
    this.#tree = tree;
  }

  /** Opens a directory, for reading or as `access` says; good until two others were opened, or it is left. Throws as openat2(2). */
  enter(step: Step, access = O_RDONLY): Fd {
    const missing: Step[] = [];
    let from = this.#tree.root;
    for (let at: Step | undefined = step; at !== undefined; at = at.above) {
      const open: Fd | undefined = at === step ? undefined : this.#open.get(at);
      if (open !== undefined) {
        from = open;
        break;
      }
      missing.push(at);
    }
    missing.reverse();
    this.passed += missing.length;
    const far = Math.max(0, missing.length - STEPS);
    if (far > 0) from = this.#openBelow(from, missing.slice(0, far), O_PATH);
    for (const near of missing.slice(far))
      from = this.#openBelow(from, [near], near === step ? access : O_PATH);
    return from;
  }

  /** Nothing below a directory is to be walked any more. */
  leave(step: Step): void {
    const fd = this.#open.get(step);
    if (fd !== undefined) close(fd);
    this.#open.delete(step);
  }

  close(): void {
    for (const step of [...this.#open.keys()]) this.leave(step);
  }

  #openBelow(from: Fd, steps: Step[], access: number): Fd {
    const names = steps.flatMap(({ name }) => (name.length === 0 ? [] : [SLASH, name]));
    const fd = this.#tree.openDirectory(from, Buffer.concat(names.slice(1)), access);
    const last = steps.at(-1);
    if (last !== undefined) this.#open.set(last, fd);
    if (this.#open.size > MAX_OPEN) {
      for (const oldest of this.#open.keys()) {
        this.leave(oldest);
        break;
      }
    }
    return fd;
  }
}
