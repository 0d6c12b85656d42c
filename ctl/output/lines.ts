/**
 * Progress as lines, for logs and pipes: notes and results when they happen, and every few seconds how far the files are
 * that take that long.
 */
import { formatDuration, formatSize } from '../sizes.js';
import type { Display, FileProgress } from './display.js';
import { Rate } from './rate.js';

const REPORT_MS = 5000;

export class Lines implements Display {
  file(name: string): FileProgress {
    return new FileLines(name, this);
  }

  line(text: string): void {
    process.stderr.write(`${text}\n`);
  }

  result(bytes: Buffer): void {
    process.stdout.write(bytes);
  }

  close(): void {}
}

class FileLines implements FileProgress {
  readonly #name: string;
  readonly #lines: Lines;
  readonly #rate = new Rate(performance.now() / 1000);
  readonly #timer: NodeJS.Timeout;
  #size = 0;
  #done = 0;

  constructor(name: string, lines: Lines) {
    this.#name = name;
    this.#lines = lines;
    this.#timer = setInterval(() => this.#report(), REPORT_MS).unref();
  }

  started(size: number, offset: number): void {
    this.#size = size;
    this.#done = offset;
  }

  advanced(bytes: number): void {
    this.#done += bytes;
    this.#rate.add(bytes, performance.now() / 1000);
  }

  note(text: string): void {
    this.#lines.line(`${this.#name}: ${text}`);
  }

  ended(): void {
    clearInterval(this.#timer);
  }

  #report(): void {
    if (this.#size === 0) return;
    const percent = Math.floor((this.#done / this.#size) * 100);
    const left = this.#rate.secondsFor(this.#size - this.#done);
    this.#lines.line(
      `${this.#name}: ${percent}% of ${formatSize(this.#size)}, ${formatSize(Math.round(this.#rate.perSecond))}/s` +
        (left === undefined ? '' : `, ETA ${formatDuration(left)}`),
    );
  }
}
