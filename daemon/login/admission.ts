/*
 * Who may have a session: a maximum in total, a maximum per user, and a bounded queue for the rest. Pure policy, no clock,
 * no sockets.
 *
 * Invariants: sessions <= maxSessions (unless the limit was lowered under them: nobody is thrown out); nobody waits while
 * there is room; first in, first out; a user holds at most maxPerUser places, waiting ones included, so that one user
 * cannot fill the queue.
 */
import { Failure } from '../../protocol/failure.js';
import type { UserName } from '../../protocol/ids.js';
import { Queue, type Waiting } from './queue.js';

export interface AdmissionLimits {
  readonly maxSessions: number;
  readonly maxSessionsPerUser: number;
  /** Clients that may wait; 0: nobody waits. */
  readonly maxQueue: number;
}

export interface Applicant extends Waiting {
  readonly user: UserName;
  /** Called once, synchronously in `apply` where there is room. */
  onAdmitted(place: SessionPlace): void;
}

/** The right to one session: of one client, whose connections may overlap when it connects again. */
export interface SessionPlace {
  /** Gives it back, once all who share it have; further calls do nothing. */
  release(): void;
  /** The same place for another connection of the client. Throws EBUSY where it is shared MAX_SHARING times. */
  share(): SessionPlace;
}

/** Connections of one client that are not known to be dead: each is a socket, and the home is still to end the older. */
const MAX_SHARING = 4;

export class Admission {
  #limits: AdmissionLimits;
  #sessions = 0;
  readonly #queue = new Queue<Applicant>();
  /** Sessions and waiting clients of each user that has any. */
  readonly #placesOfUser = new Map<UserName, number>();

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  get limits(): AdmissionLimits {
    return this.#limits;
  }

  get queued(): number {
    return this.#queue.length;
  }

  /** New limits; a higher maximum lets the next ones in at once. */
  setLimits(limits: AdmissionLimits): void {
    this.#limits = limits;
    this.#admit();
  }

  /** Admits, or queues. Throws EBUSY (too many of this user) or EUSERS (the queue is full, too). */
  apply(applicant: Applicant): void {
    const { maxSessions, maxSessionsPerUser, maxQueue } = this.#limits;
    const { user } = applicant;
    const places = this.#placesOfUser.get(user) ?? 0;
    if (places >= maxSessionsPerUser) {
      throw new Failure('EBUSY', `user ${user} has the ${maxSessionsPerUser} sessions that are allowed`);
    }
    const full = this.#sessions >= maxSessions;
    if (full && this.#queue.length >= maxQueue) {
      throw new Failure('EUSERS', 'the server is full, and so is its queue: try again later');
    }
    this.#placesOfUser.set(user, places + 1);
    if (full) this.#queue.enter(applicant);
    else this.#grant(applicant);
  }

  /** A waiting client gave up. Does nothing where it is not waiting. */
  withdraw(applicant: Applicant): void {
    if (this.#queue.leave(applicant)) this.#forget(applicant.user);
  }

  #grant(applicant: Applicant): void {
    this.#sessions += 1;
    let holders = 0;
    const hold = (): SessionPlace => {
      if (holders === MAX_SHARING) throw new Failure('EBUSY', 'the client has connected again too often');
      holders += 1;
      let held = true;
      return {
        share: hold,
        release: () => {
          if (!held) return;
          held = false;
          holders -= 1;
          if (holders > 0) return;
          this.#sessions -= 1;
          this.#forget(applicant.user);
          this.#admit();
        },
      };
    };
    applicant.onAdmitted(hold());
  }

  #admit(): void {
    while (this.#sessions < this.#limits.maxSessions) {
      const next = this.#queue.next();
      if (next === undefined) return;
      this.#grant(next);
    }
  }

  #forget(user: UserName): void {
    const places = (this.#placesOfUser.get(user) ?? 1) - 1;
    if (places === 0) this.#placesOfUser.delete(user);
    else this.#placesOfUser.set(user, places);
  }
}
