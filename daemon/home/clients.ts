/*
 * Clients of a home, by the id that a program chooses for its lifetime: what of it outlives a lost connection.
 *
 * Invariants: a client has at most one session, the newest; handles and kept answers belong to the client and end
 * RESUME_MS after its last session. Who stays away is told on coming back that everything may have changed, if
 * anything did.
 */
import { RESUME_MS } from '../../protocol/limits.js';
import { CHANGED_ALL, type Change } from '../../protocol/methods.js';
import { KeptAnswers } from './answers.js';
import type { Changes, Listener } from './changes.js';
import { HandleTable, type Handle, type HandleCount } from './handles.js';

/** Clients without a session that are kept for one home; the one that left first goes first. */
const MAX_AWAY = 64;

/** What a session is to its client. */
export interface ClientSession {
  readonly wantsNotifications: boolean;
  notify(changes: readonly Change[]): void;
  /** Another connection of the same client took over. */
  supersede(): void;
}

export class HomeClient implements Listener {
  readonly handles: HandleTable;
  readonly answers = new KeptAnswers();
  #session: ClientSession | undefined;
  #missed = false;

  constructor(count: HandleCount) {
    this.handles = new HandleTable(count);
  }

  /** Whether a session is connected. */
  get present(): boolean {
    return this.#session !== undefined;
  }

  tell(changes: readonly Change[]): void {
    if (this.#session === undefined) this.#missed = true;
    else this.#session.notify(changes);
  }

  /** Tells what was missed while away. To be called when the session's login is answered. */
  catchUp(): void {
    if (!this.#missed) return;
    this.#missed = false;
    this.#session?.notify([[CHANGED_ALL]]);
  }

  /** Called by Clients. */
  enter(session: ClientSession): void {
    const former = this.#session;
    this.#session = session;
    former?.supersede();
  }

  /** Called by Clients. Whether this was the client's session. */
  leave(session: ClientSession): boolean {
    if (this.#session !== session) return false;
    this.#session = undefined;
    return true;
  }
}

export class Clients {
  readonly #clients = new Map<string, HomeClient>();
  /** Timers of clients without a session, in the order of leaving. */
  readonly #away = new Map<string, NodeJS.Timeout>();
  readonly #changes: Changes;
  readonly #closeHandle: (handle: Handle) => void;
  readonly #onLeft: () => void;
  readonly #count: HandleCount = { total: 0, retired: 0 };

  /** `onLeft` is called when a session or a client has gone. */
  constructor(options: { changes: Changes; closeHandle: (handle: Handle) => void; onLeft: () => void }) {
    this.#changes = options.changes;
    this.#closeHandle = options.closeHandle;
    this.#onLeft = options.onLeft;
  }

  get size(): number {
    return this.#clients.size;
  }

  /** Clients that are connected. */
  get present(): number {
    return this.#clients.size - this.#away.size;
  }

  get handles(): number {
    return this.#count.total;
  }

  /** `resumed`: the client was known. `lowestUnanswered`: the first call whose answer it does not have. */
  attach(
    id: Uint8Array,
    session: ClientSession,
    lowestUnanswered: number,
  ): { client: HomeClient; resumed: boolean } {
    const key = Buffer.from(id).toString('hex');
    const known = this.#clients.get(key);
    const client = known ?? new HomeClient(this.#count);
    this.#clients.set(key, client);
    clearTimeout(this.#away.get(key));
    this.#away.delete(key);
    client.answers.forgetBelow(lowestUnanswered);
    client.enter(session);
    if (session.wantsNotifications) this.#changes.add(client);
    else this.#changes.remove(client);
    return { client, resumed: known !== undefined };
  }

  detach(id: Uint8Array, session: ClientSession): void {
    const key = Buffer.from(id).toString('hex');
    const client = this.#clients.get(key);
    if (client === undefined || !client.leave(session)) return;
    if (client.handles.size === 0 && client.answers.empty) {
      this.#remove(key);
    } else {
      this.#away.set(key, setTimeout(() => this.#remove(key), RESUME_MS).unref());
      if (this.#away.size > MAX_AWAY) {
        for (const oldest of this.#away.keys()) {
          this.#remove(oldest);
          break;
        }
      }
    }
    this.#onLeft();
  }

  /** Ends all clients. */
  close(): void {
    for (const key of [...this.#clients.keys()]) this.#remove(key);
  }

  #remove(key: string): void {
    const client = this.#clients.get(key);
    if (client === undefined) return;
    this.#clients.delete(key);
    clearTimeout(this.#away.get(key));
    const wasAway = this.#away.delete(key);
    this.#changes.remove(client);
    client.answers.clear();
    for (const handle of client.handles.end()) this.#closeHandle(handle);
    if (wasAway) this.#onLeft();
  }
}
