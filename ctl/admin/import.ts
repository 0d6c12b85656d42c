/**
 * `ftpctl import passwd|sftpgo FILE`: makes users of those of a system, or of a dump of SFTPGo, all or none, with what they can bring
 * along (foreign-users.ts). `ftpctl import ftpmount FILE`: makes what `ftpctl export` wrote (inventory.ts).
 */
import { writeOut } from '../output/stdout.js';
import { addInventory, addRecords } from './add-records.js';
import { FORMATS, type ForeignFormat } from './foreign-users.js';
import { readInventory } from './inventory.js';
import type { StateOptions } from './state-option.js';
import { readUserFile } from './user-file.js';
import { recordsOf } from './user-records.js';

/** What is imported. */
export type Format = 'ftpmount' | ForeignFormat;

export interface ImportOptions extends StateOptions {
  /** Bytes; 0: no limit. Of who has none in the file. */
  readonly quota?: number;
  /** The homes may be there already. */
  readonly adopt?: boolean;
}

/** Returns the exit code. */
export async function importUsers(format: Format, file: string, options: ImportOptions): Promise<number> {
  const { quota, adopt = false } = options;
  const given = {
    ...(quota === undefined ? {} : { quotaBytes: quota }),
    posixOwners: false,
    expiresAt: null,
    adopt,
  };
  if (format === 'ftpmount') {
    const text = readUserFile(file);
    return addInventory(file, (defaults) => readInventory(text, defaults, adopt), given, options);
  }
  const read = recordsOf(FORMATS[format](readUserFile(file)));
  const exitCode = await addRecords(file, read, given, options);
  const without = read.records.filter(({ record }) => record.passwordHash === undefined).length;
  if (without > 0) await writeOut(`without a password: ${without} (ftpctl passwd, or ftpctl key add)\n`);
  return exitCode;
}
