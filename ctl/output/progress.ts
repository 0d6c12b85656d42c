/**
 * How a transfer command tells what it does: bars on a terminal, lines elsewhere, JSON for programs, or nothing.
 *
 * Results (`MD5 (name) = ...` as `md5sum --tag` prints and `md5sum -c` reads it, or JSON) go to standard output; progress, notes
 * and problems go to standard error, so that either can be redirected alone. On a terminal a person wants no result for each
 * of a thousand files: there the one of a single file is shown, and with --verbose a line for each with rate and MD5.
 */
import { Failure } from '../../protocol/failure.js';
import { describe } from '../../program/report.js';
import { displayName, jsonPath, outputName } from '../names.js';
import { PROGRAM } from '../program.js';
import { formatDuration, formatSize } from '../../state/sizes.js';
import { isFatal } from '../transfer/lanes.js';
import type { Transferred, TransferObserver } from '../transfer/transfer.js';
import { xattrsNotKept } from '../transfer/xattrs.js';
import { Bars } from './bars.js';
import type { Display, Expected, FileProgress } from './display.js';
import { Lines } from './lines.js';

export interface ProgressOptions {
  readonly quiet?: boolean | undefined;
  readonly json?: boolean | undefined;
  /** Tells each file that was moved, on a terminal, too. */
  readonly verbose?: boolean | undefined;
  /** Standard output is the file itself: what is told of it goes to standard error. */
  readonly toStdout?: boolean;
  /** Nothing is changed. */
  readonly survey?: Survey | undefined;
  readonly checksum?: boolean | undefined;
}

/** What is told without being done: what would be copied, or what is not the same. */
export type Survey = 'dry-run' | 'verify';
export type SurveyedKind = 'file' | 'directory' | 'symlink';

const NEWLINE = Buffer.from('\n');

/** The running account of one command: what is moved, what came out, what went wrong. */
export class Progress {
  readonly #display: Display;
  readonly #options: ProgressOptions;
  readonly #startedAt = performance.now();
  #files = 0;
  #bytes = 0;
  #skipped = 0;
  /** By a survey: what is not there as it is here, and the bytes of its files; and what only is there. */
  #found = 0;
  #foundBytes = 0;
  #extraneous = 0;
  /** Tells of the file that was moved last what is not told yet. */
  #tellOnly: () => void = ignore;
  #firstFailure: Failure | undefined;
  #isExpecting = false;
  readonly #closing = new AbortController();

  constructor(options: ProgressOptions) {
    this.#options = options;
    const silent = options.quiet === true || options.json === true;
    // Bars would be drawn into a file that a terminal shows.
    const hasBars = process.stderr.isTTY && !(options.toStdout === true && process.stdout.isTTY);
    this.#display = silent ? new Silence() : hasBars ? new Bars() : new Lines();
  }

  /** The first thing that went wrong; undefined where all went well. */
  get failure(): Failure | undefined {
    return this.#firstFailure;
  }

  /** How much a survey found that is not as it has to be. */
  get found(): number {
    return this.#found + this.#extraneous;
  }

  /**
   * Follows one transfer, of the file known to the person as `name`. Its failure is thrown on, and told here unless it
   * is fatal for the whole command, which tells it once.
   */
  async follow(
    name: Buffer,
    transfer: (observer: TransferObserver) => Promise<Transferred>,
  ): Promise<Transferred> {
    const file = this.#display.file(displayName(name));
    const startedAt = performance.now();
    try {
      const transferred = await transfer(file);
      const seconds = (performance.now() - startedAt) / 1000;
      file.ended();
      this.#files += 1;
      this.#bytes += transferred.bytes - transferred.resumedAt;
      this.#display.total(this.#files);
      this.#tellResult(name, transferred, seconds);
      if (transferred.unkept !== undefined) this.problem(name, xattrsNotKept(transferred.unkept));
      return transferred;
    } catch (error) {
      file.ended();
      if (!isFatal(error)) this.problem(name, error);
      throw error;
    }
  }

