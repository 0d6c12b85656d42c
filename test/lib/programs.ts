/* Where the three programs of this build are, and how a test calls them. */
import { fileURLToPath } from 'node:url';
import { run, type RunOptions, type RunResult } from './run.js';

const entry = (file: string): string => fileURLToPath(new URL(`../../${file}`, import.meta.url));

/** The compiled entry points, to be run by `process.execPath`. */
export const programs = {
  ftpmountd: entry('daemon/ftpmountd.js'),
  ftpmount: entry('mount/ftpmount.js'),
  ftpctl: entry('ctl/ftpctl.js'),
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
