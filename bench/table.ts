/*
 * The result of a benchmark as a table for people: medians of each target, and how some of them compare.
 */

export interface Row {
  readonly title: string;
  /** Seconds of every turn, by target. */
  readonly seconds: Readonly<Record<string, readonly number[]>>;
}

/** A column that says how many times the seconds of `divisor` go into those of `dividend`. */
export interface Ratio {
  readonly dividend: string;
  readonly divisor: string;
}

/** The middle value; the mean of the two in the middle of an even number of values; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)] ?? NaN;
  return Number.isInteger(middle) ? (upper + (sorted[middle - 1] ?? NaN)) / 2 : upper;
}

/** Up to which value so much of them is; NaN of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? NaN;
}

/** One line a row. A ratio is shown where both of its targets are; what was not measured is `-`. */
export function formatTable(
  rows: readonly Row[],
  targets: readonly string[],
  ratios: readonly Ratio[],
): string {
  const shown = ratios.filter(({ dividend, divisor }) =>
    [dividend, divisor].every((one) => targets.includes(one)),
  );
  const header = ['', ...targets, ...shown.map(({ dividend, divisor }) => `${dividend}/${divisor}`)];
  const lines = rows.map(({ title, seconds }) => {
    const of = (target: string): number => median(seconds[target] ?? []);
    return [
      title,
      ...targets.map((target) => format(of(target), (value) => `${value.toFixed(3)} s`)),
      ...shown.map(({ dividend, divisor }) =>
        format(of(dividend) / of(divisor), (value) => `${value.toFixed(2)}x`),
      ),
    ];
  });
  return aligned([header, ...lines]);
}

/** Lines of cells in columns: the first one begins, the others end, where they are above each other. The first line has all. */
export function aligned(lines: readonly (readonly string[])[]): string {
  const widths =
    lines[0]?.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length))) ?? [];
  return lines
    .map((line) =>
      line
        .map((cell, column) =>
          column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
        )
        .join('  '),
    )
    .join('\n');
}

function format(value: number, write: (value: number) => string): string {
  return Number.isFinite(value) ? write(value) : '-';
}
