/*
 * What one client has open, by the numbers it knows: directory cursors, uploads, downloads.
 *
 * Invariant: numbers count up and are never given twice to a client, so a late call cannot meet another file. A number
 * means something only within its client; other clients of the same user, and other users, have tables of their own.
 */
import { descriptorLimit } from '../descriptor-limit.js';
import { Failure } from '../../protocol/failure.js';
import { remoteHandle, type RemoteHandle } from '../../protocol/ids.js';
import { MAX_HANDLES } from '../../protocol/limits.js';
import type { DirectoryCursor } from './disk/directory-cursor.js';
import type { Download } from './transfers/downloads.js';
import type { Upload } from './transfers/upload.js';

/**
 * Handles of all clients of one home together. Each is a descriptor of the process, which all homes and connections
 * share: one user gets a quarter of them at most.
 */
const MAX_HANDLES_OF_HOME = Math.min(2 * MAX_HANDLES, Math.floor(descriptorLimit() / 4));
const LAST_NUMBER = 0xffff_ffff;

export type Handle =
  | { readonly kind: 'cursor'; readonly cursor: DirectoryCursor }
  | { readonly kind: 'upload'; readonly upload: Upload }
  | { readonly kind: 'download'; readonly download: Download };

type OfKind<K extends Handle['kind']> = Extract<Handle, { kind: K }>;

/** How many handles all clients of a home have. */
export interface HandleCount {
  total: number;
  /** ENFILE: the process has none to spare. */
  readonly requireDescriptor: () => void;
}

export class HandleTable {
  readonly #handles = new Map<number, Handle>();
  readonly #count: HandleCount;
  #next = 1;
  #ended = false;

  constructor(count: HandleCount) {
    this.#count = count;
  }

  get size(): number {
    return this.#handles.size;
  }

  /** To be called before something is opened for a handle. EMFILE, ENFILE. */
  requireRoom(): void {
    const full =
      this.#handles.size >= MAX_HANDLES ||
      this.#count.total >= MAX_HANDLES_OF_HOME ||
      this.#next > LAST_NUMBER;
    if (full) throw new Failure('EMFILE', 'too many files are open');
    this.#count.requireDescriptor();
  }

  /** ECONNABORTED where the client ended meanwhile: what was opened is then the caller's to close. */
  add(handle: Handle): RemoteHandle {
    if (this.#ended) throw new Failure('ECONNABORTED', 'the client has gone');
    const number = this.#next++;
    this.#handles.set(number, handle);
    this.#count.total += 1;
    return remoteHandle(number);
  }

  /** EBADF where there is none. */
  get(number: RemoteHandle): Handle {
    const handle = this.#handles.get(number);
    if (handle === undefined) throw new Failure('EBADF', 'the handle is not open');
    return handle;
  }

  /** The handle, which must be of this kind: EBADF. */
  ofKind<K extends Handle['kind']>(number: RemoteHandle, kind: K): OfKind<K> {
    const handle = this.get(number);
    if (handle.kind !== kind) throw new Failure('EBADF', `the handle is not of a ${kind}`);
    return handle as OfKind<K>;
  }

  /** Forgets the number; what it stood for is the caller's to close. EBADF. */
  take(number: RemoteHandle): Handle {
    const handle = this.get(number);
    this.forget(number);
    return handle;
  }

  /** take() of what may be gone already. */
  forget(number: RemoteHandle): void {
    if (this.#handles.delete(number)) this.#count.total -= 1;
  }

  /** Forgets the uploads of streams, with which nobody can go on over another connection. */
  takeStreams(): Handle[] {
    const streams = [...this.#handles].filter(
      ([, handle]) => handle.kind === 'upload' && handle.upload.target.source === undefined,
    );
    return streams.map(([number, handle]) => {
      this.forget(remoteHandle(number));
      return handle;
    });
  }

  /** Forgets all, and takes no more. */
  end(): Handle[] {
    this.#ended = true;
    const handles = [...this.#handles.values()];
    this.#handles.clear();
    this.#count.total -= handles.length;
    return handles;
  }
}
