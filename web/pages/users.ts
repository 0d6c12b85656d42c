/* All users with what they use, and the form for another one. */
import { html, type Html } from '../html.js';
import type { SignedIn } from '../sign-in.js';
import type { Account } from '../../state/accounts.js';
import type { Limits } from '../../state/administration.js';
import { exactSize } from '../../state/sizes.js';
import { softQuotaOf } from '../../state/soft-quota.js';
import type { UserDefaults } from '../../state/store.js';
import { exactSpan } from '../../state/times.js';
import { formatTrashTime } from '../../state/trash-time.js';
import { loginWays, type UserRow } from '../../state/user-rows.js';
import { form, type Page } from './frame.js';
import { filesField, quotaBar, quotaField, table, time } from './parts.js';

type LimitsShown = Partial<Limits> & Pick<Limits, 'maxFiles'>;

/** `lastLogin`: see lastLogins(). */
export function usersPage(
  rows: readonly UserRow[],
  lastLogin: (account: Account) => number | undefined,
  defaults: UserDefaults,
  session: SignedIn,
): Page {
  const content = html`<details ${rows.length === 0 ? html`open` : undefined}>
      <summary>Add a user</summary>
      ${form(session, '/users', addFields(defaults), 'fields')}
    </details>
    <section>
      ${table(
        ['User', 'Use', 'Files', 'Sessions', 'Last login', 'Login'],
        rows.map(({ account, use, sessions }) => [
          html`<a href="/users/${account.name}">${account.name}</a>`,
          quotaBar(use, account.quotaBytes),
          html`${use?.files ?? '-'}${account.maxFiles === 0 ? '' : ` of ${account.maxFiles}`}`,
          html`${sessions}`,
          lastLoginOf(lastLogin(account)),
          html`${loginWays(account)}`,
        ]),
        'There are no users yet.',
      )}
    </section>`;
  return { title: 'Users', content };
}

/** See lastLogins(). */
export function lastLoginOf(at: number | undefined): Html {
  return at === undefined ? html`-` : time(at);
}

function addFields({ quotaBytes, ...defaults }: UserDefaults): Html {
  return html`<label>Name <input name="name" required autocomplete="off" autocapitalize="none" /></label>
    ${limitFields({ ...(quotaBytes === undefined ? {} : { quotaBytes }), ...defaults })}
    ${expiryField('never')}
    <label
      >Password (none: login by key only) <input type="password" name="password" autocomplete="new-password"
    /></label>
    <button>Add the user</button>`;
}

/** When the account expires, as it is now. */
export function expiryField(expires: string): Html {
  return html`<label
    >Logins until: 2027-01-31 (its beginning), 90d, or never
    <input name="expires" required value="${expires}" autocomplete="off"
  /></label>`;
}

/** The limits, as they are now. */
export function limitFields({
  quotaBytes,
  maxFiles,
  bandwidth = 0,
  trashMs = 0,
  ...account
}: LimitsShown): Html {
  const { softBytes, graceMs } = softQuotaOf(account);
  return html`${quotaField(quotaBytes, '5G')}
    <label
      >Soft quota, that may be passed for a time; 0 is none
      <input name="soft" required value="${exactSize(softBytes)}" autocomplete="off"
    /></label>
    <label
      >That time, such as 12h or 7d
      <input name="grace" required value="${exactSpan(graceMs)}" autocomplete="off"
    /></label>
    <label
      >Bandwidth, bytes a second such as 10M; 0 is no limit
      <input name="bandwidth" required value="${exactSize(bandwidth)}" autocomplete="off"
    /></label>
    <label
      >Trash: for how long what is removed can be restored, such as 30d; off keeps nothing
      <input name="trash" required value="${formatTrashTime(trashMs)}" autocomplete="off"
    /></label>
    ${filesField(maxFiles)}`;
}
