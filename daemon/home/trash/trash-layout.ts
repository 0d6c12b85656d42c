/*
 * How the trash of a home is laid out on the disk, and what names an item of it.
 *
 * PERIOD/BATCH/NAME: a batch is what was removed from one directory within a period, each under its own name, so that removing
 * is one link(2) whatever the name is, and there is no record for each. Where the directory was is the target of symbolic links
 * beside the batch (BATCH.0, BATCH.1, ...), in pieces, as a path may be longer than one can be: a link is made whole in the
 * disk's own journal, before anything is in the batch. The item's ctime tells when it was removed; a disk tells that by its clock
 * ticks (some milliseconds) only, but batches are named in the order in which they are begun, and where a name is taken another one is
 * begun: so ids of one path sort as the removals came.
 *
 * Invariant: an id that was parsed leads to nothing but an item: three names of these forms, walked by confined.ts.
 */
import { randomInt } from 'node:crypto';
import { Failure } from '../../../protocol/failure.js';
import { checkName } from '../../../protocol/ids.js';

/** What is removed later is removed from the trash later, but for what was within this (milliseconds). */
export const PERIOD_MS = 600_000;

const PERIOD_HEX = 8;
const BATCH_HEX = 16;
const BATCH_RANDOM_BITS = 20n;
const PERIOD = /^[0-9a-f]{8}$/;
const BATCH = /^[0-9a-f]{16}$/;
const SLASH = 0x2f;
/** Of a path in one link's target: what every file system takes (XFS: 1,024). */
const PIECE_BYTES = 1000;
/** Before each piece: a target may not be empty, and is to lead nowhere. */
const MARK = ':';

/** The period of a time (milliseconds since 1970): periods sort as their times do. */
export function periodOf(date: number): string {
  const number = Math.max(0, Math.floor(date / PERIOD_MS));
  return number.toString(16).padStart(PERIOD_HEX, '0');
}

/** When a period began: milliseconds since 1970. */
export function beginningOf(period: string): number {
  return Number.parseInt(period, 16) * PERIOD_MS;
}

export function isPeriod(name: string): boolean {
  return PERIOD.test(name);
}

/** The number of a batch that is begun at a time (milliseconds since 1970): greater than that of an earlier time, and of no other. */
export function batchNumber(date: number): bigint {
  return (BigInt(Math.floor(date)) << BATCH_RANDOM_BITS) + BigInt(randomInt(2 ** Number(BATCH_RANDOM_BITS)));
}

/** The name of a batch: names sort as the numbers do. */
export function batchName(number: bigint): string {
  return number.toString(16).padStart(BATCH_HEX, '0');
}

export function isBatch(name: string): boolean {
  return BATCH.test(name);
}

/** A path in the directory of the trash. */
export function pathIn(...names: readonly string[]): Buffer {
  return Buffer.from(names.join('/'), 'latin1');
}

/** The name of the link that has a piece of a batch's path. */
export function recordName(batch: string, piece: number): string {
  return `${batch}.${piece}`;
}

/** The targets of the links for a path. */
export function recordTargets(path: Buffer): Buffer[] {
  const targets: Buffer[] = [];
  for (let at = 0; at === 0 || at < path.length; at += PIECE_BYTES) {
    targets.push(Buffer.concat([Buffer.from(MARK), path.subarray(at, at + PIECE_BYTES)]));
  }
  return targets;
}

/** The piece of a path that a link's target has. */
export function pieceOf(target: Buffer): Buffer {
  return target.subarray(MARK.length);
}

/** Where an item is in the trash. */
export interface ItemPlace {
  readonly period: string;
  readonly batch: string;
  readonly name: Buffer;
}

/** An item's id: the path to it in the directory of the trash. */
export function itemId({ period, batch, name }: ItemPlace): Buffer {
  return Buffer.concat([pathIn(period, batch, ''), name]);
}

/** Throws ENOENT for what is no id. */
export function parseItemId(id: Buffer): ItemPlace {
  const batchAt = PERIOD_HEX + 1;
  const nameAt = batchAt + BATCH_HEX + 1;
  const period = id.toString('latin1', 0, PERIOD_HEX);
  const batch = id.toString('latin1', batchAt, nameAt - 1);
  const isId = id[batchAt - 1] === SLASH && id[nameAt - 1] === SLASH && isPeriod(period) && isBatch(batch);
  if (!isId) throw noSuchItem();
  const name = Buffer.from(id.subarray(nameAt));
  try {
    checkName(name);
  } catch {
    throw noSuchItem();
  }
  return { period, batch, name };
}

export function noSuchItem(): Failure {
  return new Failure('ENOENT', 'there is no such item in the trash');
}
