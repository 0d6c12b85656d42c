/**
 * Tables for people: columns as wide as their longest cell, separated by two spaces.
 */

export type Alignment = 'left' | 'right';

/** A column of rows. */
export interface Column<T> {
  readonly title: string;
  readonly alignment: Alignment;
  readonly cell: (row: T) => string;
  /** What a cell is that says nothing: where all are that, the column is left out, so that the table is narrow. */
  readonly nothing?: string;
}

/** formatTable() of columns with their titles. */
export function formatColumns<T>(rows: readonly T[], columns: readonly Column<T>[]): string[] {
  const shown = columns.filter(
    ({ cell, nothing }) => nothing === undefined || rows.some((row) => cell(row) !== nothing),
  );
  return formatTable(
    [shown.map(({ title }) => title), ...rows.map((row) => shown.map(({ cell }) => cell(row)))],
    shown.map(({ alignment }) => alignment),
  );
}

/** Lines without an end each. The last column is not padded where it is aligned to the left. */
export function formatTable(
  rows: readonly (readonly string[])[],
  alignments: readonly Alignment[],
): string[] {
  const widths = alignments.map((_, column) => Math.max(0, ...rows.map((row) => (row[column] ?? '').length)));
  return rows.map((row) =>
    alignments
      .map((alignment, column) => {
        const cell = row[column] ?? '';
        return alignment === 'right' ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0);
      })
      .join('  ')
      .trimEnd(),
  );
}
