/*
 * The sessions that workers serve, as the main thread knows them: who, since when, by which key, and the place that each
 * holds. The sessions themselves are daemon/worker/session.ts, in the workers.
 *
 * Invariant: a record exists from the hand-over to the worker's word that it is closed; its place is released then, once.
 */
import type { HomeName, UserName } from '../protocol/ids.js';
import type { Share } from '../protocol/shares.js';
import type { SessionPlace } from './login/admission.js';

export interface SessionRecord {
  readonly sessionId: number;
  readonly user: UserName;
  readonly home: HomeName;
  /** Undefined: it is of the user's own home. */
  readonly share: Share | undefined;
  /** What its client was told of shares. */
  shares: readonly Share[];
  /** Base64 of the key that logged in; null: a password. */
  readonly key: string | null;
  readonly clientId: Buffer;
  readonly peer: string;
  readonly program: string;
  /** Milliseconds since 1970. */
  readonly since: number;
  /** Shared with a newer connection of the same client. */
  readonly place: SessionPlace;
}

export class Sessions {
  readonly #records = new Map<number, SessionRecord>();
  readonly #waiting = new Map<number, (() => void)[]>();
  #lastId = 0;

  newId(): number {
    return ++this.#lastId;
  }

  add(record: SessionRecord): void {
    this.#records.set(record.sessionId, record);
  }

  list(): SessionRecord[] {
    return [...this.#records.values()];
  }

  ofUser(user: UserName): SessionRecord[] {
    return this.list().filter((record) => record.user === user);
  }

  /** The session ended: its place goes to the next one. */
  closed(sessionId: number): SessionRecord | undefined {
    const record = this.#records.get(sessionId);
    this.#records.delete(sessionId);
    record?.place.release();
    for (const resolve of this.#waiting.get(sessionId) ?? []) resolve();
    this.#waiting.delete(sessionId);
    return record;
  }

  /** Resolves when the session is closed; at once for one that is. */
  whenClosed(sessionId: number): Promise<void> {
    if (!this.#records.has(sessionId)) return Promise.resolve();
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(sessionId);
      if (waiting === undefined) this.#waiting.set(sessionId, [resolve]);
      else waiting.push(resolve);
    });
  }
}