  /**
   * What all comes to is found out where that is shown, while it is moved, once over all connections, or over the next one where it
   * fails; no longer than until close().
   */
  expect(find: (closing: AbortSignal) => Promise<Expected>): void {
    if (this.#isExpecting || this.#display.expected === undefined) return;
    this.#isExpecting = true;
    find(this.#closing.signal).then(
      (all) => this.#display.expected?.(all),
      () => {
        this.#isExpecting = false;
      },
    );
  }

  /** `name` is there already, as it is here. */
  skipped(name: Buffer, bytes: number): void {
    this.#skipped += 1;
    this.#display.passed?.(bytes);
    if (this.#options.json === true) this.#json({ ...jsonPath(name), bytes, skipped: true });
    else if (this.#options.survey !== undefined && this.#options.verbose === true) {
      this.#tellFound(this.#options.survey === 'verify' ? 'same' : 'skip', name);
    }
  }

  /** `name` would be copied, or is not the same: something else is there (`exists`), or nothing. */
  surveyed(kind: SurveyedKind, name: Buffer, exists: boolean, bytes: number): void {
    this.#found += 1;
    this.#foundBytes += bytes;
    const isVerified = this.#options.survey === 'verify';
    const finding = isVerified ? (exists ? 'differs' : 'missing') : kind === 'file' ? 'copy' : 'make';
    if (this.#options.json === true) this.#json({ ...jsonPath(name), kind, bytes, finding });
    else this.#tellFound(finding, name);
  }

  /** `name` was deleted, or would be: the source has nothing of that name. */
  deleted(name: Buffer): void {
    const { survey, json, quiet } = this.#options;
    if (survey !== undefined) this.#extraneous += 1;
    const finding = survey === 'verify' ? 'extra' : 'delete';
    if (json === true) this.#json({ ...jsonPath(name), ...(survey ? { finding } : { deleted: true }) });
    else if (survey !== undefined) this.#tellFound(finding, name);
    else if (quiet !== true) this.#display.line(`deleted ${displayName(name)}`);
  }

  /** Something the person should know about the command. */
  note(text: string): void {
    if (this.#options.quiet !== true && this.#options.json !== true) {
      this.#display.line(`${PROGRAM}: ${text}`);
    }
  }

  /** The connection was lost, and there will be another one. */
  lost(failure: Failure): void {
    this.note(`${describe(failure)}: connecting again`);
  }

  /** Runs `action`, tells what goes wrong with `name`, and goes on with the others, unless nothing can go on. */
  async guard(name: Buffer, action: () => Promise<unknown>): Promise<void> {
    try {
      await action();
    } catch (error) {
      if (isFatal(error)) throw error;
      this.problem(name, error);
    }
  }

  /** Something went wrong with `name`. */
  problem(name: Buffer, thrown: unknown): void {
    const failure = Failure.from(thrown);
    this.#firstFailure ??= failure;
    if (this.#options.json === true) {
      this.#json({ ...jsonPath(name), error: failure.code, message: describe(failure) });
    }
    const about = displayName(name);
    const text = describe(failure);
    this.#display.line(`${PROGRAM}: ${text.startsWith(about) ? text : `${about}: ${text}`}`);
  }

  /** Tells the sum where there was more than one file, and what was there already. */
  close(): void {
    this.#closing.abort();
    this.#display.close();
    if (this.#options.quiet === true || this.#options.json === true) return;
    if (this.#files === 1) this.#tellOnly();
    if (this.#files > 1) {
      const seconds = (performance.now() - this.#startedAt) / 1000;
      this.#display.line(`${this.#files} files, ${moved(this.#bytes, seconds)}`);
    }
    this.#tellSurvey();
    if (this.#skipped > 0) {
      const files = this.#skipped === 1 ? '1 file is' : `${this.#skipped} files are`;
      const { survey, checksum } = this.#options;
      const same = survey === 'verify' || checksum === true ? 'MD5' : 'size and time';
      this.#display.line(`${files} there already, with the same ${same}`);
    }
  }

  #tellSurvey(): void {
    const { survey } = this.#options;
    if (survey === undefined || this.found === 0) return;
    const extraneous = this.#extraneous;
    if (survey === 'dry-run') {
      const deletions = extraneous === 0 ? '' : `, ${extraneous} to delete`;
      const copies = `${this.#found} to copy or make, ${formatSize(this.#foundBytes)}`;
      this.#display.line(`${copies}${deletions}: nothing was changed`);
    } else {
      const isOne = this.found === 1;
      const text = isOne ? 'differs or is missing' : 'differ or are missing';
      const textWithExtra = isOne ? 'differs, is missing or extra' : 'differ, are missing or extra';
      this.#display.line(`${this.found} ${extraneous === 0 ? text : textWithExtra}`);
    }
  }

  #tellFound(finding: string, name: Buffer): void {
    const shown = outputName(name, process.stdout.isTTY);
    this.#display.result(Buffer.concat([Buffer.from(`${finding} `), shown, NEWLINE]));
  }

  #tellResult(name: Buffer, { bytes, md5, resumedAt }: Transferred, seconds: number): void {
    if (this.#options.json === true) {
      const rounded = Math.round(seconds * 1000) / 1000;
      this.#json({
        ...jsonPath(name),
        bytes,
        md5: md5.toString('hex'),
        seconds: rounded,
        resumedAt,
      });
      return;
    }
    if (this.#options.quiet === true) return;
    const sum = md5Line(name, md5);
    const tellSum = (): void => {
      if (this.#options.toStdout === true) this.#display.line(sum.toString().trimEnd());
      else this.#display.result(sum);
    };
    const line = `${displayName(name)}: ${bytes} bytes, ${moved(bytes - resumedAt, seconds)}`;
    const { isTTY } = process.stdout;
    if (!isTTY) tellSum();
    if (this.#options.verbose === true) {
      this.#display.line(isTTY ? `${line}, MD5 ${md5.toString('hex')}` : line);
      this.#tellOnly = ignore;
      return;
    }
    this.#tellOnly = () => {
      if (isTTY) tellSum();
      this.#display.line(line);
    };
  }

  #json(value: Record<string, unknown>): void {
    const { stdout, stderr } = process;
    (this.#options.toStdout === true ? stderr : stdout).write(`${JSON.stringify(value)}\n`);
  }
}

/** Errors are told whatever the options say. */
class Silence implements Display {
  file(): FileProgress {
    return { started: ignore, advanced: ignore, note: ignore, ended: ignore };
  }
  line(text: string): void {
    process.stderr.write(`${text}\n`);
  }
  total(): void {}
  result(): void {}
  close(): void {}
}

function ignore(): void {}

function moved(bytes: number, seconds: number): string {
  return `${formatSize(bytes)} in ${formatDuration(seconds)}, ${formatSize(Math.round(bytes / Math.max(seconds, 0.001)))}/s`;
}

/** As GNU md5sum --tag: a name with a backslash or a line end is escaped, and the line then begins with a backslash. */
export function md5Line(name: Buffer, md5: Buffer): Buffer {
  const latin = name.toString('latin1');
  const escaped = latin.replace(/[\\\n\r]/g, (c) => (c === '\n' ? '\\n' : c === '\r' ? '\\r' : '\\\\'));
  const mark = escaped === latin ? '' : '\\';
  const head = Buffer.from(`${mark}MD5 (${escaped}) = ${md5.toString('hex')}`, 'latin1');
  return Buffer.concat([head, NEWLINE]);
}
