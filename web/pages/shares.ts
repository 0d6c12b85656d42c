/* Shares and groups: all of them, one share, one group, and the forms that make and change them. */
import type { GroupRow, ShareRow } from '../../state/share-rows.js';
import type { Grant } from '../../state/shares.js';
import type { UserDefaults } from '../../state/store.js';
import { html, type Html } from '../html.js';
import type { SignedIn } from '../sign-in.js';
import { form, type Page } from './frame.js';
import { filesField, quotaBar, quotaField, table } from './parts.js';

const MAY = { ro: 'may read', rw: 'may read and write' };

export function sharesPage(
  shares: readonly ShareRow[],
  groups: readonly GroupRow[],
  { quotaBytes, maxFiles }: UserDefaults,
  session: SignedIn,
): Page {
  const add = html`<label>Name <input name="name" required autocomplete="off" autocapitalize="none" /></label>
    ${groupField(groups)} ${accessField()} ${limitFields(quotaBytes, maxFiles)}
    <button>Add the share</button>`;
  const content = html`<section>
      <h2>Shares</h2>
      ${table(
        ['Share', 'Use', 'Files', 'Sessions', 'Groups'],
        shares.map(({ share, use, sessions }) => [
          html`<a href="/shares/${share.name}">${share.name}</a>`,
          quotaBar(use, share.quotaBytes),
          html`${use?.files ?? '-'}${share.maxFiles === 0 ? '' : ` of ${share.maxFiles}`}`,
          html`${sessions}`,
          grants(share.grants),
        ]),
        'There are no shares yet.',
      )}
      <p class="soft">
        A share is a folder with a quota of its own. Who is in one of its groups has it as
        <code>Shared/NAME</code> in the home.
      </p>
    </section>
    <details>
      <summary>Add a share</summary>
      ${
        groups.length === 0
          ? html`<p>Add a group first: a share is for the users of one.</p>`
          : form(session, '/shares', add, 'fields')
      }
    </details>
    <section>
      <h2>Groups</h2>
      ${table(
        ['Group', 'Shares', 'Users'],
        groups.map((group) => [
          html`<a href="/groups/${group.name}">${group.name}</a>`,
          sharesOf(group),
          html`${group.members.join(', ') || '-'}`,
        ]),
        'There are no groups yet.',
      )}
    </section>
    <details>
      <summary>Add a group</summary>
      ${form(
        session,
        '/groups',
        html`<label>Name <input name="name" required autocomplete="off" autocapitalize="none" /></label>
          <label
            >Users, with spaces between <input name="members" autocomplete="off" autocapitalize="none"
          /></label>
          <button>Add the group</button>`,
        'fields',
      )}
    </details>`;
  return { title: 'Shares', content };
}

export function sharePage(
  { share, use, sessions }: ShareRow,
  groups: readonly GroupRow[],
  session: SignedIn,
): Page {
  const at = `/shares/${share.name}`;
  const files = share.maxFiles === 0 ? '' : ` of ${share.maxFiles}`;
  const content = html`<div class="columns">
      <section>
        <h2>Use</h2>
        ${quotaBar(use, share.quotaBytes)}
        <p>
          Files: ${use?.files ?? '-'}${files}; sessions: ${sessions};
          <a href="/audit?text=${share.name}">audit trail</a>
        </p>
      </section>
      <section>
        <h2>Limits</h2>
        ${form(
          session,
          `${at}/limits`,
          html`${limitFields(share.quotaBytes, share.maxFiles)} <button>Change the limits</button>`,
          'fields',
        )}
      </section>
    </div>
    <section>
      <h2>Groups</h2>
      ${table(
        ['Group', 'May', ''],
        share.grants.map(({ group, access }) => [
          html`<a href="/groups/${group}">${group}</a>`,
          html`${MAY[access]}`,
          form(
            session,
            `${at}/grant`,
            html`<input type="hidden" name="group" value="${group}" />
              <input type="hidden" name="access" value="none" />
              <button class="danger" aria-label="Take the share from the group ${group}">Remove</button>`,
          ),
        ]),
        'The share is for nobody.',
      )}
      ${form(
        session,
        `${at}/grant`,
        html`${groupField(groups)} ${accessField()} <button>Change what the group may do</button>`,
        'fields',
      )}
      <p class="soft">
        Who is in several groups may do the widest of what they may. Sessions follow at once.
      </p>
    </section>
    ${removal(session, `${at}/remove`, 'share', 'Its sessions end; the files are left on the server.')}`;
  return { title: `Share ${share.name}`, content };
}

export function groupPage(group: GroupRow, session: SignedIn): Page {
  const at = `/groups/${group.name}`;
  const content = html`<section>
      <h2>Users</h2>
      ${table(
        ['User', ''],
        group.members.map((user) => [
          html`<a href="/users/${user}">${user}</a>`,
          form(
            session,
            `${at}/members`,
            html`<input type="hidden" name="remove" value="${user}" />
              <button class="danger" aria-label="Take ${user} out of the group">Remove</button>`,
          ),
        ]),
        'Nobody is in it.',
      )}
      ${form(
        session,
        `${at}/members`,
        html`<label
            >Users, with spaces between <input name="add" required autocomplete="off" autocapitalize="none"
          /></label>
          <button>Add to the group</button>`,
        'fields',
      )}
    </section>
    <section>
      <h2>Shares</h2>
      ${sharesOf(group)}
    </section>
    ${removal(session, `${at}/remove`, 'group', 'Its users keep what they have by other groups.')}`;
  return { title: `Group ${group.name}`, content };
}

/** Two steps, as there is no way back. */
function removal(session: SignedIn, action: string, what: 'share' | 'group', consequence: string): Html {
  return html`<details>
    <summary>Remove the ${what}</summary>
    ${form(
      session,
      action,
      html`<p>${consequence}</p>
        <button class="danger">Remove the ${what}</button>`,
    )}
  </details>`;
}

function grants(all: readonly Grant[]): Html {
  if (all.length === 0) return html`-`;
  return listed(all.map(({ group, access }) => html`<a href="/groups/${group}">${group}</a> ${access}`));
}

function sharesOf({ shares }: GroupRow): Html {
  if (shares.length === 0) return html`-`;
  return listed(shares.map(({ name, access }) => html`<a href="/shares/${name}">${name}</a> ${access}`));
}

function listed(items: readonly Html[]): Html {
  return html`<div>${items.map((item, index) => html`${index === 0 ? '' : ', '}${item}`)}</div>`;
}

function groupField(groups: readonly GroupRow[]): Html {
  return html`<label
    >Group
    <select name="group" required>
      ${groups.map(({ name }) => html`<option>${name}</option>`)}
    </select></label
  >`;
}

function accessField(): Html {
  return html`<label
    >Its users
    <select name="access" required>
      <option value="ro">${MAY.ro}</option>
      <option value="rw">${MAY.rw}</option>
    </select></label
  >`;
}

function limitFields(quotaBytes: number | undefined, maxFiles: number): Html {
  return html`${quotaField(quotaBytes, '50G')} ${filesField(maxFiles)}`;
}
