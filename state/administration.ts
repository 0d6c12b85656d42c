/*
 * What an administrator does with accounts, whether by ftpctl or on the web page.
 *
 * Order of every change: the transaction, the audit trail, the daemon (announcer.ts); of new accounts the daemon also before
 * (addUsers). What the daemon itself does (emptyTrash) is recorded behind it.
 */
import { join } from 'node:path';
import { Failure } from '../protocol/failure.js';
import { homeOfShare, type UserName } from '../protocol/ids.js';
import type { ApiToken } from './api-tokens.js';
import { accountKey, fingerprintOf, keyOf, withKey } from './account-keys.js';
import { noSuchUser, type Account, type AccountKey } from './accounts.js';
import { Announcer, type AskIfRunning } from './announcer.js';
import type { AccountChange, AuditDetails } from './audit.js';
import { requireKnownHomes } from './homes-marker.js';
import { refuseLeftHome } from './left-home.js';
import { networkOf } from './networks.js';
import { hashesOf, type NewCredential } from './new-credential.js';
import { requireGoodPassword } from './password-rules.js';
import type { Use } from './ledger.js';
import type { Added, State } from './store.js';
import { softQuotaOf } from './soft-quota.js';
import { formatEnd } from './times.js';
import type { TrashAct, TrashAnswer } from './trash-requests.js';

export interface AdministrationOptions {
  readonly state: State;
  /** Who makes the changes, for the audit trail. */
  readonly by: string;
  readonly ask: AskIfRunning;
}

export type Limits = Pick<
  Account,
  'quotaBytes' | 'maxFiles' | 'softBytes' | 'graceMs' | 'bandwidth' | 'trashMs'
>;

export type AskForCredential = () => Promise<NewCredential>;

export interface NewUser extends Limits, Pick<Account, 'expiresAt'> {
  readonly posixOwners: boolean;
  /** The home may be there already. */
  readonly adopt: boolean;
  readonly keys?: readonly AccountKey[];
  readonly disabled?: boolean;
  /** Where somebody has to be asked for it: when nothing else stands in the way. */
  readonly credential: NewCredential | AskForCredential;
}

export type NamedUser = NewUser & Pick<Account, 'name'>;

/** What of an account may be changed; what is missing stays. */
export type AccountSettings = Partial<
  Limits & Pick<Account, 'disabled' | 'expiresAt'> & { readonly posixOwners: boolean }
>;

/** What is made in the same transaction as users, and announced with them. */
export interface MadeWithUsers extends Omit<Added, 'accounts'> {
  /** For the audit trail. */
  readonly changes: readonly AccountChange[];
}

const NOTHING_ELSE: MadeWithUsers = { groups: [], shares: [], changes: [] };

export class Administration {
  readonly #state: State;
  readonly #announcer: Announcer;
  readonly #ask: AskIfRunning;

  constructor({ state, by, ask }: AdministrationOptions) {
    this.#state = state;
    this.#announcer = new Announcer({ paths: state.paths, by, ask });
    this.#ask = ask;
  }

  addUser(name: UserName, user: NewUser): Promise<void> {
    return this.addUsers([{ ...user, name }]);
  }

