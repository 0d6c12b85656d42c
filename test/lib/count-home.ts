/*
 * What a home holds by the rules of the quota, counted from outside: what the daemon says of it is held against this. For homes
 * without extended attributes.
 */
import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { isOwnName, RESERVED_NAME, TRASH_NAME } from '../../state/home-layout.js';
import type { Use } from '../../state/ledger.js';

export function countHome(home: string): Use {
  const counted = new Set<number>();
  let bytes = 0;
  for (const path of readdirSync(home, { recursive: true, encoding: 'utf8' })) {
    const [first = '', ...rest] = path.split('/');
    if (first === String(RESERVED_NAME) && !countsInOwn(rest)) continue;
    const status = lstatSync(join(home, path));
    if (counted.has(status.ino)) continue;
    counted.add(status.ino);
    if (status.isFile()) bytes += status.size;
  }
  return { bytes, files: counted.size };
}

/** Of the daemon's own directory only partial uploads count, and what is in the trash. */
function countsInOwn([name = '', ...below]: readonly string[]): boolean {
  if (name === String(TRASH_NAME)) return below.length > 0;
  return name !== '' && below.length === 0 && !isOwnName(Buffer.from(name));
}
