/* What a program of this project may say when it cannot do what it was asked for. */
import type { RunResult } from './run.js';

/**
 * The text behind `PROGRAM: ` of a failure that is told as it has to be: one line on standard error and no trace of
 * the stack. Throws with the whole output otherwise.
 */
export function problemOf(result: RunResult, program: string): string {
  const lines = result.stderr.split('\n').filter((line) => line !== '');
  const [line = ''] = lines;
  if (lines.length !== 1 || !line.startsWith(`${program}: `))
    throw new Error(`not one line of ${program}: ${JSON.stringify(result.stderr)}`);
  return line.slice(program.length + 2);
}
