/* What an administrator asks of the trash of a user, and the answers: over the control socket, and of a worker. */
import { Failure } from '../protocol/failure.js';
import type { Use } from './ledger.js';

export type TrashAct =
  | { readonly kind: 'empty' }
  /** `from`: where a page before said that the next one begins; null: the first one. */
  | { readonly kind: 'list'; readonly from: string | null }
  /** `id`: of an item. It is restored where it was. */
  | { readonly kind: 'restore' | 'remove'; readonly id: string };

export interface TrashItem {
  readonly id: string;
  /** Where it was; null: not known. */
  readonly path: string | null;
  readonly bytes: number;
  /** Milliseconds since 1970. */
  readonly removedAt: number;
}

export interface TrashAnswer {
  readonly items: readonly TrashItem[];
  /** Where the next page begins; null: there is none. */
  readonly next: string | null;
  /** Where the item was that was restored or removed. */
  readonly path?: string | null;
  /** What was there, of a trash that was emptied. */
  readonly removed?: Use;
}

/** Throws EINVAL. */
export function parseTrashAct(value: unknown): TrashAct {
  const { kind, from = null, id } = (value ?? {}) as Readonly<Record<string, unknown>>;
  if (kind === 'empty') return { kind };
  if (kind === 'list' && (from === null || typeof from === 'string')) return { kind, from };
  if ((kind === 'restore' || kind === 'remove') && typeof id === 'string') return { kind, id };
  throw new Failure('EINVAL', 'nothing that can be done with the trash');
}
