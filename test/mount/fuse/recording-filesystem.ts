/** A Filesystem that does nothing but write down how it is called, and answers what it is told to. */
import type { Filesystem } from '../../../mount/operations.js';
import { Exchange } from '../../../mount/fuse/exchange.js';

export interface Call {
  readonly operation: string;
  /** Without the caller; buffers are copied, because they may be views. */
  readonly parameters: unknown[];
}

export type Answers = { [Operation in keyof Filesystem]?: (...parameters: never[]) => unknown };

export function recordingFilesystem(answers: Answers): { filesystem: Filesystem; calls: Call[] } {
  const calls: Call[] = [];
  const filesystem = new Proxy({} as Filesystem, {
    get(_, operation: keyof Filesystem) {
      return (...parameters: unknown[]) => {
        const kept = parameters.filter(
          (value) => !(value instanceof Exchange) && typeof value !== 'function',
        );
        calls.push({
          operation,
          parameters: kept.map((value) => (Buffer.isBuffer(value) ? Buffer.from(value) : value)),
        });
        return (answers[operation] as ((...parameters: unknown[]) => unknown) | undefined)?.(...parameters);
      };
    },
  });
  return { filesystem, calls };
}

/** A ReplySink that keeps copies of what is sent. */
export function recordingSink() {
  const sent: Buffer[] = [];
  return {
    sent,
    send(message: Buffer, length: number) {
      sent.push(Buffer.from(message.subarray(0, length)));
    },
    sendPieces(pieces: Buffer[]) {
      sent.push(Buffer.concat(pieces));
    },
  };
}

/** A FaultLog that keeps the messages. */
export function recordingLog() {
  const faults: string[] = [];
  return {
    faults,
    error(_details: object, message: string) {
      faults.push(message);
    },
  };
}
