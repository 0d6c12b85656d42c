/**
 * `ftpctl import passwd|sftpgo FILE`: makes users of those of a system, or of a dump of SFTPGo, all or none, with what they can bring
 * along (foreign-users.ts).
 */
import { Failure } from '../../protocol/failure.js';
import { writeOut } from '../output/stdout.js';
import { addRecords } from './add-records.js';
import { FORMATS } from './foreign-users.js';
import type { StateOptions } from './state-option.js';
import { readUserFile } from './user-file.js';
import { recordsOf } from './user-records.js';

export interface ImportOptions extends StateOptions {
  /** Bytes; 0: no limit. Of who has none in the file. */
  readonly quota?: number;
  /** The homes may be there already. */
  readonly adopt?: boolean;
}

/** Returns the exit code. */
export async function importUsers(format: string, file: string, options: ImportOptions): Promise<number> {
  const rowsOf = FORMATS.get(format);
  if (rowsOf === undefined) {
    throw new Failure('USAGE', `'${format}' is not known: import ${[...FORMATS.keys()].join(' or ')}`);
  }
  const read = recordsOf(rowsOf(readUserFile(file)));
  const { quota, adopt = false } = options;
  const given = {
    ...(quota === undefined ? {} : { quotaBytes: quota }),
    posixOwners: false,
    expiresAt: null,
    adopt,
  };
  const exitCode = await addRecords(file, read, given, options);
  const without = read.records.filter(({ record }) => record.passwordHash === undefined).length;
  if (without > 0) await writeOut(`without a password: ${without} (ftpctl passwd, or ftpctl key add)\n`);
  return exitCode;
}
