/* The audit trail, and what of it is to be seen. */
import type { AuditEntry, AuditFilter } from '../../state/audit-reading.js';
import { html } from '../html.js';
import type { Page } from './frame.js';
import { name, table } from './parts.js';

export function auditPage(entries: readonly AuditEntry[], { user, text, limit }: AuditFilter): Page {
  const content = html`<section>
      <form class="fields" method="get" action="/audit">
        <label>User <input name="user" value="${user}" autocomplete="off" autocapitalize="none" /></label>
        <label>Text in it <input name="text" value="${text}" autocomplete="off" /></label>
        <button>Show</button>
      </form>
    </section>
    <section>
      ${table(
        ['Time', 'User', 'What', 'Details'],
        entries.map(({ time, user, what, details }) => [
          html`<time datetime="${time}">${time.slice(0, 19).replace('T', ' ')}</time>`,
          name(user ?? '-'),
          name(what),
          name(
            Object.entries(details)
              .map(([key, value]) => `${key}: ${typeof value === 'string' ? value : JSON.stringify(value)}`)
              .join(', '),
          ),
        ]),
        'Nothing of that kind.',
      )}
      <p class="soft">The newest ${limit} at most; times are UTC.</p>
    </section>`;
  return { title: 'Audit trail', content };
}
