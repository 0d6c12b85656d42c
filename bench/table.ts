/* The result of a benchmark as a table for people: medians, and how ftpmount compares. */

export interface Row {
  readonly title: string;
  /** Seconds of every run, by target. */
  readonly seconds: Readonly<Record<string, readonly number[]>>;
}

/** The middle value; the mean of the two in the middle of an even number of values; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)] ?? NaN;
  return Number.isInteger(middle) ? (upper + (sorted[middle - 1] ?? NaN)) / 2 : upper;
}

/** One line a row; ratios are time of `subject` to time of the other: below 1 `subject` is faster. */
export function formatTable(rows: readonly Row[], targets: readonly string[], subject: string): string {
  const others = targets.includes(subject) ? targets.filter((target) => target !== subject) : [];
  const header = ['', ...targets, ...others.map((other) => `${subject}/${other}`)];
  const lines = rows.map(({ title, seconds }) => {
    const medians = new Map(targets.map((target) => [target, median(seconds[target] ?? [])]));
    const of = (target: string): number => medians.get(target) ?? NaN;
    return [
      title,
      ...targets.map((target) => format(of(target), (value) => `${value.toFixed(3)} s`)),
      ...others.map((other) => format(of(subject) / of(other), (value) => `${value.toFixed(2)}x`)),
    ];
  });
  const widths = header.map((_, column) =>
    Math.max(...[header, ...lines].map((line) => (line[column] ?? '').length)),
  );
  return [header, ...lines]
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
