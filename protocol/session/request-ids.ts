/**
 * Ids of the requests of one connection: they count up from 1, the login's, and after 2^32 - 1 comes 1 again.
 * Invariant: an id is not given while the request that has it is without an answer.
 */
const MAX_ID = 0xffff_ffff;

/** The id of the first request of a connection, which is a login. */
export const LOGIN_ID = 1;

export class RequestIds {
  #last: number;

  /** `last`: the id that was given last. */
  constructor(last = LOGIN_ID) {
    this.#last = last;
  }

  /** The next id that is not among those `underWay`. */
  take(underWay: ReadonlyMap<number, unknown>): number {
    do this.#last = this.#last >= MAX_ID ? 1 : this.#last + 1;
    while (underWay.has(this.#last));
    return this.#last;
  }
}
