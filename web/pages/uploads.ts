/* Uploads that are under way, or broke off and can be gone on with: whose, to where, and how far. */
import { formatSize } from '../../state/sizes.js';
import type { UploadRecord } from '../../state/uploads.js';
import { html } from '../html.js';
import type { Page } from './frame.js';
import { bar, name, table } from './parts.js';

export interface UserUpload {
  readonly user: string;
  readonly record: Pick<UploadRecord, 'path' | 'size' | 'offset'>;
}

export function uploadsPage(uploads: readonly UserUpload[]): Page {
  const content = html`<section>
    ${table(
      ['User', 'File', 'On the disk'],
      uploads.map(({ user, record: { path, size, offset } }) => [
        html`<a href="/users/${user}">${user}</a>`,
        name(path.toString()),
        html`${formatSize(offset)} of ${formatSize(size)}
        ${bar(offset, Math.max(size, 1), 'what is there of it')}`,
      ]),
      'No upload is under way, and none broke off.',
    )}
    <p class="soft">
      How far is noted each 16 MiB; smaller files, and streams, are not among them. What nobody goes on with
      is removed by itself (<code>upload-expiry</code>); its user can do so before, by
      <code>ftpctl uploads rm</code>.
    </p>
  </section>`;
  return { title: 'Uploads', content };
}
