/**
 * How a program tells that something failed: one line on standard error, `program: what happened: what to do`, and an
 * exit code. Never a stack trace, also for what nobody expected.
 *
 * Texts may come from a hostile server or hold names of files, so nothing in them reaches the terminal as a control.
 */
import { getSystemErrorMap } from 'node:util';
import { Failure, type FailureKind } from '../protocol/failure.js';
import { EXIT_BROKEN_PIPE, exitCodeOf } from './exit-codes.js';

/** What to do, where the failure itself says only what happened. */
const ADVICE: Partial<Record<FailureKind, string>> = {
  EDQUOT: 'remove something or ask for a larger quota (`ftpctl df` shows it)',
  ENOSPC: 'make room on the disk and try again',
};

/** One line about anything that was thrown, without the program's name. */
export function describe(thrown: unknown): string {
  const failure = Failure.from(thrown);
  const message = printable(failure.kind === 'EIO' ? describeUnexpected(failure) : describeExpected(failure));
  const advice = ADVICE[failure.kind];
  return advice === undefined ? message : `${message}: ${advice}`;
}

/** Writes the line and returns the exit code of the failure. */
export function report(program: string, thrown: unknown): number {
  process.stderr.write(`${program}: ${describe(thrown)}\n`);
  return exitCodeOf(Failure.from(thrown));
}

/** Plain words of an errno name; the name itself where the system has none. */
export function errnoText(code: string): string {
  for (const [name, text] of getSystemErrorMap().values()) if (name === code) return text;
  return code;
}

/** Text with every control character shown as an escape, so that it stays one line and commands no terminal. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0;
    if (character === '\n') return '\\n';
    return code < 0x100
      ? `\\x${code.toString(16).padStart(2, '0')}`
      : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

/**
 * Runs a program: its result is the exit code, what it throws is reported. Also what is thrown outside of it (a bug)
 * becomes one line and the exit code of a failure. A reader of standard output that went away (`| head`) ends it quietly.
 */
export async function runProgram(program: string, main: () => Promise<number>): Promise<void> {
  const unexpected = (thrown: unknown): void => {
    process.exit(report(program, thrown) || 1);
  };
  process.on('uncaughtException', unexpected);
  process.on('unhandledRejection', unexpected);
  process.stdout.on('error', (error) => {
    process.exit(Failure.from(error).kind === 'EPIPE' ? EXIT_BROKEN_PIPE : report(program, error));
  });
  try {
    process.exitCode = await main();
  } catch (error) {
    process.exitCode = report(program, error);
  }
}

/**
 * node's system errors carry `CODE: text, call 'path'`, and those of the server's calls `call: CODE`; people want
 * `path: text`.
 */
function describeExpected(failure: Failure): string {
  const { cause } = failure;
  if (/^(?:\w+: )?[A-Z0-9]+$/.test(failure.message) && failure.message.endsWith(failure.kind)) {
    return errnoText(failure.kind);
  }
  if (cause instanceof Error && 'syscall' in cause && failure.message === cause.message) {
    const path = 'path' in cause && cause.path !== undefined ? `${String(cause.path)}: ` : '';
    return `${path}${errnoText(failure.code)}`;
  }
  return failure.message;
}

function describeUnexpected(failure: Failure): string {
  const { cause } = failure;
  if (failure.message !== 'internal error') return describeExpected(failure);
  // Of a peer: what was thrown here has a cause.
  if (!Object.hasOwn(failure, 'cause')) return 'the server had an internal error: its log says more';
  const reason = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
  return `internal error (${reason}): please report it`;
}