  /**
   * Why users cannot be made, by their places in the list. EEXIST: the name is taken, or files are left of an earlier user of it;
   * EINVAL: the password is none to be had.
   */
  async refusals(
    users: readonly Pick<NamedUser, 'name' | 'adopt' | 'credential'>[],
  ): Promise<Map<number, Failure>> {
    const { accounts, homes } = this.#state;
    const refusals = new Map<number, Failure>();
    const names = new Set<UserName>();
    for (const [index, { name, adopt, credential }] of users.entries()) {
      try {
        if (names.has(name)) throw new Failure('EEXIST', `${name} is there twice`);
        names.add(name);
        if (accounts.get(name) !== undefined) {
          throw new Failure('EEXIST', `there is a user ${name} already: change it with usermod`);
        }
        if (typeof credential !== 'function') this.#requireGood(credential, name);
        if (adopt || homes === undefined) continue;
        requireKnownHomes(this.#state, homes);
        await refuseLeftHome(join(homes, name), name);
      } catch (error) {
        refusals.set(index, Failure.from(error));
      }
    }
    return refusals;
  }

  /**
   * Makes accounts, all or none; a home is made when its user first logs in. Throws the first of refusals(): files that are left
   * are somebody's, mostly of an earlier user of the name, and handed over only where that is asked for.
   *
   * Of an earlier user whose removal the daemon was not told (userdel was killed) sessions and home may still be open: they are
   * gone before the account is made, and nothing is made where the daemon cannot be told that either. Afterwards it has to be told
   * only of groups and shares: it reads an account when its user logs in.
   */
  async addUsers(users: readonly NamedUser[], { groups, shares, changes } = NOTHING_ELSE): Promise<void> {
    for (const failure of (await this.refusals(users)).values()) throw failure;
    const hashes = await this.#hashesOf(users);
    const added: Account[] = [];
    for (const { credential: _, adopt: __, ...user } of users) {
      const passwordHash = hashes[added.length] ?? null;
      added.push({ keys: [], disabled: false, ...user, passwordHash, createdAt: Date.now() });
    }
    const homes = [...added.map(({ name }) => name), ...shares.map(({ name }) => homeOfShare(name))];
    await this.#announcer.endEarlier(homes);
    this.#state.addAll({ accounts: added, groups, shares });
    const all = [...added.map(userAdded), ...changes];
    if (groups.length + shares.length === 0) this.#announcer.record(all);
    else await this.#announcer.announce(all, { type: 'sharesChanged' });
  }

  /** Open sessions follow at once: of a user who is disabled, or expired, they end, and of owners they are told by connecting again. */
  async changeUser(name: UserName, settings: AccountSettings): Promise<Account> {
    let before: AccountSettings = {};
    const account = this.#state.accounts.update(name, (found) => {
      before = settingsOf(found, settings);
      return { ...found, ...settings };
    });
    const { disabled, posixOwners } = settings;
    const reopen = posixOwners !== undefined && posixOwners !== before.posixOwners;
    await this.#announcer.announce(
      { action: 'usermod', user: name, details: detailsOf(settings), before: detailsOf(before) },
      { type: 'accountChanged', name, closeSessions: disabled === true, reopen },
    );
    return account;
  }

  /** Sessions that are open stay, unless they are to be closed. EINVAL: the password is none to be had. */
  async setPassword(name: UserName, credential: AskForCredential, closeSessions: boolean): Promise<void> {
    this.#requireUser(name);
    const [hash = null] = await this.#hashesOf([{ name, credential }]);
    this.#state.accounts.update(name, (account) => ({ ...account, passwordHash: hash }));
    await this.#announcer.announce(
      { action: 'passwd', user: name, details: { login: hash === null ? 'by key only' : 'by password' } },
      { type: 'accountChanged', name, closeSessions },
    );
  }

  /** `text`: see accountKey(). Returns its fingerprint. */
  async addKey(name: UserName, text: string): Promise<string> {
    const key = accountKey(text);
    this.#state.accounts.update(name, (account) => withKey(account, key));
    return this.#keysChanged(name, 'key-add', fingerprintOf(key));
  }

  /** `which`: see keyOf(). Returns its fingerprint. */
  async removeKey(name: UserName, which: string): Promise<string> {
    let print = '';
    this.#state.accounts.update(name, (account) => {
      const removed = keyOf(account, which);
      print = fingerprintOf(removed);
      return { ...account, keys: account.keys.filter((key) => key !== removed) };
    });
    return this.#keysChanged(name, 'key-remove', print);
  }

  /** Returns when the sessions are gone. The home is for who calls to remove, then; `removeHome`: that is meant. */
  async removeUser(name: UserName, removeHome: boolean): Promise<void> {
    this.#state.removeUser(name);
    await this.#announcer.announce(
      { action: 'userdel', user: name, details: { removeHome } },
      { type: 'homesRemoved', names: [name] },
    );
  }

  /** Ends the user's sessions; the user may connect again. Returns how many there were. */
  async disconnect(name: UserName): Promise<number> {
    this.#requireUser(name);
    const request = { type: 'accountChanged', name, closeSessions: true } as const;
    const answer = await this.#announcer.announce({ action: 'disconnect', user: name }, request);
    return answer?.closedSessions ?? 0;
  }

  /**
   * Removes for good what is in the user's trash. Returns what was there. ECONNREFUSED: no daemon runs, which alone can, and nothing
   * is recorded; nor where it refuses.
   */
  async emptyTrash(name: UserName): Promise<Use> {
    const { removed = { bytes: 0, files: 0 } } = await this.#onTrash(name, { kind: 'empty' });
    this.#announcer.record({ action: 'trash-empty', user: name });
    return removed;
  }

  /** A page of what is in the user's trash, what was removed first before the other. `from`: see TrashAct. EINVAL; ECONNREFUSED. */
  listTrash(name: UserName, from: string | null): Promise<Pick<TrashAnswer, 'items' | 'next'>> {
    return this.#onTrash(name, { kind: 'list', from });
  }

  /** Puts an item of the trash back where it was, or removes it for good. Returns where it was. ENOENT, EEXIST; ECONNREFUSED. */
  async changeTrash(name: UserName, kind: 'restore' | 'remove', id: string): Promise<string> {
    const { path } = await this.#onTrash(name, { kind, id });
    const shown = path ?? '(not known)';
    this.#announcer.record({ action: `trash-${kind}`, user: name, details: { path: shown } });
    return shown;
  }

  async #onTrash(name: UserName, act: TrashAct): Promise<TrashAnswer> {
    this.#requireUser(name);
    const answer = await this.#ask({ type: 'trash', name, act });
    if (answer !== undefined) return answer;
    throw new Failure('ECONNREFUSED', 'no daemon runs, which alone can look into the trash');
  }

  /** Forgets the user's failed logins. Returns how many lockouts that ends. */
  async unlock(name: UserName): Promise<number> {
    this.#requireUser(name);
    const request = { type: 'unlock', userOrAddress: name } as const;
    const answer = await this.#announcer.announce({ action: 'unlock', user: name }, request);
    return answer?.lifted ?? 0;
  }

  /** Nobody connects from there, until then (milliseconds since 1970; null: for ever). `text`: see networkOf(). */
  async ban(text: string, until: number | null): Promise<{ network: string; closedSessions: number }> {
    const network = networkOf(text);
    if (until !== null && until <= Date.now()) {
      throw new Failure('EINVAL', `a ban until ${formatEnd(until)} is over already: say a later time`);
    }
    this.#state.bans.add({ network, since: Date.now(), until });
    const details = { network, until: formatEnd(until) };
    const answer = await this.#announcer.announce({ action: 'ban', details }, { type: 'bansChanged' });
    return { network, closedSessions: answer?.closedSessions ?? 0 };
  }

  /** Returns the network. ENOENT. */
  async unban(text: string): Promise<string> {
    const network = networkOf(text);
    this.#state.bans.remove(network);
    await this.#announcer.announce({ action: 'unban', details: { network } }, { type: 'bansChanged' });
    return network;
  }

  /** The administrator's at the web page, where who is signed in has to sign in again; null: nobody can. */
  async setWebPassword(credential: AskForCredential): Promise<void> {
    const [hash = null] = await this.#hashesOf([{ name: 'admin', credential }]);
    this.#state.webPasswordHash = hash ?? undefined;
    this.#announcer.record({ action: 'web-password', details: { login: hash !== null } });
  }

  /** Returns the token, which nobody can be told again. See ApiTokens.add(). */
  addToken({ name, scopes, expiresAt }: Omit<ApiToken, 'createdAt'>): string {
    if (expiresAt !== null && expiresAt <= Date.now()) {
      throw new Failure(
        'EINVAL',
        `a token until ${formatEnd(expiresAt)} has expired already: say a later time`,
      );
    }
    const token = this.#state.apiTokens.add({ name, scopes, expiresAt, createdAt: Date.now() });
    const details = { token: name, scopes: scopes.join(' '), expires: formatEnd(expiresAt) };
    this.#announcer.record({ action: 'token-add', details });
    return token;
  }

  /** ENOENT. */
  removeToken(name: string): void {
    this.#state.apiTokens.remove(name);
    this.#announcer.record({ action: 'token-remove', details: { token: name } });
  }

  /** Asks, checks all and hashes. EINVAL. */
  async #hashesOf(
    users: readonly { readonly name: string; readonly credential: NewUser['credential'] }[],
  ): Promise<(string | null)[]> {
    const credentials: NewCredential[] = [];
    for (const { name, credential } of users) {
      const given = typeof credential === 'function' ? await credential() : credential;
      this.#requireGood(given, name);
      credentials.push(given);
    }
    return hashesOf(credentials);
  }

  #requireGood(credential: NewCredential, user: string): void {
    if (credential === null || !('password' in credential)) return;
    requireGoodPassword(credential.password, user, this.#state.minPassword);
  }

  async #keysChanged(name: UserName, action: 'key-add' | 'key-remove', print: string): Promise<string> {
    await this.#announcer.announce(
      { action, user: name, details: { fingerprint: print } },
      { type: 'accountChanged', name },
    );
    return print;
  }

  /** ENOENT. */
  #requireUser(name: UserName): void {
    if (this.#state.accounts.get(name) === undefined) throw noSuchUser(name);
  }
}

function userAdded(account: Account): AccountChange {
  const { name, quotaBytes, maxFiles, posixOwners = false, disabled, expiresAt } = account;
  const { bandwidth = 0, trashMs = 0 } = account;
  const limits = { quotaBytes, maxFiles, ...softQuotaOf(account), bandwidth, trashMs };
  const details = detailsOf({ ...limits, posixOwners, disabled, expiresAt });
  return { action: 'useradd', user: name, details };
}

/** What an account has of these settings. */
function settingsOf(account: Account, settings: AccountSettings): AccountSettings {
  const names = Object.keys(settings) as (keyof AccountSettings)[];
  const all = { posixOwners: false, bandwidth: 0, trashMs: 0, ...softQuotaOf(account), ...account };
  return Object.fromEntries(names.map((name) => [name, all[name]]));
}

/** As the audit trail tells them. */
function detailsOf({ expiresAt, ...settings }: AccountSettings): AuditDetails {
  return expiresAt === undefined ? settings : { ...settings, expires: formatEnd(expiresAt) };
}
