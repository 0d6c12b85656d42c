/** What tables of users and of shares tell alike: what a home may have, and what it uses. */
import type { Use } from '../../state/ledger.js';
import { formatLimit, formatSize } from '../../state/sizes.js';
import type { Column } from '../output/table.js';

interface Limits {
  readonly quotaBytes: number;
  readonly maxFiles: number;
}

/** `limitsOf`: the record of the home that a row is of. */
export function homeColumns<Row extends { readonly use: Use | undefined }>(
  limitsOf: (row: Row) => Limits,
): readonly Column<Row>[] {
  const maxFiles = (row: Row): string => {
    const limit = limitsOf(row).maxFiles;
    return limit === 0 ? 'none' : String(limit);
  };
  return [
    { title: 'Quota', alignment: 'right', cell: (row) => formatLimit(limitsOf(row).quotaBytes) },
    {
      title: 'Used',
      alignment: 'right',
      cell: ({ use }) => (use === undefined ? '-' : formatSize(use.bytes)),
    },
    { title: 'MaxFiles', alignment: 'right', cell: maxFiles, nothing: 'none' },
    { title: 'Files', alignment: 'right', cell: ({ use }) => (use === undefined ? '-' : String(use.files)) },
  ];
}
