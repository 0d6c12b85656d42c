/*
 * One client of a home, by the id that a program chooses for its lifetime: what of it outlives a lost connection.
 *
 * Invariant: it has at most one session, the newest. What it is told while it has none is told again when it comes back
 * (recalls, what is durable), or is no news by then.
 */
import { Failure } from '../../protocol/failure.js';
import type { RemoteHandle, UserName } from '../../protocol/ids.js';
import { MAX_CALLS, MAX_CHANGES, MAX_LEASE_ITEMS } from '../../protocol/limits.js';
import {
  LEASE_NONE,
  type LeaseItem,
  type LeaseMode,
  type NotificationName,
  type NotificationParams,
} from '../../protocol/methods.js';
import type { FileId } from '../../protocol/references.js';
import { ChangeSummary } from './operations/change-summary.js';
import type { ClientGrant } from './quota/grants.js';
import type { HandleTable } from './handles.js';
import type { ClientHeld } from './files/held-files.js';
import type { LeaseHolder } from './leases/lease-table.js';
import type { Marks } from './operations/marks.js';
import type { ExecutorClient } from './operations/operation-parts.js';
import { Outcomes } from './operations/outcomes.js';
import { ProvisionalIds, type ProvisionalCount } from './files/provisional-ids.js';

/** What a session is to its client. */
export interface ClientSession {
  /** Whose it is. */
  readonly user: UserName;
  /** The user may change nothing in this home. */
  readonly isReadOnly: boolean;
  /** Must not throw. */
  notify<N extends NotificationName>(name: N, params: NotificationParams<N>): void;
  /** Breaks the connection. */
  drop(failure: Failure): void;
  /** Ends the connection after what is being worked on; the client makes a new one. Must not throw. */
  reconnect(reason: string): void;
}

export interface HomeClientParts {
  /** As of its sessions. */
  readonly user: UserName;
  readonly isReadOnly: boolean;
  /** In hex. */
  readonly id: string;
  readonly handles: HandleTable;
  readonly held: ClientHeld;
  readonly provisional: ProvisionalCount;
  /** A new grant, with nothing in it. */
  readonly newGrant: () => ClientGrant;
  /** Opens its marks: made where there are none. */
  readonly openMarks: () => Marks;
  /** Milliseconds that only grow. */
  readonly now: () => number;
  /** Does what may fail and must not keep the rest from being done. */
  readonly trying: (act: () => void) => void;
}

export class HomeClient implements LeaseHolder, ExecutorClient {
  readonly user: UserName;
  readonly isReadOnly: boolean;
  readonly id: string;
  readonly handles: HandleTable;
  readonly held: ClientHeld;
  readonly provisional: ProvisionalIds;
  readonly outcomes = new Outcomes();
  readonly summary = new ChangeSummary();
  /** Answers of the last finished uploads, by handle: the client may not have got them. */
  readonly finishedUploads = new Map<RemoteHandle, Promise<unknown[]>>();
  /** The files without a name that its last changes made, by their numbers: nobody else can say which one it was. */
  readonly unnamed = new Map<number, FileId>();
  readonly #parts: HomeClientParts;
  #grant: ClientGrant;
  #marks: Marks | undefined;
  #session: ClientSession | undefined;
  #connections = 0;
  /** The session was dropped, and its end has not been told yet. */
  #dropped = false;
  #wants: LeaseMode = LEASE_NONE;
  #lastHeard: number;
  #durableTold = 0;
  #ended = false;
  #keepsLocks = false;
  #locksTaken = false;
  /** Of a sync that this client was not told of. */
  #syncFailure: unknown;

  constructor(parts: HomeClientParts) {
    this.user = parts.user;
    this.isReadOnly = parts.isReadOnly;
    this.id = parts.id;
    this.handles = parts.handles;
    this.held = parts.held;
    this.provisional = new ProvisionalIds(parts.provisional);
    this.#parts = parts;
    this.#grant = parts.newGrant();
    this.#lastHeard = parts.now();
  }

  get wants(): LeaseMode {
    return this.#wants;
  }

  get present(): boolean {
    return this.#session !== undefined && !this.#dropped;
  }

  /** How many sessions it has had. */
  get connections(): number {
    return this.#connections;
  }

  get lastHeard(): number {
    return this.#lastHeard;
  }

  get ended(): boolean {
    return this.#ended;
  }

  get grant(): ClientGrant {
    return this.#grant;
  }

  /** Its marks, if it has some. */
  get marks(): Marks | undefined {
    return this.#marks;
  }

  /** Whether somebody may come back for something. */
  get isNeeded(): boolean {
    return this.#marks !== undefined || this.handles.size > 0 || this.held.size > 0;
  }

  /** Its marks, which are made where there are none. Throws where the disk takes no more (ENOSPC, EROFS). */
  mark(): Marks {
    this.#marks ??= this.#parts.openMarks();
    return this.#marks;
  }

