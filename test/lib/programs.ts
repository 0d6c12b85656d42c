/* Where the three programs of this build are, and how a test calls them. */
import { fileURLToPath } from 'node:url';
import { programFile } from '../../program/location.js';
import { run, type RunOptions, type RunResult } from './run.js';

/** To be run by `process.execPath`. */
export const programs = {
  ftpmountd: fileURLToPath(programFile('ftpmountd')),
  ftpmount: fileURLToPath(programFile('ftpmount')),
  ftpctl: fileURLToPath(programFile('ftpctl')),
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
