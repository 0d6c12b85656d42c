/** What a put comes to, found out while it is under way: so the time that is left can be told. */
import { lstatSync, type Stats } from 'node:fs';
import { lstat, opendir } from 'node:fs/promises';
import { isContents, lastComponent, localJoin } from '../names.js';
import type { TransferFlags } from './command.js';
import { isExcluded, type FilterRule } from './filter.js';

/** Of what is named and what is below it, in bytes. Throws where something cannot be read. */
export async function expectedBytes(
  sources: readonly Buffer[],
  { filter = [] }: Pick<TransferFlags, 'filter'>,
): Promise<number> {
  let bytes = 0;
  for (const source of sources) {
    const listed = isContents(source) ? Buffer.alloc(0) : lastComponent(source);
    bytes += await bytesOf(source, listed, await lstat(source), filter);
  }
  return bytes;
}

async function bytesOf(
  path: Buffer,
  listed: Buffer,
  status: Stats,
  filter: readonly FilterRule[],
): Promise<number> {
  if (listed.length > 0 && isExcluded(filter, listed, status.isDirectory())) return 0;
  if (!status.isDirectory()) return status.isFile() ? status.size : 0;
  let bytes = 0;
  for await (const entry of await opendir(path, { encoding: 'buffer' as BufferEncoding })) {
    // node's types do not know the encoding 'buffer' here.
    const name = entry.name as unknown as Buffer;
    const below = localJoin(path, name);
    bytes += await bytesOf(below, localJoin(listed, name), lstatSync(below), filter);
  }
  return bytes;
}
