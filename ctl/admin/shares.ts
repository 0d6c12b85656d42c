/** `ftpctl shares [--json]`: the shares with their limits, use and grants. */
import { describeGrants } from '../../state/share-administration.js';
import { shareRows, type ShareRow } from '../../state/share-rows.js';
import { writeOut } from '../output/stdout.js';
import { formatColumns } from '../output/table.js';
import { homeColumns } from './home-columns.js';
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
    ...homeColumns<ShareRow>(({ share }) => share),
    { title: 'Sessions', alignment: right, cell: ({ sessions }) => String(sessions) },
    { title: 'Groups', alignment: left, cell: ({ share }) => describeGrants(share.grants) || '-' },
  ]);
  await writeOut(`${lines.join('\n')}\n`);
  return 0;
}
