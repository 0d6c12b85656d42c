/*
 * What an administrator does with groups and shares. Order of every change: the transaction, the audit trail, the daemon
 * (announcer.ts); of a new share the daemon also before, as of a new account.
 */
import { join } from 'node:path';
import { Failure } from '../protocol/failure.js';
import { homeOfShare, type GroupName, type ShareName, type UserName } from '../protocol/ids.js';
import { Announcer, type AskIfRunning } from './announcer.js';
import type { Administration, NamedUser } from './administration.js';
import type { AccountChange, AuditDetails } from './audit.js';
import type { Group, GroupChange } from './groups.js';
import { requireKnownHomes } from './homes-marker.js';
import { refuseLeftHome } from './left-home.js';
import { withGrant, type Access, type Grant, type ShareRecord } from './shares.js';
import type { State } from './store.js';

export type ShareLimits = Pick<ShareRecord, 'quotaBytes' | 'maxFiles'>;

export interface NewShare extends ShareLimits {
  readonly grants: readonly Grant[];
  /** The home may be there already. */
  readonly adopt: boolean;
}

/** What of a share may be changed; what is missing stays. */
export interface ShareSettings extends Partial<ShareLimits> {
  /** What groups are granted from now on; undefined: nothing any more. */
  readonly grants?: readonly { readonly group: GroupName; readonly access: Access | undefined }[];
}

export type NamedShare = NewShare & Pick<ShareRecord, 'name'>;

/** What is made at once. */
export interface All {
  readonly users: readonly NamedUser[];
  readonly groups: readonly Group[];
  readonly shares: readonly NamedShare[];
}

export class ShareAdministration {
  readonly #state: State;
  readonly #announcer: Announcer;

  constructor({ state, by, ask }: { state: State; by: string; ask: AskIfRunning }) {
    this.#state = state;
    this.#announcer = new Announcer({ paths: state.paths, by, ask });
  }

  /** EEXIST, ENOENT: one of them is no user. */
  async addGroup(name: GroupName, members: readonly UserName[]): Promise<void> {
    this.#state.groups.create(name, members);
    this.#announcer.record(groupAdded({ name, members }));
  }

  /** Open sessions follow at once. ENOENT, E2BIG; EINVAL: nobody comes or goes, or somebody does both. */
  async changeGroup(name: GroupName, { add, remove }: GroupChange): Promise<void> {
    if (add.length + remove.length === 0) throw new Failure('EINVAL', 'say who comes or goes');
    const both = add.find((user) => remove.includes(user));
    if (both !== undefined) throw new Failure('EINVAL', `${both} cannot both come and go`);
    this.#state.changeGroup(name, { add, remove });
    const details = { group: name, added: add.join(' '), removed: remove.join(' ') };
    await this.#announcer.announce({ action: 'groupmod', details }, { type: 'sharesChanged' });
  }

  /** Open sessions follow at once. Returns the shares of which it was granted something. ENOENT. */
  async removeGroup(name: GroupName): Promise<readonly ShareName[]> {
    const withdrawn = this.#state.removeGroup(name);
    const details = { group: name, shares: withdrawn.join(' ') };
    await this.#announcer.announce({ action: 'groupdel', details }, { type: 'sharesChanged' });
    return withdrawn;
  }

  /**
   * Makes a share; its home is made when somebody first comes there. EEXIST: there is one, or files are left of an earlier one;
   * ENOENT: no such group; E2BIG.
   */
  async addShare(name: ShareName, { grants, adopt, ...limits }: NewShare): Promise<void> {
    await this.requireNew({ name, adopt });
    await this.#announcer.endEarlier([homeOfShare(name)]);
    const share = { name, createdAt: Date.now(), grants, ...limits };
    this.#state.addShare(share);
    await this.#announcer.announce(shareAdded(share), { type: 'sharesChanged' });
  }

  /** EEXIST: there is such a share, or files are left of an earlier one, and are not to be adopted. */
  async requireNew({ name, adopt }: Pick<NamedShare, 'name' | 'adopt'>): Promise<void> {
    const { homes, shares } = this.#state;
    if (shares.get(name) !== undefined) {
      throw new Failure('EEXIST', `there is a share ${name} already: change it with sharemod`);
    }
    if (adopt || homes === undefined) return;
    requireKnownHomes(this.#state, homes);
    await refuseLeftHome(join(homes, homeOfShare(name)), name);
  }

  /**
   * Makes users, groups and shares, all or none. Throws what addUsers() of Administration throws; EEXIST: there is such a group or
   * share; ENOENT: a member is no user, or a group of a share is none; E2BIG.
   */
  async addAll(administration: Administration, { users, groups, shares }: All): Promise<void> {
    for (const share of shares) await this.requireNew(share);
    const createdAt = Date.now();
    const records = shares.map(({ name, quotaBytes, maxFiles, grants }) => {
      return { name, quotaBytes, maxFiles, grants, createdAt };
    });
    await administration.addUsers(users, {
      ...{ groups, shares: records },
      changes: [...groups.map(groupAdded), ...records.map(shareAdded)],
    });
  }

  /** Open sessions follow at once. ENOENT, E2BIG. */
  async changeShare(name: ShareName, { grants = [], ...limits }: ShareSettings): Promise<ShareRecord> {
    let before: AuditDetails = {};
    const changed = this.#state.shares.update(name, (found) => {
      before = detailsOf(found);
      const limited: ShareRecord = { ...found, ...limits };
      return grants.reduce((record, { group, access }) => withGrant(record, group, access), limited);
    });
    const details = { share: name, ...detailsOf(changed) };
    await this.#announcer.announce({ action: 'sharemod', details, before }, { type: 'sharesChanged' });
    return changed;
  }

  /** Returns when the sessions are gone. The home is for who calls to remove, then; `removeHome`: that is meant. ENOENT. */
  async removeShare(name: ShareName, removeHome: boolean): Promise<void> {
    this.#state.removeShare(name);
    const details = { share: name, removeHome };
    const removed = { type: 'homesRemoved', names: [homeOfShare(name)] } as const;
    await this.#announcer.announce({ action: 'sharedel', details }, removed);
  }
}

/** In words: `staff rw, guests ro`. */
export function describeGrants(grants: readonly Grant[]): string {
  return grants.map(({ group, access }) => `${group} ${access}`).join(', ');
}

function groupAdded({ name, members }: Group): AccountChange {
  return { action: 'groupadd', details: { group: name, members: members.join(' ') } };
}

function shareAdded({ name, quotaBytes, maxFiles, grants }: ShareRecord): AccountChange {
  return {
    action: 'shareadd',
    details: { share: name, quotaBytes, maxFiles, grants: describeGrants(grants) },
  };
}

/** As the audit trail tells them. */
function detailsOf({ quotaBytes, maxFiles, grants }: ShareRecord): AuditDetails {
  return { quotaBytes, maxFiles, grants: describeGrants(grants) };
}
