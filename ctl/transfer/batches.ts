/**
 * Gathers small files into messages of many: a round trip, and a sync of the disk, for each would be most of their time.
 *
 * A message goes when it is full, or when fewer than BATCHES_AT_ONCE are without an answer: so nothing waits for what may never
 * come, and those that come while messages are under way fill the next.
 */
import { MAX_DATA } from '../../protocol/limits.js';

/** One is written by the other side, while the next is on its way. */
const BATCHES_AT_ONCE = 3;

interface Gathered<Item, Result> {
  readonly item: Item;
  readonly weight: number;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

export interface BatchOptions<Item, Result> {
  /** How many items one message holds. */
  readonly items: number;
  /** Bytes of an item in the message, which holds MAX_DATA. */
  weigh(item: Item): number;
  /** Sends them. A result for each, in order. */
  send(items: readonly Item[]): Promise<readonly Result[]>;
}

export class Batches<Item, Result> {
  readonly #options: BatchOptions<Item, Result>;
  #gathered: Gathered<Item, Result>[] = [];
  #weight = 0;
  #underWay = 0;

  constructor(options: BatchOptions<Item, Result>) {
    this.#options = options;
  }

  /** The item's own result, when its message is answered. */
  add(item: Item): Promise<Result> {
    const weight = this.#options.weigh(item);
    return new Promise((resolve, reject) => {
      if (this.#weight + weight > MAX_DATA) this.#send();
      this.#gathered.push({ item, weight, resolve, reject });
      this.#weight += weight;
      if (this.#gathered.length === this.#options.items) this.#send();
      // Those that come in the same turn go together.
      else if (this.#gathered.length === 1) setImmediate(() => this.#sendIfIdle());
    });
  }

  #sendIfIdle(): void {
    if (this.#gathered.length > 0 && this.#underWay < BATCHES_AT_ONCE) this.#send();
  }

  #send(): void {
    const gathered = this.#gathered;
    if (gathered.length === 0) return;
    this.#gathered = [];
    this.#weight = 0;
    this.#underWay += 1;
    this.#options
      .send(gathered.map(({ item }) => item))
      .then(
        (results) => {
          for (const [index, { resolve, reject }] of gathered.entries()) {
            const result = results[index];
            if (result === undefined) reject(new Error('a batch has a result for each of its items'));
            else resolve(result);
          }
        },
        (error: unknown) => {
          for (const { reject } of gathered) reject(error);
        },
      )
      .finally(() => {
        this.#underWay -= 1;
        this.#sendIfIdle();
      });
  }
}
