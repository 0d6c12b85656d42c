/** `ftpctl shares [--json]`: the shares with their limits, use and grants. */
import { formatLimit, formatSize } from '../../state/sizes.js';
import { describeGrants } from '../../state/share-administration.js';
import { shareRows } from '../../state/share-rows.js';
import { writeOut } from '../output/stdout.js';
import { formatColumns } from '../output/table.js';
import { askIfRunning, withState } from './state-access.js';
import type { StateOptions } from './state-option.js';

export interface SharesOptions extends StateOptions {
  readonly json?: boolean;
}

/** Returns the exit code. */
export async function listShares(options: SharesOptions): Promise<number> {
  const status = await askIfRunning(options, { type: 'status' });
  const rows = await withState(options, 'read', async (state) => shareRows(state, status));
  if (options.json === true) {
    for (const { share, use, sessions } of rows) {
      const { createdAt, ...told } = share;
      const used = { usedBytes: use?.bytes ?? null, usedFiles: use?.files ?? null, sessions };
      await writeOut(
        `${JSON.stringify({ ...told, ...used, createdAt: new Date(createdAt).toISOString() })}\n`,
      );
    }
    return 0;
  }
  const [left, right] = ['left', 'right'] as const;
  const lines = formatColumns(rows, [
    { title: 'Share', alignment: left, cell: ({ share }) => share.name },
    { title: 'Quota', alignment: right, cell: ({ share }) => formatLimit(share.quotaBytes) },
    { title: 'Used', alignment: right, cell: ({ use }) => (use === undefined ? '-' : formatSize(use.bytes)) },
    {
      title: 'MaxFiles',
      alignment: right,
      cell: ({ share }) => (share.maxFiles === 0 ? 'none' : String(share.maxFiles)),
      nothing: 'none',
    },
    { title: 'Files', alignment: right, cell: ({ use }) => (use === undefined ? '-' : String(use.files)) },
    { title: 'Sessions', alignment: right, cell: ({ sessions }) => String(sessions) },
    { title: 'Groups', alignment: left, cell: ({ share }) => describeGrants(share.grants) || '-' },
  ]);
  await writeOut(`${lines.join('\n')}\n`);
  return 0;
}
