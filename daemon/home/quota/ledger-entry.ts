/*
 * The home's entry in the ledger, kept so that a crash at any point is noticed: it is marked dirty on the disk before the
 * first change, gets the figures some seconds after changes (for who lists homes), and is clean only when
 * it was settled with nothing open.
 *
 * A write of the ledger is an fsync: one before the first change, and at most one each WRITE_AFTER_MS.
 */
import type { ChargedHome, Charge, Ledger } from '../../../state/ledger.js';

/** What is needed of the ledger. */
export type LedgerStore = Pick<Ledger, 'read' | 'markDirty' | 'write'>;

const WRITE_AFTER_MS = 5000;

export class LedgerEntryWriter {
  readonly #ledger: LedgerStore;
  readonly #home: ChargedHome;
  readonly #charge: () => Charge;
  readonly #onError: (error: unknown) => void;
  #clean: boolean;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: {
    ledger: LedgerStore;
    home: ChargedHome;
    /** Whether the entry is clean now. */
    clean: boolean;
    charge: () => Charge;
    onError: (error: unknown) => void;
  }) {
    this.#ledger = options.ledger;
    this.#home = options.home;
    this.#clean = options.clean;
    this.#charge = options.charge;
    this.#onError = options.onError;
  }

  /** To be called before each change: costs nothing but the first time after settle(). */
  beforeChange(): void {
    if (this.#clean) {
      this.#ledger.markDirty(this.#home.name);
      this.#clean = false;
    }
    this.#timer ??= setTimeout(() => this.#writeLater(), WRITE_AFTER_MS).unref();
  }

  /** Writes the figures; `clean` when nothing is open that a crash would change. */
  settle(clean: boolean): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#clean) return;
    this.#ledger.write(this.#home, this.#charge(), clean);
    this.#clean = clean;
  }

  #writeLater(): void {
    this.#timer = undefined;
    try {
      this.#ledger.write(this.#home, this.#charge(), false);
    } catch (error) {
      this.#onError(error);
    }
  }
}
