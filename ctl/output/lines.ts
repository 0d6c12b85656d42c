/**
 * Progress as lines, for logs and pipes: notes when they happen, and every few seconds how far the large files are that take
 * that long, and how many are done.
 */
import { formatDuration, formatSize } from '../../state/sizes.js';
import { SMALL_FILE_BYTES } from '../transfer/transfer.js';
import type { Display, FileProgress } from './display.js';
import { Rate } from './rate.js';

const REPORT_MS = 5000;

export class Lines implements Display {
  readonly #files = new Set<FileLines>();
  readonly #timer = setInterval(() => this.#report(), REPORT_MS).unref();
  /** Files that are there whole; bytes that were moved, also of those under way. */
  #done = 0;
  #moved = 0;

  file(name: string): FileProgress {
    const file = new FileLines(name, this, () => this.#files.delete(file));
    this.#files.add(file);
    return file;
  }

  total(files: number): void {
    this.#done = files;
  }

  /** Of a file that is under way. */
  moved(bytes: number): void {
    this.#moved += bytes;
  }

  line(text: string): void {
    process.stderr.write(`${text}\n`);
  }

  result(bytes: Buffer): void {
    process.stdout.write(bytes);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #report(): void {
    for (const file of this.#files) file.report();
    if (this.#done > 1) this.line(`${this.#done} files, ${formatSize(this.#moved)} so far`);
  }
}

class FileLines implements FileProgress {
  readonly ended: () => void;
  readonly #name: string;
  readonly #lines: Lines;
  readonly #rate = new Rate(performance.now() / 1000);
  #size: number | undefined = 0;
  #done = 0;

  constructor(name: string, lines: Lines, ended: () => void) {
    this.#name = name;
    this.#lines = lines;
    this.ended = ended;
  }

  started(size: number | undefined, offset: number): void {
    this.#size = size;
    this.#done = offset;
  }

  advanced(bytes: number): void {
    this.#done += bytes;
    this.#lines.moved(bytes);
    this.#rate.add(bytes, performance.now() / 1000);
  }

  note(text: string): void {
    this.#lines.line(`${this.#name}: ${text}`);
  }

  report(): void {
    const rate = `${formatSize(Math.round(this.#rate.perSecond))}/s`;
    if (this.#size === undefined) {
      this.#lines.line(`${this.#name}: ${formatSize(this.#done)} so far, ${rate}`);
      return;
    }
    if (this.#size <= SMALL_FILE_BYTES) return;
    const percent = Math.floor((this.#done / this.#size) * 100);
    const left = this.#rate.secondsFor(this.#size - this.#done);
    this.#lines.line(
      `${this.#name}: ${percent}% of ${formatSize(this.#size)}, ${rate}` +
        (left === undefined ? '' : `, ETA ${formatDuration(left)}`),
    );
  }
}
