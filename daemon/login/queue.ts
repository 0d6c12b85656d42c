/*
 * A bounded first-in, first-out queue whose members are told their place, 1 for the next, whenever it changes.
 * Pure: no clock, no sockets.
 *
 * Invariant: everybody who waits has been told the place that it has now. Leaving is linear in the length, as telling
 * those behind is anyway.
 */

export interface Waiting {
  /** Called at once on entering, then at each change. Must not change the queue. */
  onPlace(place: number): void;
}

export class Queue<W extends Waiting> {
  readonly #members: W[] = [];

  get length(): number {
    return this.#members.length;
  }

  /** Appends a member; the caller has checked that there is room. */
  enter(member: W): void {
    member.onPlace(this.#members.push(member));
  }

  /** Takes out whoever waits longest. */
  next(): W | undefined {
    const first = this.#members.shift();
    this.#tell(0);
    return first;
  }

  /** Takes out a member that gave up, wherever it stands; false where it is not waiting. */
  leave(member: W): boolean {
    const index = this.#members.indexOf(member);
    if (index < 0) return false;
    this.#members.splice(index, 1);
    this.#tell(index);
    return true;
  }

  #tell(from: number): void {
    for (const [index, member] of this.#members.entries()) if (index >= from) member.onPlace(index + 1);
  }
}
