/**
 * Listing a directory at the server: one listing at a time for each directory, shared by all who want it.
 *
 * A listing tells names and attributes together, so one round trip refreshes a whole directory: after FRESH_MS a
 * `git status` over a tree costs a round trip a directory and not one a file. That is done only for directories
 * whose listing is one page; of larger ones single names are asked for.
 *
 * Invariant: what own operations did after a listing was asked for outlives it: names made later are not removed by
 * it (Name.asOf), names removed later are not brought back (DirectoryState.removed).
 */
import { Failure } from '../../protocol/failure.js';
import { MAX_PAGE_ENTRIES } from '../../protocol/limits.js';
import type { Result } from '../../protocol/methods.js';
import type { DirectoryState } from './directory-state.js';
import { isFresh, NEVER } from './freshness.js';
import type { MountState } from './mount-state.js';
import type { Name, Node } from './nodes.js';

type DirectoryNode = Node & { readonly directory: DirectoryState };
type Entries = Result<'readdirNext'>[0];
type Cursor = Result<'readdirNext'>[1];

/** A second name asked for one by one makes it worth to list the directory. */
const MISSES_BEFORE_LISTING = 1;

/** A listing under way, or done. */
export class Load {
  /** The names so far, in the server's order. Only appended to. */
  readonly names: Name[] = [];
  /** Where true, it goes on to the last page; a listing made to answer lookups ends with the first. */
  wholly: boolean;
  finished = false;
  failure: Failure | undefined;
  /** The directory's version when it was finished. */
  version: number | undefined;
  #waiting: (() => void)[] = [];

  constructor(wholly: boolean) {
    this.wholly = wholly;
  }

  /** Resolves with the next page, or the end. */
  progress(): Promise<void> {
    if (this.finished) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Resolves at the end; rejects where it failed. */
  async end(): Promise<void> {
    while (!this.finished) await this.progress();
    if (this.failure !== undefined) throw this.failure;
  }

  advanced(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}

export class Listings {
  readonly #mount: MountState;

  constructor(mount: MountState) {
    this.#mount = mount;
  }

  /** All names of the directory are known, and believed. */
  isKnown(node: DirectoryNode): boolean {
    return node.directory.complete && isFresh(node.directory.listedAt, this.#mount.now());
  }

  /** Whether one page is likely to tell all, and more than one lookup wants to know. */
  isWorthListing({ directory }: DirectoryNode): boolean {
    if (directory.load !== undefined) return true;
    if (directory.huge) return false;
    return directory.complete
      ? directory.names.size <= MAX_PAGE_ENTRIES
      : directory.misses >= MISSES_BEFORE_LISTING;
  }

  /** Lists, or joins the listing under way. `wholly`: to the last page, whatever it takes. */
  load(node: DirectoryNode, wholly: boolean): Load {
    const { directory } = node;
    if (directory.load !== undefined) {
      directory.load.wholly ||= wholly;
      return directory.load;
    }
    const load = new Load(wholly);
    directory.load = load;
    directory.removed = new Map();
    this.#first(node, load);
    return load;
  }

  #first(node: DirectoryNode, load: Load): void {
    const { remote, nodes } = this.#mount;
    let sequence = 0;
    const onPage = (failure: Failure | undefined, entries: Entries | undefined, cursor: Cursor): void => {
      if (entries === undefined) {
        this.#finish(node, load, sequence, failure ?? new Failure('EIO'));
        return;
      }
      try {
        this.#merge(node, load, entries, sequence);
      } catch (thrown) {
        if (cursor !== null) remote.closeHandle(cursor);
        const { message } = Failure.from(thrown);
        this.#finish(
          node,
          load,
          sequence,
          new Failure('EIO', `a listing of the server is wrong: ${message}`),
        );
        return;
      }
      if (cursor === null) {
        this.#finish(node, load, sequence, undefined);
      } else if (load.wholly) {
        remote.request('readdirNext', [cursor], undefined, (error, page) =>
          onPage(error, page?.[0], page?.[1] ?? null),
        );
        load.advanced();
      } else {
        remote.closeHandle(cursor);
        node.directory.huge = true;
        this.#finish(node, load, sequence, undefined, true);
      }
    };
    let path;
    try {
      path = nodes.pathOf(node);
      if (path === undefined) throw new Failure('ENOENT');
    } catch (thrown) {
      this.#finish(node, load, 0, Failure.from(thrown));
      return;
    }
    sequence = remote.request('readdir', [path], undefined, (failure, result) => {
      if (result !== undefined) {
        if (result[0].ino !== node.ino || result[0].birth !== node.birth) {
          // Another directory has the name by now.
          if (result[2] !== null) remote.closeHandle(result[2]);
          return this.#finish(node, load, sequence, new Failure('ESTALE'));
        }
        node.directory.huge = result[2] !== null;
        this.#mount.learn(node, result[0], sequence);
      }
      onPage(failure, result?.[1], result?.[2] ?? null);
    });
  }

  #merge(node: DirectoryNode, load: Load, entries: Entries, sequence: number): void {
    const { nodes } = this.#mount;
    const { directory } = node;
    const now = this.#mount.now();
    for (const [bytes, attributes] of entries) {
      const key = bytes.toString('latin1');
      if ((directory.removed?.get(key) ?? 0) > sequence) continue;
      const known = directory.names.get(key);
      if (known !== undefined && known.asOf > sequence) {
        load.names.push(known);
        continue;
      }
      const child = nodes.identify(attributes, sequence);
      this.#mount.learn(child, attributes, sequence);
      load.names.push(nodes.bind(node, key, child, sequence, now));
    }
  }

  #finish(
    node: DirectoryNode,
    load: Load,
    sequence: number,
    failure: Failure | undefined,
    partial = false,
  ): void {
    const { directory } = node;
    directory.load = undefined;
    directory.removed = undefined;
    load.finished = true;
    load.failure = failure;
    directory.misses = 0;
    if (failure === undefined && !partial) {
      const { nodes } = this.#mount;
      for (const name of [...directory.names.values()]) if (name.asOf < sequence) nodes.unbind(name);
      directory.absent.clear();
      directory.complete = true;
      directory.listedAt = sequence > directory.doubtedUpTo ? this.#mount.now() : NEVER;
      nodes.listed(node);
      load.version = directory.version;
    }
    load.advanced();
  }
}
