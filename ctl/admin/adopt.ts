/** `ftpctl adopt DIR`: the homes of this state are in DIR from now on, after they were moved, or restored from a backup. */
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Failure } from '../../protocol/failure.js';
import { adoptHomes } from '../../state/homes-marker.js';
import { writeOut } from '../output/stdout.js';
import { withState } from './state-access.js';
import type { StateOptions } from './state-option.js';

/** Returns the exit code. */
export async function adopt(text: string, options: StateOptions): Promise<number> {
  const directory = resolve(text);
  if (!(await stat(directory)).isDirectory()) throw new Failure('ENOTDIR', `${directory} is not a directory`);
  await withState(options, 'change', async (state) => {
    adoptHomes(state, directory);
    state.ledger.doubtAll();
  });
  await writeOut(`the homes are in ${directory}: the daemon counts what they hold when it starts\n`);
  return 0;
}
