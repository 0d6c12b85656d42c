/*
 * The counting of a home that is open: what is charged is held against its tree.
 *
 * Invariant: nothing changes the home meanwhile: sessions and continuations wait for whenOver(). One count comes after the
 * other, with nothing in between.
 */
import type { HomeName } from '../../protocol/ids.js';
import { usesDiffer, type QuotaReport, type Use } from '../../state/ledger.js';
import type { ConfinedTree } from './disk/confined.js';
import type { HeldFiles } from './files/held-files.js';
import type { Quota } from './quota/quota.js';
import { recount } from './recount.js';

export interface CountingParts {
  readonly home: HomeName;
  readonly tree: ConfinedTree;
  readonly quota: Quota;
  readonly held: HeldFiles;
  /** What partial uploads take of the use. */
  readonly uploads: () => Use;
  /** The charge was made what was counted. */
  readonly onRepaired: () => void;
  /** It is over: what waited is answered before what came behind it is begun. */
  readonly onOver: () => void;
}

export class Counting {
  readonly #parts: CountingParts;
  /** Set while the home is counted. */
  #underWay: Promise<void> | undefined;

  constructor(parts: CountingParts) {
    this.#parts = parts;
  }

  get isUnderWay(): boolean {
    return this.#underWay !== undefined;
  }

  async whenOver(): Promise<void> {
    while (this.#underWay !== undefined) await this.#underWay;
  }

  /** Compares the charge with the tree. `repair` makes the charge what was counted. */
  async check(repair: boolean): Promise<QuotaReport> {
    const { home, tree, quota, held, uploads, onRepaired, onOver } = this.#parts;
    const former = this.#underWay;
    let done: () => void = () => undefined;
    const counting = new Promise<void>((resolve) => {
      done = resolve;
    });
    this.#underWay = counting;
    try {
      await former;
      const { bytes, files, trashed } = await recount(tree);
      const unlinked = held.unlinked();
      const counted = { bytes: bytes + unlinked.bytes, files: files + unlinked.files };
      const charged = quota.used;
      const trash = { ledger: quota.trashed, tree: trashed };
      const differs = usesDiffer(charged, counted) || usesDiffer(trash.ledger, trash.tree);
      const repaired = repair && differs;
      if (repaired) {
        held.correctOpenInTrash();
        quota.correct(counted, trashed);
        onRepaired();
      }
      return { home, ledger: charged, tree: counted, uploads: uploads(), trash, repaired };
    } finally {
      if (this.#underWay === counting) this.#underWay = undefined;
      onOver();
      done();
    }
  }
}
