/**
 * A file of which data are read, and whose answers come when and as the test says: in another order, short, late, or not.
 */
import { Bandwidth } from '../../../mount/data/bandwidth.js';
import { ReadBudget } from '../../../mount/data/budget.js';
import { FileCache } from '../../../mount/data/cache.js';
import type { Arrival } from '../../../mount/data/fetch.js';
import { Reader } from '../../../mount/data/reader.js';
import { Failure } from '../../../protocol/failure.js';

export const KiB = 1024;
export const MiB = 1024 * KiB;

/** A living process that is not interrupted. */
export const CALLER = { pid: process.pid };

/** A request that was not answered. */
export interface Asked {
  readonly offset: number;
  readonly length: number;
  /** By the clock (milliseconds). */
  readonly askedAt: number;
  readonly arrival: Arrival;
  cancelled: boolean;
}

/** Bytes that tell their place. */
export function placed(bytes: number): Buffer {
  const content = Buffer.alloc(bytes);
  for (let at = 0; at + 4 <= bytes; at += 4) content.writeUInt32LE(at, at);
  return content;
}

export interface Clock {
  ms: number;
}

export interface Shared {
  readonly clock: Clock;
  readonly bandwidth: Bandwidth;
  readonly budget: ReadBudget;
  readonly cache: FileCache;
}

/** What all files of a mount share. The clock stands still but for what the test adds to it. */
export function shared(budget = new ReadBudget()): Shared {
  const clock = { ms: 0 };
  return { clock, bandwidth: new Bandwidth(() => clock.ms), budget, cache: new FileCache(budget) };
}

let nextIno = 1n;

export class ScriptedFile {
  content: Buffer;
  readonly id = { ino: nextIno++, birth: 7n };
  readonly asked: Asked[] = [];
  /** All requests ever, as [offset, length]. */
  readonly requests: [number, number][] = [];
  readonly shared: Shared;
  readonly reader: Reader;

  constructor(content: Buffer | number, parts: Shared = shared()) {
    this.content = typeof content === 'number' ? placed(content) : content;
    this.shared = parts;
    this.reader = this.open();
  }

  open(): Reader {
    return new Reader({
      file: this,
      ...this.shared,
      fetch: (offset, length, arrival) => {
        const asked = { offset, length, askedAt: this.shared.clock.ms, arrival, cancelled: false };
        this.requests.push([offset, length]);
        this.asked.push(asked);
        return () => {
          asked.cancelled = true;
        };
      },
    });
  }

  /** Answers from a buffer that is overwritten afterwards, as the real one is. */
  answer(asked: Asked): void {
    this.asked.splice(this.asked.indexOf(asked), 1);
    if (asked.cancelled) {
      asked.arrival(new Failure('ECANCELED'), undefined);
      return;
    }
    const view = Buffer.from(this.content.subarray(asked.offset, asked.offset + asked.length));
    asked.arrival(undefined, view);
    view.fill(0xee);
  }

  answerAll(): void {
    for (const asked of [...this.asked]) this.answer(asked);
  }

  fail(kind: 'EIO' | 'ESTALE'): void {
    for (const { arrival } of this.asked.splice(0)) arrival(new Failure(kind), undefined);
  }

  read(
    offset: number,
    length: number,
    size: number | undefined = this.content.length,
    reader = this.reader,
  ): Promise<Buffer> {
    let data: Buffer | undefined;
    const done = reader.read(offset, length, size, (pieces) => (data = Buffer.concat(pieces)), CALLER);
    return Promise.resolve(done).then(() => data ?? Buffer.from('no reply'));
  }

  /** Reads what is known; undefined where it has to be asked for. */
  known(offset: number, length: number): Buffer | undefined {
    let data: Buffer | undefined;
    const { length: size } = this.content;
    void this.reader.read(offset, length, size, (pieces) => (data = Buffer.concat(pieces)), CALLER);
    return data;
  }

  expected(offset: number, length: number): Buffer {
    return this.content.subarray(offset, offset + length);
  }
}

/** A line to the server of files: answers come in order, each after a round trip, and as fast as the line is. */
export class Line {
  readonly #files: readonly ScriptedFile[];
  readonly #roundTripMs: number;
  readonly #bytesPerMs: number;
  #freeAt = 0;

  constructor(files: ScriptedFile | readonly ScriptedFile[], roundTripMs: number, bytesPerMs: number) {
    this.#files = [files].flat();
    this.#roundTripMs = roundTripMs;
    this.#bytesPerMs = bytesPerMs;
  }

  /** Reads, while the line delivers what was asked for before it and for it. */
  read(offset: number, length: number, file = this.#files[0]): Buffer {
    if (file === undefined) throw new Error('no file');
    return this.begin(offset, length, file)();
  }

  /** Asks for it; the returned function waits, as read() does. */
  begin(offset: number, length: number, { reader, content }: ScriptedFile): () => Buffer {
    const got: Buffer[] = [];
    void reader.read(offset, length, content.length, (pieces) => got.push(Buffer.concat(pieces)), CALLER);
    return () => {
      for (;;) {
        const [data] = got;
        if (data !== undefined) return data;
        this.#deliver();
      }
    };
  }

  #deliver(): void {
    const [first] = this.#files
      .flatMap((file) => file.asked.slice(0, 1).map((asked) => ({ file, asked })))
      .toSorted((a, b) => a.asked.askedAt - b.asked.askedAt);
    if (first === undefined) throw new Error('a read waits for nothing');
    const { file, asked } = first;
    const bytes = asked.cancelled ? 0 : asked.length;
    this.#freeAt = Math.max(this.#freeAt, asked.askedAt + this.#roundTripMs) + bytes / this.#bytesPerMs;
    const { clock } = file.shared;
    clock.ms = Math.max(clock.ms, this.#freeAt);
    file.answer(asked);
  }
}

/** The kind of the failure that it ends with. */
export async function failureOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (thrown) {
    return Failure.from(thrown).kind;
  }
  return 'success';
}
