/**
 * What uploads and downloads of one file have in common: what they are given, what they tell, what comes out.
 */
import type { Client } from '../../protocol/client.js';
import type { BlockPool } from './blocks.js';

export interface TransferContext {
  readonly client: Client;
  readonly blocks: BlockPool;
  /** Go on with what an interrupted transfer left; else that is thrown away. */
  readonly resume: boolean;
  /** Interrupts the transfer: what was done stays to be resumed. */
  readonly signal: AbortSignal;
}

/** Watches one file's transfer. */
export interface TransferObserver {
  /** The size is known, and the first `offset` bytes need not be moved. */
  started(size: number, offset: number): void;
  advanced(bytes: number): void;
  /** Something the person should know: 'resuming at 62%'. */
  note(text: string): void;
}

export interface Transferred {
  readonly bytes: number;
  /** 16 bytes. */
  readonly md5: Buffer;
  /** Where it went on; 0: from the beginning. */
  readonly resumedAt: number;
}

/** `resuming at 62%` */
export function resumingAt(offset: number, size: number): string {
  return `resuming at ${Math.floor((offset / size) * 100)}%`;
}
