/*
 * Which homes a user may come to: an own one, and those of shares. Read from the state each time, at the login and at the hand-over
 * after a wait. And what becomes of a session when ftpctl says that groups or shares changed.
 */
import { createHash } from 'node:crypto';
import { Failure } from '../../protocol/failure.js';
import type { UserName } from '../../protocol/ids.js';
import type { Share } from '../../protocol/shares.js';
import type { Account } from '../../state/accounts.js';
import { ownHome, type HomeRecord } from '../../state/home-record.js';
import { sharedHome, type Shares } from '../../state/shares.js';

/** The home that a session is of. */
export interface Destination {
  readonly home: HomeRecord;
  /** Undefined: the user's own. */
  readonly share: Share | undefined;
  /** What the client is told of shares: the user's, or the one that the session is of. */
  readonly shares: readonly Share[];
}

/** What has to become of a session, as shares have changed. */
export type Consequence =
  | { readonly kind: 'none' }
  | { readonly kind: 'told'; readonly shares: readonly Share[] }
  | { readonly kind: 'ended'; readonly reason: string; readonly again: boolean };

const CLIENT_ID_BYTES = 16;

export class Memberships {
  readonly #shares: Pick<Shares, 'get' | 'of'>;

  constructor(shares: Pick<Shares, 'get' | 'of'>) {
    this.#shares = shares;
  }

  /** `name`: of a share, as the client wrote it; null: the own home. ENOENT. */
  destination(account: Account, name: string | null): Destination {
    const shares = this.#shares.of(account.name);
    if (name === null) return { home: ownHome(account), share: undefined, shares };
    const share = shares.find((one) => one.name === name);
    const record = share && this.#shares.get(share.name);
    // The same for a share of others and for none: nobody finds out by trying which there are.
    if (record === undefined) throw new Failure('ENOENT', `you have no share ${name}`);
    return { home: sharedHome(record), share, shares: share === undefined ? [] : [share] };
  }
}

/** Of a session that is at `share`, or at the own home, and was told of `shares`, where the user's are `current` now. */
export function consequenceOf(
  current: readonly Share[],
  { share, shares }: Pick<Destination, 'share' | 'shares'>,
): Consequence {
  if (share === undefined) {
    return isSame(shares, current) ? { kind: 'none' } : { kind: 'told', shares: current };
  }
  const now = current.find(({ name }) => name === share.name);
  if (now === undefined) {
    return { kind: 'ended', reason: `the share ${share.name} is yours no more`, again: false };
  }
  return now.isWritable === share.isWritable
    ? { kind: 'none' }
    : { kind: 'ended', reason: `what you may do in ${share.name} has changed`, again: true };
}

/**
 * A client's id in the home of a share, where others have clients, too: nobody goes on as another user's. Nor does one who may not
 * write any more as who could, with leases for writing.
 */
export function clientIdIn(share: Share | undefined, user: UserName, clientId: Uint8Array): Uint8Array {
  if (share === undefined) return Uint8Array.from(clientId);
  const digest = createHash('sha256').update(`${user} ${share.isWritable}\0`).update(clientId).digest();
  return Uint8Array.from(digest.subarray(0, CLIENT_ID_BYTES));
}

function isSame(some: readonly Share[], others: readonly Share[]): boolean {
  return (
    some.length === others.length &&
    some.every(
      ({ name, isWritable }, index) =>
        others[index]?.name === name && others[index].isWritable === isWritable,
    )
  );
}
