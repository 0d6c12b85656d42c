/**
 * Progress bars on a terminal, by cli-progress: a line of the total as soon as more than one file is known of, and below it one
 * for each large file that is being moved, with rate and time left. Lines go above the bars. Control bytes never get here: names come as displayName makes them.
 */
import { clearScreenDown, cursorTo, moveCursor } from 'node:readline';
import { MultiBar, type SingleBar } from 'cli-progress';
import { formatDuration, formatSize } from '../../state/sizes.js';
import { SMALL_FILE_BYTES } from '../transfer/transfer.js';
import type { Display, Expected, FileProgress } from './display.js';
import { Rate } from './rate.js';
import { fitted, widthOf } from './width.js';

/** Columns of a bar itself; of what is around it and the name: brackets, `100% of 1023M  1023M/s  ETA 1:23:45`. */
const BAR_WIDTH = 24;
const REST_WIDTH = 39;
/** Columns of a name, as many as the terminal leaves; a longer one loses its beginning. */
const MIN_NAME_WIDTH = 8;
const MAX_NAME_WIDTH = 40;
const FRAMES_PER_SECOND = 10;
/** How long nothing is drawn after the window changed (milliseconds): who drags it changes it many times a second. */
const SETTLE_MS = 300;
/** EL of ECMA-48. A line is written over a bar, of which cli-progress clears the first only. */
const CLEAR_REST = '\x1b[K';
const STREAM_FORMAT = '{name} {size}  {rate}';
const TOTAL_FORMAT = '{files} files, {size}  {rate}  {left}';

/** What cli-progress has of what it drew; its types do not tell. */
interface Drawn {
  /** `dy`: rows that the cursor is below the first bar. */
  readonly terminal: { dy: number };
  /** From the top. */
  readonly bars: { lastDrawnString: string | null }[];
  /** Of the next frame. */
  timer: NodeJS.Timeout | null;
}

