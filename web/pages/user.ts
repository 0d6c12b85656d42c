/* One user: what there is of it, and the forms that change it. */
import { fingerprintOf } from '../../state/account-keys.js';
import type { DaemonStatus } from '../../state/control.js';
import type { Account } from '../../state/accounts.js';
import { formatDuration, formatSize } from '../../state/sizes.js';
import { exactSpan, formatEnd } from '../../state/times.js';
import { loginWays, type UserRow } from '../../state/user-rows.js';
import { html, type Html } from '../html.js';
import type { SignedIn } from '../sign-in.js';
import { form, type Page } from './frame.js';
import { name, quotaBar, table, transferred } from './parts.js';
import { expiryField, lastLoginOf, limitFields } from './users.js';

/** What is in the trash, and the way to it; nothing where there is none. */
function trash({ name: user, trashMs = 0 }: Account, { bytes, files }: UserRow['trashed']): Html | undefined {
  if (trashMs === 0 && files === 0) return undefined;
  const kept = trashMs === 0 ? 'nothing more goes there' : `each for ${exactSpan(trashMs)}`;
  return html`<p>
    Besides, in the <a href="/users/${user}/trash">trash</a>: ${files} files, size ${formatSize(bytes)};
    ${kept}
  </p>`;
}

export function userPage(
  { account, use, trashed }: UserRow,
  lastLogin: number | undefined,
  sessions: DaemonStatus['sessions'],
  session: SignedIn,
): Page {
  const at = `/users/${account.name}`;
  const files = account.maxFiles === 0 ? '' : ` of ${account.maxFiles}`;
  const content = html`<div class="columns">
      <section>
        <h2>Use</h2>
        ${quotaBar(use, account.quotaBytes)} ${trash(account, trashed)}
        <p>
          Files: ${use?.files ?? '-'}${files}; login: ${loginWays(account)}, the last one:
          ${lastLoginOf(lastLogin)};
          <a href="/audit?user=${account.name}">audit trail</a>
        </p>
      </section>
      <section>
        <h2>Limits</h2>
        ${form(
          session,
          `${at}/limits`,
          html`${limitFields(account)} <button>Change the limits</button>`,
          'fields',
        )}
      </section>
      <section>
        <h2>Password</h2>
        ${form(
          session,
          `${at}/password`,
          html`<label
              >New password <input type="password" name="password" required autocomplete="new-password"
            /></label>
            <button>Change the password</button>`,
          'fields',
        )}
      </section>
      <section>
        <h2>Access</h2>
        ${form(session, `${at}/expires`, html`${expiryField(formatEnd(account.expiresAt))} <button>Change the end</button>`, 'fields')}
        <div class="row">
          ${form(session, `${at}/disconnect`, html`<button class="plain">Disconnect</button>`)}
          ${form(session, `${at}/unlock`, html`<button class="plain">Forget failed logins</button>`)}
          ${
            account.disabled
              ? form(session, `${at}/enable`, html`<button class="plain">Allow logins</button>`)
              : form(session, `${at}/disable`, html`<button class="danger">Refuse logins</button>`)
          }
        </div>
        <p class="soft">Who is disconnected may connect again; who is refused may not.</p>
      </section>
    </div>
    <section>
      <h2>Sessions</h2>
      ${table(
        ['From', 'Program', 'Open for', 'Received', 'Sent'],
        sessions.map(({ peer, program, since, activity }) => [
          html`${peer}`,
          name(program),
          html`${formatDuration((Date.now() - since) / 1000)}`,
          transferred(activity?.bytesReceived),
          transferred(activity?.bytesSent),
        ]),
        'None is open.',
      )}
    </section>
    <section>
      <h2>Keys</h2>
      ${table(
        ['Comment', 'Fingerprint', ''],
        account.keys.map((key) => [
          name(key.comment),
          html`<code>${fingerprintOf(key)}</code>`,
          form(
            session,
            `${at}/keys/remove`,
            html`<input type="hidden" name="key" value="${fingerprintOf(key)}" />
              <button class="danger" aria-label="Remove the key ${fingerprintOf(key)}">Remove</button>`,
          ),
        ]),
        'There are none.',
      )}
      ${form(
        session,
        `${at}/keys`,
        html`<label
            >Public key, as ftpctl keygen prints it
            <input name="key" required autocomplete="off" placeholder="ftpmount-x25519 ..."
          /></label>
          <button>Add the key</button>`,
        'fields',
      )}
    </section>`;
  return { title: account.name, content };
}
