/* The networks that nobody may connect from, and the form for another one. */
import type { Ban } from '../../state/bans.js';
import { formatEnd } from '../../state/times.js';
import { html } from '../html.js';
import type { SignedIn } from '../sign-in.js';
import { form, type Page } from './frame.js';
import { table, time } from './parts.js';

export function bansPage(bans: readonly Ban[], session: SignedIn): Page {
  const content = html`<section>
      ${form(
        session,
        '/bans',
        html`<label
            >Address or network, such as 192.0.2.7 or 2001:db8::/32
            <input name="network" required autocomplete="off" autocapitalize="none"
          /></label>
          <label
            >Until: 12h, 7d, 2027-01-31, or never <input name="until" required value="1d" autocomplete="off"
          /></label>
          <button class="danger">Ban</button>`,
        'fields',
      )}
      <p class="soft">Its sessions end, and nobody connects from there. This page is not meant by it.</p>
    </section>
    <section>
      ${table(
        ['Network', 'Since', 'Until', ''],
        bans.map(({ network, since, until }) => [
          html`<code>${network}</code>`,
          time(since),
          html`${formatEnd(until)}`,
          form(
            session,
            '/bans/remove',
            html`<input type="hidden" name="network" value="${network}" />
              <button class="plain" aria-label="End the ban of ${network}">End</button>`,
          ),
        ]),
        'Nobody is banned.',
      )}
    </section>`;
  return { title: 'Bans', content };
}