export class Bars implements Display {
  readonly #bars = new MultiBar({
    format: '{name} [{bar}] {percentage}% of {size}  {rate}  {left}',
    autopadding: true,
    barsize: BAR_WIDTH,
    clearOnComplete: true,
    emptyOnZero: true,
    fps: FRAMES_PER_SECOND,
    // So the cursor is at the end of the last one between two frames.
    forceRedraw: true,
    // The program ends by itself on SIGINT, after it told how to resume.
    gracefulExit: false,
    hideCursor: false,
    // Else a line that is longer than the screen, which goes above the bars, would be cut; the bars are cut by cli-progress.
    linewrap: true,
  });
  readonly #rate = new Rate(performance.now() / 1000);
  #total: SingleBar | undefined;
  /** Files that are there whole, and under way; bytes that were moved of both. */
  #files = 0;
  #underWay = 0;
  #moved = 0;
  /** What all comes to, as soon as that is known; what of it need not be moved. */
  #expected: number | undefined;
  #passed = 0;
  #toldAt = 0;
  #closed = false;
  /** Of the screen, which what is longer was cut to. */
  #columns = columns();

  constructor() {
    process.stderr.on('resize', this.#onResize);
  }

  file(name: string): FileProgress {
    this.#underWay += 1;
    if (this.#files + this.#underWay > 1) this.#showTotal();
    return new FileBar(this.#bars, name, this);
  }

  total(files: number): void {
    this.#files = files;
    if (files > 1) this.#showTotal();
  }

  expected({ files, bytes }: Expected): void {
    if (this.#closed) return; // A new bar would be drawn for ever.
    this.#expected = bytes;
    if (files > 1) this.#showTotal();
  }

  ended(): void {
    this.#underWay -= 1;
  }

  passed(bytes: number): void {
    this.#passed += bytes;
  }

  /** Of a file that is under way. */
  moved(bytes: number, now: number): void {
    this.#moved += bytes;
    this.#rate.add(bytes, now);
    if (now - this.#toldAt < 1 / FRAMES_PER_SECOND) return;
    this.#toldAt = now;
    this.#tellTotal();
  }

  /** Above the bars, which come and go. */
  #showTotal(): void {
    if (this.#total === undefined) {
      const { bars } = this.#bars as unknown as Drawn;
      this.#total = this.#bars.create(1, 0, this.#totalTold(), { format: TOTAL_FORMAT });
      bars.unshift(...bars.splice(-1));
    }
    this.#tellTotal();
  }

  #tellTotal(): void {
    this.#total?.update(0, this.#totalTold());
  }

  #totalTold(): { files: number; size: string; rate: string; left: string } {
    const rate = `${formatSize(Math.round(this.#rate.perSecond))}/s`;
    const moved = formatSize(this.#moved);
    const told = { files: this.#files, size: moved, rate, left: '' };
    if (this.#expected !== undefined) {
      const whole = Math.max(this.#moved, this.#expected - this.#passed);
      told.size = `${moved} of ${formatSize(whole)}`;
      told.left = etaText(this.#rate.secondsFor(whole - this.#moved));
    }
    return told;
  }

  line(text: string): void {
    if (this.#closed) process.stderr.write(`${text}\n`);
    else this.#log(`${text}\n`);
  }

  /** Where both streams are the terminal, the bars have to know of the line. */
  result(bytes: Buffer): void {
    if (process.stdout.isTTY && !this.#closed) this.#log(bytes.toString());
    else process.stdout.write(bytes);
  }

  close(): void {
    // Prints what was logged since the last frame.
    this.#bars.update();
    this.#bars.stop();
    this.#closed = true;
    process.stderr.off('resize', this.#onResize);
  }

  /**
   * A terminal that got narrower has wrapped the bars: there are more rows of them than cli-progress knows. What was drawn while it goes
   * on changing would have a width that it has no more, and stay.
   */
  readonly #onResize = (): void => {
    const shown = this.#bars as unknown as Drawn;
    const { terminal, bars } = shown;
    clearTimeout(shown.timer ?? undefined);
    shown.timer = setTimeout(() => this.#bars.update(), SETTLE_MS);
    const before = this.#columns;
    this.#columns = columns();
    const more = bars.slice(0, terminal.dy + 1).map(({ lastDrawnString }) => {
      const drawn = Math.min(widthOf(lastDrawnString ?? ''), before);
      return Math.max(0, Math.ceil(drawn / this.#columns) - 1);
    });
    moveCursor(
      process.stderr,
      0,
      more.reduce((rows, count) => rows - count, -terminal.dy),
    );
    cursorTo(process.stderr, 0);
    clearScreenDown(process.stderr);
    terminal.dy = 0;
    for (const bar of bars) bar.lastDrawnString = null;
  };

  #log(lines: string): void {
    this.#bars.log(lines.replaceAll('\n', `${CLEAR_REST}\n`));
  }
}

class FileBar implements FileProgress {
  readonly #all: MultiBar;
  readonly #name: string;
  readonly #bars: Bars;
  readonly #rate = new Rate(performance.now() / 1000);
  /** Of a large file, and of a stream. */
  #bar: SingleBar | undefined;
  #size: number | undefined = 0;
  #done = 0;
  #drawnAt = 0;

  constructor(all: MultiBar, name: string, bars: Bars) {
    this.#all = all;
    this.#name = name;
    this.#bars = bars;
  }

  started(size: number | undefined, offset: number): void {
    this.#size = size;
    this.#done = offset;
    this.#bars.passed(offset);
    if (size === undefined) {
      const shown = { name: fit(this.#name), size: '0', rate: '' };
      this.#bar ??= this.#all.create(1, 0, shown, { format: STREAM_FORMAT });
      return;
    }
    if (size <= SMALL_FILE_BYTES) return;
    const shown = { name: fit(this.#name), size: formatSize(size), rate: '', left: '' };
    this.#bar ??= this.#all.create(size, offset, shown);
  }

  advanced(bytes: number): void {
    const now = performance.now() / 1000;
    this.#done += bytes;
    this.#rate.add(bytes, now);
    this.#bars.moved(bytes, now);
    // Preparing what no frame shows would cost more than the frame.
    if (now - this.#drawnAt < 1 / FRAMES_PER_SECOND) return;
    this.#drawnAt = now;
    const rate = `${formatSize(Math.round(this.#rate.perSecond))}/s`;
    if (this.#size === undefined) {
      this.#bar?.update(0, { name: fit(this.#name), size: formatSize(this.#done), rate });
      return;
    }
    const left = this.#rate.secondsFor(this.#size - this.#done);
    this.#bar?.update(this.#done, { name: fit(this.#name), rate, left: etaText(left) });
  }

  note(text: string): void {
    this.#bars.line(`${this.#name}: ${text}`);
  }

  ended(): void {
    // Gone on with it begins where it came to: that was moved, and is not passed.
    if (this.#size !== undefined && this.#done < this.#size) this.#bars.passed(-this.#done);
    this.#bars.ended();
    if (this.#bar !== undefined) this.#all.remove(this.#bar);
  }
}

function etaText(seconds: number | undefined): string {
  return seconds === undefined ? '' : `ETA ${formatDuration(seconds)}`;
}

function columns(): number {
  return process.stderr.columns || 80;
}

function fit(name: string): string {
  const room = columns() - BAR_WIDTH - REST_WIDTH;
  const width = Math.min(MAX_NAME_WIDTH, Math.max(MIN_NAME_WIDTH, room));
  return fitted(name, width);
}
