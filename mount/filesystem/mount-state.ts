/**
 * What all parts of the file system share: the server, the nodes, the kernel's caches, the clock; and the two things
 * that all of them do: ask the server, and learn from its answers.
 *
 * Invariant: what an answer tells is put into the nodes while the answer is received, never later, so that answers
 * and notifications take effect in the order in which they came.
 */
import type { Attributes } from '../../protocol/attributes.js';
import { Failure } from '../../protocol/failure.js';
import type { NodeId } from '../../protocol/ids.js';
import type { MethodName, Result } from '../../protocol/methods.js';
import type { Remote } from '../remote.js';
import type { Interruptible } from '../remote/interruption.js';
import type { DirectoryState } from './directory-state.js';
import { kernelValidity, NEVER, type Clock } from './freshness.js';
import type { Node, NodeTable } from './nodes.js';
import type { AttributesAnswer, Entry, KernelCaches } from './operations.js';
import { showAttributes, type Ownership } from './ownership.js';

/** How often a path is built anew when a rename elsewhere got ahead of the request. */
const MAX_TRIES = 3;

export interface AskOptions<M extends MethodName> {
  /** Runs before the rejection, in the receive path. */
  failed?(failure: Failure, sequence: number): void;
  /** See RequestOptions of the Remote. */
  abandoned?(result: Result<M>): void;
}

export interface MountStateOptions {
  readonly remote: Remote;
  readonly nodes: NodeTable;
  readonly caches: KernelCaches;
  readonly ownership: Ownership;
  readonly clock: Clock;
  /** See RemoteFilesystemOptions. */
  readonly kernelChecks: boolean;
}

export class MountState {
  readonly remote: Remote;
  readonly nodes: NodeTable;
  readonly caches: KernelCaches;
  readonly ownership: Ownership;
  readonly now: Clock;
  readonly #kernelChecks: boolean;

  constructor(options: MountStateOptions) {
    this.remote = options.remote;
    this.nodes = options.nodes;
    this.caches = options.caches;
    this.ownership = options.ownership;
    this.now = options.clock;
    this.#kernelChecks = options.kernelChecks;
  }

  /**
   * Makes a request and gives what `received` makes of its result, which it sees in the receive path. `params` is called
   * anew where the server does not find a path that a rename changed in the meantime.
   */
  ask<M extends MethodName, T>(
    method: M,
    params: () => unknown[],
    caller: Interruptible,
    received: (result: Result<M>, sequence: number) => T,
    options: AskOptions<M> = {},
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      const attempt = (triesLeft: number): void => {
        const { moves } = this.nodes;
        this.remote.request(
          method,
          params(),
          undefined,
          (failure, result, sequence) => {
            try {
              if (failure === undefined) resolve(received(result as Result<M>, sequence));
              else if (failure.kind === 'ENOENT' && triesLeft > 1 && this.nodes.moves !== moves) {
                attempt(triesLeft - 1);
              } else {
                options.failed?.(failure, sequence);
                reject(failure);
              }
            } catch (thrown) {
              reject(thrown as Error);
            }
          },
          { caller, ...(options.abandoned === undefined ? {} : { abandoned: options.abandoned }) },
        );
      };
      attempt(MAX_TRIES);
    });
  }

  /** Takes over what the answer to request `sequence` says of a node. `own`: it tells the outcome of an own change. */
  learn(node: Node, attributes: Attributes, sequence: number, own = false): void {
    if (sequence < node.asOf) return;
    const before = node.attributes;
    node.attributes = attributes;
    node.asOf = sequence;
    node.confirmedAt = sequence > node.doubtedUpTo ? this.now() : NEVER;
    const { file, directory } = node;
    const changed =
      before.size !== attributes.size ||
      before.mtime.sec !== attributes.mtime.sec ||
      before.mtime.nsec !== attributes.mtime.nsec;
    if (file !== undefined) {
      if (changed && !own && file.ownChanges === 0) this.dataChanged(node);
    } else if (directory !== undefined && sequence > node.doubtedUpTo) {
      if (changed && !own && !directory.changedHere) directory.age();
      directory.changedHere = false;
    }
  }

  /** The data of a file are not what the kernel and the read-ahead have. */
  dataChanged(node: Node): void {
    node.file?.changedElsewhere();
    if (node.lookups > 0) this.caches.invalidateNode(node.id as NodeId, 0, 0);
  }

  /** Own operations changed the names of a directory: its times and link count are to be asked for when needed. */
  directoryChanged(directory: Node, sequence: number): void {
    directory.doubt(sequence);
    if (directory.directory !== undefined) directory.directory.changedHere = true;
  }

  /**
   * Asks for the attributes of a directory right behind a request that changes its names: both answers come together.
   * A kernel that checks permissions wants them after each create and unlink, and that would be a round trip of its
   * own: one of three that a small file takes, and one of two of a removal.
   */
  follow(directory: Node & { readonly directory: DirectoryState }): void {
    const path = this.#kernelChecks ? this.nodes.pathOf(directory) : undefined;
    if (path === undefined) return;
    const state = directory.directory;
    const following = new Promise<void>((resolve) => {
      this.remote.request('getattr', [path], undefined, (_failure, attributes, sequence) => {
        if (attributes?.ino === directory.ino && attributes.birth === directory.birth) {
          this.learn(directory, attributes, sequence);
        }
        if (state.following === following) state.following = undefined;
        resolve();
      });
    });
    state.following = following;
  }

  answer(node: Node): AttributesAnswer {
    return {
      attributes: showAttributes(node.attributes, this.ownership, node.file?.writes?.unacknowledged),
      validMs: kernelValidity(node.confirmedAt, this.now()),
    };
  }

  /** The entry of a node that the kernel is told of by a name that was confirmed at `nameConfirmedAt`. */
  entry(node: Node, nameConfirmedAt: number): Entry {
    const now = this.now();
    return {
      nodeId: this.nodes.remember(node),
      generation: 0n,
      attributes: showAttributes(node.attributes, this.ownership, node.file?.writes?.unacknowledged),
      validMs: kernelValidity(node.confirmedAt, now),
      entryValidMs: kernelValidity(nameConfirmedAt, now),
    };
  }
}
