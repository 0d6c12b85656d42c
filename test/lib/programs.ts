/* Where the three programs of this build are, and how a test calls them. */
import { fileURLToPath } from 'node:url';
import { run, type RunOptions, type RunResult } from './run.js';

const main = (part: string): string => fileURLToPath(new URL(`../../${part}/main.js`, import.meta.url));

/** The compiled entry points, to be run by `process.execPath`. */
export const programs = {
  ftpmountd: main('daemon'),
  ftpmount: main('mount'),
  ftpctl: main('ctl'),
} as const;

export type ProgramName = keyof typeof programs;

/** Runs one of the programs to its end. */
export function runProgram(
  name: ProgramName,
  args: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  return run(process.execPath, [programs[name], ...args], options);
}
