/**
 * Changes and questions that outlast connections: each is sent until it has an answer, and is carried out once, as a change
 * that is sent again has the number that it had.
 *
 * They are sent before what programs ask for, while a connection is brought up to date.
 */
import type { Attributes } from '../../protocol/attributes.js';
import { Failure } from '../../protocol/failure.js';
import type { MethodName, Result } from '../../protocol/methods.js';
import { packOperation, WRITE, type Operation } from '../../protocol/operations.js';
import { packRef, type FileRef } from '../../protocol/references.js';
import type { RequestOnce } from '../log/sender.js';
import { Waiters } from '../log/waiters.js';
import type { ChangeNumbers } from './change-numbers.js';

export class AwaitedChanges {
  readonly #request: RequestOnce<MethodName>;
  readonly #numbers: ChangeNumbers;
  readonly #waiting = new Waiters();
  #connected = true;
  #ended: Failure | undefined;

  constructor(parts: { request: RequestOnce<MethodName>; numbers: ChangeNumbers }) {
    this.#request = parts.request;
    this.#numbers = parts.numbers;
  }

  connected(): void {
    this.#connected = true;
    this.#waiting.resolve();
  }

  lost(): void {
    this.#connected = false;
  }

  /** There will be no connection any more: all that waits fails. */
  ended(failure: Failure): void {
    this.#ended = failure;
    this.#waiting.reject(failure);
  }

  /** Has the server make a change. The data of a WRITE are not to change until then. EDQUOT where not all of it is written. */
  async change(operation: Operation): Promise<readonly Attributes[]> {
    const data = operation.kind === WRITE ? (operation.data ?? undefined) : undefined;
    const packed = packOperation(operation.kind === WRITE ? { ...operation, data: null } : operation);
    try {
      const left = await this.#ask('change', [this.#numbers.next(), packed], data, (told) => told);
      const [file] = left;
      const isShort = data !== undefined && file !== undefined && isWrittenInPart(operation, data, file);
      if (isShort) throw new Failure('EDQUOT', 'the quota of disk space is used up');
      return left;
    } finally {
      this.#numbers.answered();
    }
  }

  getattr(file: FileRef): Promise<Attributes> {
    return this.#ask('getattr', [packRef(file)], undefined, (attributes) => attributes);
  }

  /** undefined: there is no such name, or no such directory. */
  async lookup(directory: FileRef, name: Buffer): Promise<Attributes | undefined> {
    try {
      return await this.#ask('lookup', [packRef(directory), name], undefined, ([attributes]) => attributes);
    } catch (thrown) {
      if (isMissing(Failure.from(thrown))) return undefined;
      throw thrown;
    }
  }

  /** A copy of what the file holds there. */
  read(file: FileRef, offset: number, length: number): Promise<Buffer> {
    return this.#ask('read', [packRef(file), offset, length], undefined, (data) => Buffer.from(data));
  }

  /** All that was answered is on the server's disk. */
  async sync(number: number): Promise<void> {
    await this.#ask('sync', [number], undefined, () => undefined);
  }

  async #ask<M extends MethodName, T>(
    method: M,
    params: unknown[],
    data: Buffer | undefined,
    received: (result: Result<M>) => T,
  ): Promise<T> {
    for (;;) {
      if (this.#ended !== undefined) throw this.#ended;
      if (!this.#connected) await this.#waiting.wait();
      try {
        return await new Promise<T>((resolve, reject) => {
          this.#request(
            method,
            params,
            data,
            (failure, result) => {
              if (result === undefined) reject(failure ?? new Failure('EIO'));
              else resolve(received(result));
            },
            { once: true },
          );
        });
      } catch (thrown) {
        if (Failure.from(thrown).kind !== 'ECONNRESET') throw thrown;
      }
    }
  }
}

/** The size that a write left tells how much of it was written. */
function isWrittenInPart(operation: Operation, data: Buffer, { size }: Attributes): boolean {
  return operation.kind === WRITE && operation.offset !== null && size < operation.offset + data.length;
}

/** Whether what was asked for is not there. */
export function isMissing({ kind }: Failure): boolean {
  return kind === 'ENOENT' || kind === 'ESTALE' || kind === 'ENOTDIR';
}
