/** `ftpctl shares [--json]`: the shares with their limits, use and grants. */
import { formatLimit, formatSize } from '../../state/sizes.js';
import { describeGrants } from '../../state/share-administration.js';
import { shareRows } from '../../state/share-rows.js';
import { writeOut } from '../output/stdout.js';
import { formatTable } from '../output/table.js';
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
  const table = rows.map(({ share, use, sessions }) => [
    share.name,
    formatLimit(share.quotaBytes),
    use === undefined ? '-' : formatSize(use.bytes),
    share.maxFiles === 0 ? 'none' : String(share.maxFiles),
    use === undefined ? '-' : String(use.files),
    String(sessions),
    describeGrants(share.grants) || '-',
  ]);
  const head = ['Share', 'Quota', 'Used', 'MaxFiles', 'Files', 'Sessions', 'Groups'];
  const right = head.slice(1, 6).map(() => 'right' as const);
  const lines = formatTable([head, ...table], ['left', ...right, 'left']);
  await writeOut(`${lines.join('\n')}\n`);
  return 0;
}
