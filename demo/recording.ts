/*
 * What a terminal showed, as a picture (SVG) for the README: each line appears when it did, but nobody waits for longer than
 * MAX_PAUSE_MS. Who wants no motion, and whatever does not animate, gets all of it at once.
 */

/** Columns after which a line is broken, as a terminal of this width does. */
const COLUMNS = 106;
/** Pixels. */
const FONT = { size: 13, width: 7.83, line: 18 } as const;
const MARGIN = 14;
/** A pause between two lines is as long as it was, within these bounds (milliseconds). */
const MIN_PAUSE_MS = 60;
const MAX_PAUSE_MS = 1200;

interface Line {
  readonly text: string;
  /** When its first character was printed: milliseconds, of a clock that never goes back. */
  readonly at: number;
}

export class Recording {
  readonly #now: () => number;
  #lines: Line[] = [];
  /** Of the last line, which has no end yet. */
  #open: Line | undefined;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Takes what is printed, but for its colours. */
  add(printed: string): void {
    // oxlint-disable-next-line no-control-regex -- the escape sequences of terminals
    const [first = '', ...others] = printed.replaceAll(/\x1b\[[\d;]*m|\r/g, '').split('\n');
    this.#open = this.#extend(first);
    for (const text of others) {
      if (this.#open !== undefined) this.#lines.push(this.#open);
      else this.#lines.push({ text: '', at: this.#now() });
      this.#open = text === '' ? undefined : { text, at: this.#now() };
    }
  }

  #extend(text: string): Line | undefined {
    if (this.#open !== undefined) return { ...this.#open, text: this.#open.text + text };
    return text === '' ? undefined : { text, at: this.#now() };
  }

  /** The picture. */
  svg(): string {
    const lines = this.#open === undefined ? this.#lines : [...this.#lines, this.#open];
    const first = lines.findIndex(({ text }) => text !== '');
    const rows = lines
      .slice(Math.max(first, 0))
      .flatMap(({ text, at }) => brokenAt(COLUMNS, text).map((row) => ({ row, at })));
    let shownAt = 0;
    let before = rows[0]?.at ?? 0;
    const shown = rows.map(({ row, at }, index) => {
      shownAt += Math.min(Math.max(at - before, MIN_PAUSE_MS), MAX_PAUSE_MS);
      before = at;
      const y = MARGIN + FONT.line * (index + 0.8);
      const delay = (shownAt / 1000).toFixed(2);
      return `<text class="${classOf(row)}" x="${MARGIN}" y="${y.toFixed(1)}" style="animation-delay:${delay}s">${escaped(row)}</text>`;
    });
    const width = Math.ceil(2 * MARGIN + COLUMNS * FONT.width);
    const height = 2 * MARGIN + FONT.line * rows.length;
    return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">
<style>
  rect { fill: #14171c }
  text { font: ${FONT.size}px ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; fill: #c9d1d9; white-space: pre; animation: appear 1ms both }
  .said { fill: #8b949e } .typed { fill: #7ee787 }
  @keyframes appear { from { opacity: 0 } to { opacity: 1 } }
  @media (prefers-reduced-motion) { text { animation: none } }
</style>
<rect width="100%" height="100%" rx="8"/>
${shown.join('\n')}
</svg>
`;
  }
}

function brokenAt(columns: number, text: string): string[] {
  const rows = text.match(new RegExp(`.{1,${columns}}`, 'gu'));
  return rows === null ? [''] : [...rows];
}

function classOf(row: string): 'typed' | 'said' | 'printed' {
  if (row.startsWith('$ ')) return 'typed';
  return row.startsWith('# ') ? 'said' : 'printed';
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
