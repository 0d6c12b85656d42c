/**
 * Shows the place in the server's queue on standard error, live: on a terminal one line that is written over, else a line
 * for every change.
 */
const CLEAR_LINE = '\r\u001b[K';

export class QueueDisplay {
  #shown = false;

  /** 1 is next. */
  show(place: number): void {
    const text = `server full, ${ordinal(place)} in the queue`;
    process.stderr.write(process.stderr.isTTY ? `${CLEAR_LINE}${text}` : `${text}\n`);
    this.#shown = true;
  }

  /** Takes the line away from a terminal when the wait is over. */
  clear(): void {
    if (this.#shown && process.stderr.isTTY) process.stderr.write(CLEAR_LINE);
    this.#shown = false;
  }
}

/** 1st, 2nd, 3rd, 4th, 11th, 21st, ... */
export function ordinal(n: number): string {
  const teens = n % 100 >= 11 && n % 100 <= 13;
  const suffix = teens ? 'th' : (['th', 'st', 'nd', 'rd'][n % 10] ?? 'th');
  return `${n}${suffix}`;
}
