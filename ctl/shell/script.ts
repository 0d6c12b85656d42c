/**
 * Lines of a script: a file, or a standard input that is no terminal. They are carried out as they come, up to the first that
 * fails, whose exit code is that of the script.
 */
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { Failure } from '../../protocol/failure.js';
import { EXIT_OK } from '../../program/exit-codes.js';
import { printable } from '../../program/report.js';
import { PROGRAM } from '../program.js';

export interface Script {
  /** For messages. */
  readonly name: string;
  readonly input: Readable;
}

/** Opens the script; `-` and undefined are standard input. */
export async function openScript(path: string | undefined): Promise<Script> {
  if (path === undefined || path === '-') return { name: 'standard input', input: process.stdin };
  const input = createReadStream(path);
  try {
    await once(input, 'open');
  } catch (error) {
    throw Failure.from(error);
  }
  return { name: path, input };
}

/** Carries the lines out. `execute` returns the exit code of a line, and undefined where no more is to be read. */
export async function runScript(
  { name, input }: Script,
  execute: (line: string) => Promise<number | undefined>,
): Promise<number> {
  let number = 0;
  for await (const line of createInterface({ input, crlfDelay: Infinity })) {
    number += 1;
    const code = await execute(line);
    if (code === undefined) return EXIT_OK;
    if (code === EXIT_OK) continue;
    process.stderr.write(
      `${PROGRAM}: stopped at line ${number} of ${printable(name)}: ${printable(line.trim())}\n`,
    );
    return code;
  }
  return EXIT_OK;
}
