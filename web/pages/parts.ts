/* Parts of several pages: tables that are cards on a phone, use beside its limit, and the fields of limits. */
import { html, type Html } from '../html.js';
import { exactSize, formatLimit, formatSize } from '../../state/sizes.js';
import { formatTime } from '../../state/times.js';
import type { Use } from '../../state/ledger.js';

/** Names that others chose: whatever they are written in, what stands around them keeps its place. */
export function name(text: string): Html {
  return html`<bdi>${text}</bdi>`;
}

/** In the time zone of the server. */
export function time(at: number): Html {
  return html`<time datetime="${new Date(at).toISOString()}">${formatTime(at)}</time>`;
}

/** Undefined: its worker does not answer. */
export function transferred(bytes: number | undefined): Html {
  return html`${bytes === undefined ? '-' : formatSize(bytes)}`;
}

/** `none`: what is said in place of a table without rows. */
export function table(head: readonly string[], rows: readonly (readonly Html[])[], none: string): Html {
  if (rows.length === 0) return html`<p class="soft">${none}</p>`;
  return html`<table>
    <thead>
      <tr>
        ${head.map((title) => html`<th scope="col">${title}</th>`)}
      </tr>
    </thead>
    <tbody>
      ${rows.map(
        (cells) =>
          html`<tr>
            ${cells.map((cell, index) => html`<td data-label="${head[index] ?? ''}">${cell}</td>`)}
          </tr>`,
      )}
    </tbody>
  </table>`;
}

/** Use and quota in words, and as a bar where there is a quota. */
export function quotaBar(use: Use | undefined, quotaBytes: number): Html {
  const used = use === undefined ? 'never counted' : formatSize(use.bytes);
  if (quotaBytes === 0) return html`<div>${used}</div>`;
  return html`<div>
    ${used} of ${formatLimit(quotaBytes)} ${bar(use?.bytes ?? 0, quotaBytes, 'use of the quota')}
  </div>`;
}

/** What is used of so much: from four fifths on it is high. */
export function bar(used: number, limit: number, label: string): Html {
  const percent = Math.min(100, Math.round((100 * used) / limit));
  return html`<meter
    min="0"
    max="100"
    low="80"
    high="95"
    optimum="0"
    value="${percent}"
    aria-label="${label}"
  >
    ${percent} %
  </meter>`;
}

/** Of a form of limits. `quotaBytes`: undefined where there is no default; `example`: what may be typed. */
export function quotaField(quotaBytes: number | undefined, example: string): Html {
  const quota = quotaBytes === undefined ? '' : exactSize(quotaBytes);
  return html`<label
    >Quota, such as ${example}; 0 is none <input name="quota" required value="${quota}" autocomplete="off"
  /></label>`;
}

export function filesField(maxFiles: number): Html {
  return html`<label
    >Limit of files; 0 is none
    <input
      name="maxFiles"
      required
      inputmode="numeric"
      pattern="[0-9]+"
      value="${String(maxFiles)}"
      autocomplete="off"
  /></label>`;
}
