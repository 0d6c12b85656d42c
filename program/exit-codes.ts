/**
 * The exit codes of ftpmount, ftpmountd and ftpctl: one table for the programs, their --help and the tests.
 */
import type { Failure, FailureKind } from '../protocol/failure.js';

export const EXIT_OK = 0;
export const EXIT_FAILURE = 1;
export const EXIT_USAGE = 2;
export const EXIT_CONNECTION = 3;
export const EXIT_HOST_KEY = 4;
export const EXIT_AUTHENTICATION = 5;
export const EXIT_SERVER_FULL = 6;
export const EXIT_NO_SPACE = 7;
/** Of --verify. */
export const EXIT_DIFFERENT = 8;
/** 128 + SIGINT, as a shell counts it. */
export const EXIT_INTERRUPTED = 130;
/** 128 + SIGPIPE. */
export const EXIT_BROKEN_PIPE = 141;

const CODES: Partial<Record<FailureKind, number>> = {
  USAGE: EXIT_USAGE,
  ECONNREFUSED: EXIT_CONNECTION,
  ECONNRESET: EXIT_CONNECTION,
  ECONNABORTED: EXIT_CONNECTION,
  EHOSTUNREACH: EXIT_CONNECTION,
  ENETUNREACH: EXIT_CONNECTION,
  ETIMEDOUT: EXIT_CONNECTION,
  ENOTCONN: EXIT_CONNECTION,
  ESHUTDOWN: EXIT_CONNECTION,
  EPROTO: EXIT_CONNECTION,
  PROTOCOL: EXIT_CONNECTION,
  HOSTKEY: EXIT_HOST_KEY,
  ENOKEY: EXIT_AUTHENTICATION,
  EKEYEXPIRED: EXIT_AUTHENTICATION,
  EKEYREJECTED: EXIT_AUTHENTICATION,
  EAGAIN: EXIT_AUTHENTICATION,
  EUSERS: EXIT_SERVER_FULL,
  EDQUOT: EXIT_NO_SPACE,
  ENOSPC: EXIT_NO_SPACE,
  ECANCELED: EXIT_INTERRUPTED,
};

export function exitCodeOf(failure: Failure): number {
  return CODES[failure.kind] ?? EXIT_FAILURE;
}

/** The part of --help that lists them. */
export const EXIT_CODES_HELP = `
Exit codes:
  0    all was done
  1    something failed
  2    wrong command line or configuration
  3    no connection, or it was lost
  4    the server's key is not the known one, or was not accepted
  5    wrong user or password, too many wrong ones of late, or an account that expired
  6    the server is full, or the user has too many sessions
  7    quota or disk full
  8    what was compared (--verify) differs, or is missing
  130  interrupted (Ctrl-C)
  141  the reader of the output went away`;
