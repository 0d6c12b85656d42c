/**
 * Several names of one file, with -H: the first is copied, and the others are made by link(2) when it is there.
 */
import { Failure } from '../../protocol/failure.js';
import { displayName } from '../names.js';

export interface OtherName<Item> {
  readonly item: Item;
  readonly first: Item;
}

export class HardLinks<Item> {
  /** Only files that have several names, by what names the file itself. */
  readonly #first = new Map<string, Item>();
  #others: OtherName<Item>[] = [];

  /** Whether `item` is another name of the file `identity`, which is kept for take(). */
  isOther(identity: string, item: Item): boolean {
    const first = this.#first.get(identity);
    if (first === undefined) this.#first.set(identity, item);
    else this.#others.push({ item, first });
    return first !== undefined;
  }

  take(): readonly OtherName<Item>[] {
    const others = this.#others;
    this.#others = [];
    return others;
  }
}

export function notCopied(first: Buffer): Failure {
  return new Failure('ENOENT', `${displayName(first)}, another name of it, could not be copied`);
}
