/* Who is banned, asked of every connection: the bans of the state, read when they change and when one ends. */
import type { Ban } from '../../state/bans.js';
import { NetworkSet } from '../../state/networks.js';

export class Banned {
  readonly #read: () => readonly Ban[];
  #networks = new NetworkSet([]);
  #until = -Infinity;

  /** `read`: those that are in force. */
  constructor(read: () => readonly Ban[]) {
    this.#read = read;
  }

  /** To be called when they changed. */
  reload(): void {
    const bans = this.#read();
    this.#networks = new NetworkSet(bans.map(({ network }) => network));
    this.#until = bans.reduce((first, { until }) => Math.min(first, until ?? Infinity), Infinity);
  }

  has(address: string): boolean {
    if (Date.now() >= this.#until) this.reload();
    return this.#networks.has(address);
  }
}
