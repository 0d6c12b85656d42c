/**
 * Programs of this machine that are run from the prompt: with its terminal, until they end.
 */
import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { Failure } from '../../protocol/failure.js';
import type { Sink } from '../cat.js';
import type { Context } from './command.js';

/** As a shell counts a program that a signal ended. */
const BY_SIGNAL = 128;

/** A line for the person's shell; an empty one starts it. Returns the exit code. */
export function runLine(context: Context, line: string): Promise<number> {
  const shell = process.env['SHELL'] ?? '/bin/sh';
  return runProgram(context, shell, line === '' ? [] : ['-c', line]);
}

/** Runs a program. Returns the exit code. */
export async function runProgram(
  { isInteractive }: Context,
  program: string,
  args: readonly string[],
): Promise<number> {
  // A script's standard input is the script.
  return exitCode(
    start(program, args, [isInteractive ? 'inherit' : 'ignore', 'inherit', 'inherit']),
    program,
  );
}

/** Shows in $PAGER, or less, what `write` gives it; that the person has seen enough is no failure. Returns the exit code. */
export async function page(write: (sink: Sink) => Promise<number>): Promise<number> {
  const pager = process.env['PAGER'] ?? 'less';
  const child = start('/bin/sh', ['-c', pager], ['pipe', 'inherit', 'inherit']);
  const ended = exitCode(child, pager);
  const { stdin } = child;
  let isGone = false;
  const gone = new Promise<void>((resolve) => {
    const end = (): void => {
      isGone = true;
      resolve();
    };
    stdin?.on('error', end);
    child.once('close', end);
  });
  try {
    return await write(async (bytes) => {
      if (isGone) throw new Failure('ECANCELED', 'the pager has ended');
      if (stdin?.write(bytes) === false) await Promise.race([once(stdin, 'drain'), gone]);
    });
  } catch (error) {
    if (Failure.from(error).kind === 'ECANCELED') return 0;
    throw error;
  } finally {
    stdin?.end();
    await ended;
  }
}

function start(program: string, args: readonly string[], stdio: StdioOptions): ChildProcess {
  return spawn(program, args, { stdio });
}

function exitCode(child: ChildProcess, program: string): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', (error) => {
      reject(
        new Failure('ENOENT', `${program} cannot be run: ${Failure.from(error).code}`, { cause: error }),
      );
    });
    child.once('close', (code, signal) => {
      resolve(code ?? BY_SIGNAL + (signal === null ? 0 : constants.signals[signal]));
    });
  });
}