  /** A message came. */
  heard(): void {
    this.#lastHeard = this.#parts.now();
  }

  /** Called by Clients. */
  enter(session: ClientSession, wants: LeaseMode, resumed: boolean): void {
    const former = this.#session;
    this.#session = session;
    this.#connections += 1;
    this.#dropped = false;
    this.#wants = wants;
    this.#keepsLocks = resumed && !this.#locksTaken;
    this.#locksTaken = false;
    this.heard();
    former?.drop(new Failure('ECONNABORTED', 'another connection of this client took over'));
  }

  /** Called by Clients. Whether this was the client's session. */
  leave(session: ClientSession): boolean {
    if (this.#session !== session) return false;
    this.#session = undefined;
    this.#durableTold = 0;
    return true;
  }

  lease(items: readonly LeaseItem[]): void {
    this.#markLeased(true);
    for (const some of inMessages(items)) this.#session?.notify('lease', [some]);
  }

  recall(items: readonly LeaseItem[]): void {
    for (const some of inMessages(items)) this.#session?.notify('recall', [some]);
  }

  /** It comes back and is told so at its login. What it was granted went with the leases under which it was to be used. */
  leasesLost(): void {
    this.#markLeased(false);
    this.loseGrant();
    this.#drop('leases were not given back in time');
  }

  #drop(why: string): void {
    if (!this.present) return;
    this.#dropped = true;
    this.#session?.drop(new Failure('ETIMEDOUT', why));
  }

  /** Whether the locks that it had when it logged in were still its own, and are. */
  get keepsLocks(): boolean {
    return this.#keepsLocks;
  }

  /** Others have waited for the term for something that it had locked. It is told when it comes back. */
  locksTaken(): void {
    this.#locksTaken = true;
    this.#keepsLocks = false;
    this.#drop('locks were given to others');
  }

  /** It has locks: after a restart it is waited for. */
  locks(): void {
    this.#parts.trying(() => {
      if (!this.mark().leased) this.mark().setLeased(true);
    });
  }

  /** It has nothing of what it was granted any more. */
  loseGrant(): void {
    this.#parts.trying(() => this.#grant.close());
    this.#grant = this.#parts.newGrant();
  }

  /** Tells what is durable, where that is news. */
  tellDurable(): void {
    const durable = this.#marks?.durable ?? 0;
    if (durable <= this.#durableTold || !this.present) return;
    this.#durableTold = durable;
    this.#session?.notify('durable', [durable]);
  }

  /** What is not durable may be lost: the client sends its log again from there, and its next sync fails. */
  syncFailed(error: unknown): void {
    this.#syncFailure = error;
    const marks = this.#marks;
    if (marks === undefined || marks.applied === marks.durable) return;
    this.outcomes.forgetAfter(marks.durable);
    this.#session?.reconnect('the disk failed: what is not durable is to be sent again');
    marks.rewind();
  }

  /** What a sync of this client has to fail with, although it went well itself. */
  takeSyncFailure(): unknown {
    const failure = this.#syncFailure;
    this.#syncFailure = undefined;
    return failure;
  }

  /** A change of this number made a file without a name. */
  madeUnnamed(number: number, id: FileId): void {
    this.unnamed.set(number, id);
    this.unnamed.delete(number - MAX_CHANGES);
  }

  tellSoftLimit(notice: NotificationParams<'softLimit'>): void {
    this.#session?.notify('softLimit', notice);
  }

  tellUngrant(): void {
    this.#session?.notify('ungrant', []);
  }

  /** The answer of an upload that is finished: given again to who asks again. */
  rememberUpload(handle: RemoteHandle, answer: Promise<unknown[]>): void {
    this.finishedUploads.set(handle, answer);
    if (this.finishedUploads.size <= MAX_CALLS) return;
    for (const oldest of this.finishedUploads.keys()) {
      this.finishedUploads.delete(oldest);
      break;
    }
  }

  /** Called by Clients: lets go of all but its handles and held files. `forGood`: nothing is remembered of it either. */
  end(forGood: boolean): void {
    const { trying } = this.#parts;
    this.#ended = true;
    this.provisional.forget();
    trying(() => this.#grant.close());
    trying(() => (forGood ? this.#marks?.remove() : this.#marks?.close()));
    this.#marks = undefined;
  }

  /** A disk that takes no mark takes no changes either, from nobody. */
  #markLeased(leased: boolean): void {
    const marks = this.#marks;
    if (marks !== undefined && marks.leased !== leased) this.#parts.trying(() => marks.setLeased(leased));
  }
}

function* inMessages(items: readonly LeaseItem[]): Generator<LeaseItem[]> {
  for (let at = 0; at < items.length; at += MAX_LEASE_ITEMS) yield items.slice(at, at + MAX_LEASE_ITEMS);
}
