/**
 * Makes the users of a file (user-records.ts), all or none: what is wrong is told line by line, before anything is changed.
 */
import { Failure } from '../../protocol/failure.js';
import { printable } from '../../protocol/login/report.js';
import { MISSING_QUOTA, newUserOf, type RecordDefaults } from '../../state/user-record.js';
import { writeOut } from '../output/stdout.js';
import { PROGRAM } from '../program.js';
import { administer } from './state-access.js';
import type { StateOptions } from './state-option.js';
import type { Mistake, ReadRecords } from './user-records.js';

/** Mistakes that are told; the others are counted. */
const MAX_TOLD = 50;

/** `file`: its name, for mistakes. Returns the exit code. */
export async function addRecords(
  file: string,
  { records, mistakes }: ReadRecords,
  given: Partial<RecordDefaults>,
  options: StateOptions,
): Promise<number> {
  await administer(options, 'make', async (administration, state) => {
    const defaults = { ...state.userDefaults, ...given };
    const found = [...mistakes];
    const users = records.map(({ line, record }) => {
      if ((record.quota ?? defaults.quotaBytes) === undefined) found.push({ line, message: MISSING_QUOTA });
      return newUserOf(record, { quotaBytes: 0, ...defaults });
    });
    for (const [index, { message }] of await administration.refusals(users)) {
      found.push({ line: records[index]?.line ?? 0, message });
    }
    if (found.length > 0) throw refused(file, found);
    await administration.addUsers(users);
  });
  await writeOut(`users added: ${records.length}\n`);
  return 0;
}

/** Tells the mistakes, one a line. */
function refused(file: string, mistakes: readonly Mistake[]): Failure {
  const sorted = mistakes.toSorted((a, b) => a.line - b.line);
  for (const { line, message } of sorted.slice(0, MAX_TOLD)) {
    process.stderr.write(`${PROGRAM}: ${printable(`${file}:${line}: ${message}`)}\n`);
  }
  return new Failure('EINVAL', `mistakes in ${file}: ${mistakes.length}; nothing is changed`);
}
