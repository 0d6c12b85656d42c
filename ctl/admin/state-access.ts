/**
 * How the administration commands reach the server's state: the same lmdb environment that the daemon uses, so they work
 * with the daemon running or stopped; a running one is told, so that it acts at once.
 *
 * Invariant: root works as who owns the state directory. What root made in there would be closed to a daemon that is not
 * root, and what that daemon's user put there would be followed by root.
 */
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Failure } from '../../protocol/failure.js';
import { homeName, userName, type HomeName, type UserName } from '../../protocol/ids.js';
import { Administration } from '../../state/administration.js';
import type { AskIfRunning } from '../../state/announcer.js';
import { personAtTerminal } from '../../state/audit.js';
import { askDaemon, type ControlAnswers, type ControlRequest } from '../../state/control.js';
import { defaultStateDirectory, statePaths } from '../../state/directory.js';
import { ShareAdministration } from '../../state/share-administration.js';
import { openState, type State } from '../../state/store.js';
import type { StateOptions } from './state-option.js';

export function stateDirectory(options: StateOptions): string {
  return resolve(options.state ?? defaultStateDirectory());
}

/** Asks the daemon of this state; undefined where none runs. */
export async function askIfRunning<R extends ControlRequest>(
  options: StateOptions,
  request: R,
): Promise<ControlAnswers[R['type']] | undefined> {
  try {
    return await askDaemon(stateDirectory(options), request);
  } catch (error) {
    const { kind, message } = Failure.from(error);
    if (kind !== 'ETIMEDOUT') throw error;
    throw new Failure(kind, `${message}: restart it, or let it go on where it was stopped`, { cause: error });
  }
}

/** Asks the daemon of this state. Throws ENOENT where none runs. */
export async function requireDaemon<R extends ControlRequest>(
  options: StateOptions,
  request: R,
): Promise<ControlAnswers[R['type']]> {
  const answer = await askIfRunning(options, request);
  if (answer !== undefined) return answer;
  throw new Failure(
    'ENOENT',
    `no daemon runs on ${stateDirectory(options)}: start ftpmountd, or name its directory by --state`,
  );
}

/** A user name of the command line. Throws USAGE. */
export function userArgument(text: string): UserName {
  return nameArgument(userName, text);
}

/** The name of a user's home, or `+` and that of a share. Throws USAGE. */
export function homeArgument(text: string): HomeName {
  return nameArgument(homeName, text);
}

/** What `parse` makes of a name of the command line. Throws USAGE. */
export function nameArgument<T>(parse: (text: string) => T, text: string): T {
  try {
    return parse(text);
  } catch (error) {
    throw new Failure('USAGE', Failure.from(error).message, { cause: error });
  }
}

/** Runs `use` on the opened state. `make` is for the command that may make a first account, before any daemon ran. */
export async function withState<T>(
  options: StateOptions,
  access: 'read' | 'change' | 'make',
  use: (state: State) => Promise<T>,
): Promise<T> {
  const directory = stateDirectory(options);
  actAsOwner(directory);
  // Also a change opens read-only first: a mistyped --state must not make a new directory.
  if (access === 'change') await openState(directory, { readOnly: true }).close();
  const state = openState(directory, { readOnly: access === 'read' });
  try {
    return await use(state);
  } finally {
    await state.close();
  }
}

/**
 * Runs `act`, which changes nothing, on an empty state where there is none: before one is made, for what is refused makes no
 * directory that was mistyped.
 */
export async function tryOut(
  options: StateOptions,
  act: (accounts: Administration, shares: ShareAdministration, state: State) => Promise<unknown>,
): Promise<void> {
  if (existsSync(statePaths(stateDirectory(options)).database)) return;
  const scratch = mkdtempSync(join(tmpdir(), 'ftpmount-'));
  try {
    await administerAll({ state: scratch }, 'make', act);
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

function actAsOwner(directory: string): void {
  const owner = statSync(directory, { throwIfNoEntry: false });
  if (process.geteuid?.() !== 0 || owner === undefined || owner.uid === 0) return;
  process.setegid?.(owner.gid);
  process.seteuid?.(owner.uid);
}

/** Runs `act` with the means to change accounts. */
export function administer<T>(
  options: StateOptions,
  access: 'change' | 'make',
  act: (administration: Administration, state: State) => Promise<T>,
): Promise<T> {
  return administerAll(options, access, (accounts, _, state) => act(accounts, state));
}

/** Runs `act` with the means to change groups and shares. */
export function administerShares<T>(
  options: StateOptions,
  act: (administration: ShareAdministration, state: State) => Promise<T>,
): Promise<T> {
  return administerAll(options, 'change', (_, shares, state) => act(shares, state));
}

/** Runs `act` with the means to change all of these. */
export function administerAll<T>(
  options: StateOptions,
  access: 'change' | 'make',
  act: (accounts: Administration, shares: ShareAdministration, state: State) => Promise<T>,
): Promise<T> {
  const ask: AskIfRunning = (request) => askDaemon(stateDirectory(options), request);
  return withState(options, access, (state) => {
    const parts = { state, by: personAtTerminal(), ask };
    return act(new Administration(parts), new ShareAdministration(parts), state);
  });
}
