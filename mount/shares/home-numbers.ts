/**
 * Numbers of nodes and handles in a mount of several homes: each home gives its own, counted up from 1, and what the kernel
 * has says in its high bits of which home it is.
 *
 * Invariant: the user's own home is the first (index 0) and its numbers are the same in the kernel as in the home.
 */
import { handleId, nodeId, ROOT_NODE, type HandleId, type NodeId } from '../../protocol/ids.js';

/** Numbers of a home: a million a second for 25 days. All together stay below 2^53. */
const NUMBERS_OF_HOME = 2 ** 41;
/** Homes that can be entered while something is mounted: no number is given twice, so a share that comes back counts again. */
export const MAX_HOMES = 2 ** 12;

/** Of which home a node or a handle is. */
export function homeOf(number: NodeId | HandleId): number {
  return Math.floor(number / NUMBERS_OF_HOME);
}

/** Whether it is of the user's own home. */
export function isOwn(number: NodeId | HandleId): boolean {
  return number < NUMBERS_OF_HOME;
}

/** The numbers of one home, as the kernel has them and as the home has them. */
export class HomeNumbers {
  readonly #first: number;
  /** The kernel's number of the home's root. */
  readonly root: NodeId;

  /** `index`: below MAX_HOMES. */
  constructor(index: number) {
    this.#first = index * NUMBERS_OF_HOME;
    this.root = this.outerNode(ROOT_NODE);
  }

  outerNode(inner: NodeId): NodeId {
    return nodeId(this.#first + inner);
  }

  innerNode(outer: NodeId): NodeId {
    return nodeId(outer - this.#first);
  }

  outerHandle(inner: HandleId): HandleId {
    return handleId(this.#first + inner);
  }

  innerHandle(outer: HandleId): HandleId {
    return handleId(outer - this.#first);
  }
}
