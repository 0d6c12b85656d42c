/**
 * What uploads and downloads of one file have in common: what they are given, what they tell, what comes out.
 */
import type { Client } from '../../protocol/session/client.js';
import type { Failure } from '../../protocol/failure.js';
import type { RemoteXattrs } from '../remote/xattrs.js';
import type { BlockPool } from './blocks.js';
import type { DoneFiles } from './done-files.js';
import type { RateLimit } from './rate-limit.js';

/** A file that is longer goes by itself: its own round trips are the smaller part then. */
export const SMALL_FILE_BYTES = 64 * 1024;

export interface TransferContext {
  readonly client: Client;
  readonly blocks: BlockPool;
  /** Go on with what an interrupted transfer left; else that is thrown away. */
  readonly resume: boolean;
  /** What is there already as it is here is not moved. */
  readonly skip: boolean;
  /** What is there is compared by MD5, and not by size and mtime. */
  readonly byContent: boolean;
  /** Over all connections of the command. */
  readonly done: DoneFiles;
  /** Those of the home, where attributes are kept. */
  readonly xattrs: RemoteXattrs | undefined;
  /** Of the command; undefined: as fast as it goes. */
  readonly limit: RateLimit | undefined;
  /** Interrupts the transfer: what was done stays to be resumed. */
  readonly signal: AbortSignal;
}

/** Watches one file's transfer. */
export interface TransferObserver {
  /** The size is known (undefined: of a stream it is not), and the first `offset` bytes need not be moved. */
  started(size: number | undefined, offset: number): void;
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
  /** Why it has not all of its extended attributes. */
  readonly unkept?: Failure | undefined;
}

/** `resuming at 62%` */
export function resumingAt(offset: number, size: number): string {
  return `resuming at ${Math.floor((offset / size) * 100)}%`;
}
