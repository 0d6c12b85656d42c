/* Uploads that are under way, or broke off and can be gone on with: whose, to where, and how far. */
import { shareOfHome, type HomeName } from '../../protocol/ids.js';
import { formatSize } from '../../state/sizes.js';
import type { UploadRecord } from '../../state/uploads.js';
import { html, type Html } from '../html.js';
import type { Page } from './frame.js';
import { bar, name, table } from './parts.js';

export interface HomeUpload {
  readonly home: HomeName;
  readonly record: Pick<UploadRecord, 'path' | 'size' | 'offset'>;
}

export function uploadsPage(uploads: readonly HomeUpload[]): Page {
  const content = html`<section>
    ${table(
      ['Home', 'File', 'On the disk'],
      uploads.map(({ home, record: { path, size, offset } }) => [
        shownHome(home),
        name(path.toString()),
        html`${formatSize(offset)} of ${formatSize(size)}
        ${bar(offset, Math.max(size, 1), 'what is there of it')}`,
      ]),
      'No upload is under way, and none broke off.',
    )}
    <p class="soft">
      How far is noted each 16 MiB; smaller files, and streams, are not among them. What nobody goes on with
      is removed by itself (<code>upload-expiry</code>); who may write there can do so before, by
      <code>ftpctl uploads rm</code>.
    </p>
  </section>`;
  return { title: 'Uploads', content };
}

function shownHome(home: HomeName): Html {
  const share = shareOfHome(home);
  return share === undefined ? html`<a href="/users/${home}">${home}</a>` : html`the share ${share}`;
}
