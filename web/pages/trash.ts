/* What is in the trash of a user, page by page, and the forms to restore or remove it. */
import type { UserName } from '../../protocol/ids.js';
import { formatSize } from '../../state/sizes.js';
import type { TrashAnswer, TrashItem } from '../../state/trash-requests.js';
import { html, type Html } from '../html.js';
import type { SignedIn } from '../sign-in.js';
import { form, type Page } from './frame.js';
import { name, table, time } from './parts.js';

/** `from`: where the page begins; null: the first one. */
export function trashPage(
  user: UserName,
  { items, next }: Pick<TrashAnswer, 'items' | 'next'>,
  from: string | null,
  session: SignedIn,
): Page {
  const at = `/users/${user}/trash`;
  const button = (item: TrashItem, what: 'restore' | 'remove', text: string, className: string): Html => {
    const label = `${text} ${item.path ?? 'what has no known path'}`;
    const fields = html`<input type="hidden" name="id" value="${item.id}" />
      <input type="hidden" name="from" value="${from ?? ''}" />
      <button class="${className}" aria-label="${label}">${text}</button>`;
    return form(session, `${at}/${what}`, fields);
  };
  const content = html`<section>
      <p><a href="/users/${user}">Back to ${user}</a></p>
      ${table(
        ['Removed', 'File', 'Size', ''],
        items.map((item) => [
          time(item.removedAt),
          name(item.path ?? '(not known)'),
          html`${formatSize(item.bytes)}`,
          html`<div class="row">
            ${item.path === null ? undefined : button(item, 'restore', 'Restore', 'plain')}
            ${button(item, 'remove', 'Remove', 'danger')}
          </div>`,
        ]),
        from === null ? 'Nothing is in the trash.' : 'Nothing more is in the trash.',
      )}
      ${from === null ? undefined : html`<p><a href="${at}">First page</a></p>`}
      ${next === null ? undefined : html`<p><a href="${at}?from=${encodeURIComponent(next)}">Next page</a></p>`}
      <p class="soft">
        What was removed first is first. A file is restored where it was, unless something has that name; what
        is removed here is gone for good.
      </p>
    </section>
    ${
      items.length === 0
        ? undefined
        : html`<section>
            ${form(session, `${at}/empty`, html`<button class="danger">Empty the trash</button>`)}
          </section>`
    }`;
  return { title: `Trash of ${user}`, content };
}
