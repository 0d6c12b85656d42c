/* All homes that a state knows: those of its users, and of its shares. */
import type { Failure } from '../protocol/failure.js';
import { shareOfHome, type HomeName, type UserName } from '../protocol/ids.js';
import { noSuchUser } from './accounts.js';
import { ownHome, type HomeRecord } from './home-record.js';
import { noSuchShare, sharedHome } from './shares.js';
import type { State } from './store.js';

/** Users' first, each by name. */
export function homesOf({ accounts, shares }: Pick<State, 'accounts' | 'shares'>): HomeRecord[] {
  return [...accounts.list().map(ownHome), ...shares.list().map(sharedHome)];
}

/** ENOENT, for whoever names a home that is none. */
export function noSuchHome(name: HomeName): Failure {
  const share = shareOfHome(name);
  return share === undefined ? noSuchUser(name as UserName) : noSuchShare(share);
}
