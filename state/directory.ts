/*
 * The state directory: where it is, what its files are called, and that it is private (0700). Everything the server
 * keeps except the homes is in here; the daemon and ftpctl find each other through it.
 */
import { accessSync, constants, existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { Failure } from '../protocol/failure.js';
import { errnoText } from '../program/report.js';

/** The files of a state directory. */
export interface StatePaths {
  readonly directory: string;
  /** The lmdb environment: accounts, ledger, uploads, digests. */
  readonly database: string;
  /** Held by the one daemon of this directory. */
  readonly lock: string;
  /** Unix socket of the running daemon. */
  readonly control: string;
  /** The same, of the web page for who needs no password. */
  readonly web: string;
  /** The daemon's static X25519 key. */
  readonly serverKey: string;
  /** What is known of failed logins. */
  readonly throttle: string;
  readonly managerLog: string;
  readonly userLog: string;
}

/** A log that was moved aside (daemon/log-rotation.ts); 1 is the newest. */
export function formerLog(path: string, number: number): string {
  return `${path}.${number}`;
}

export function statePaths(directory: string): StatePaths {
  return {
    directory,
    database: join(directory, 'state.lmdb'),
    lock: join(directory, 'daemon.lock'),
    control: join(directory, 'control.sock'),
    web: join(directory, 'web.sock'),
    serverKey: join(directory, 'server.key'),
    throttle: join(directory, 'throttle.json'),
    managerLog: join(directory, 'manager.log'),
    userLog: join(directory, 'user.log'),
  };
}

/** Which daemon holds a lock (its path or descriptor), as ` (process N)` for people; empty where it has not said so. */
export function holderText(lock: string | number): string {
  try {
    const holder = readFileSync(lock, 'utf8').trim();
    return /^\d+$/.test(holder) ? ` (process ${holder})` : '';
  } catch {
    return '';
  }
}

/** The state of root, and of the package. */
export const SYSTEM_STATE = '/var/lib/ftpmount';

/** $FTPMOUNT_STATE, else /var/lib/ftpmount for root, else $XDG_STATE_HOME/ftpmount (~/.local/state/ftpmount). */
export function defaultStateDirectory(environment: NodeJS.ProcessEnv = process.env): string {
  const named = environment['FTPMOUNT_STATE'];
  if (named !== undefined && named !== '') return named;
  return process.geteuid?.() === 0 ? SYSTEM_STATE : userStateDirectory(environment);
}

/** STATE/homes; where the state is a user's own by default $XDG_DATA_HOME/ftpmount/homes (~/.local/share/ftpmount/homes). */
export function defaultHomes(stateDirectory: string, environment: NodeJS.ProcessEnv = process.env): string {
  return stateDirectory === userStateDirectory(environment)
    ? join(baseDirectory(environment['XDG_DATA_HOME'], '.local/share'), 'ftpmount', 'homes')
    : join(stateDirectory, 'homes');
}

function userStateDirectory(environment: NodeJS.ProcessEnv): string {
  return join(baseDirectory(environment['XDG_STATE_HOME'], '.local/state'), 'ftpmount');
}

/** The XDG base directory specification: relative paths are to be ignored. */
function baseDirectory(named: string | undefined, otherwise: string): string {
  return named?.startsWith('/') === true ? named : join(homedir(), otherwise);
}

/**
 * Makes a directory (0700, parents too) where it is missing and checks that it is one and can be written.
 * `what` names it in the failure: 'state directory'.
 */
export function preparePrivateDirectory(directory: string, what: string): void {
  try {
    makeDirectories(directory);
    if (!statSync(directory).isDirectory()) throw new Failure('ENOTDIR', 'it is not a directory');
    accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    const { kind, code } = Failure.from(error);
    const exists = kind === 'EEXIST' || kind === 'ENOTDIR';
    const reason = exists ? 'a part of the path is not a directory' : errnoText(code);
    const owner = `uid ${process.geteuid?.() ?? 0}`;
    throw new Failure(
      exists ? 'ENOTDIR' : kind,
      `${what} ${directory} cannot be used (${reason}): name another, or make it writable for ${owner}`,
      { cause: error },
    );
  }
}

/** mkdir -p. node's own turns for ever where the system says ENOENT and the parent is there, as in /proc. */
function makeDirectories(directory: string): void {
  if (existsSync(directory)) return;
  makeDirectories(dirname(directory));
  mkdirSync(directory, { mode: 0o700 });
}
