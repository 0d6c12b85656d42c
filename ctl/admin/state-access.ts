/**
 * How the administration commands reach the server's state: the same lmdb environment that the daemon uses, so they work
 * with the daemon running or stopped; a running one is told, so that it acts at once.
 *
 * Order of every change: the transaction, the audit trail, the daemon. A change that could not be recorded or that the
 * daemon could not be told is still made, and the person learns both.
 */
import { resolve } from 'node:path';
import { Failure } from '../../protocol/failure.js';
import { errnoText } from '../../protocol/login/report.js';
import { userName, type UserName } from '../../protocol/ids.js';
import { recordAccountChange, type AccountChange } from '../../state/audit.js';
import { askDaemon, type ControlAnswers, type ControlRequest } from '../../state/control.js';
import { defaultStateDirectory, statePaths } from '../../state/directory.js';
import { openState, type State } from '../../state/store.js';
import type { StateOptions } from './state-option.js';

export function stateDirectory(options: StateOptions): string {
  return resolve(options.state ?? defaultStateDirectory());
}

/** Asks the daemon of this state. Throws ENOENT where none runs. */
export async function requireDaemon<R extends ControlRequest>(
  options: StateOptions,
  request: R,
): Promise<ControlAnswers[R['type']]> {
  const directory = stateDirectory(options);
  const answer = await askDaemon(directory, request);
  if (answer !== undefined) return answer;
  throw new Failure(
    'ENOENT',
    `no daemon runs on ${directory}: start ftpmountd, or name its directory by --state`,
  );
}

/** A user name of the command line. Throws USAGE. */
export function userArgument(text: string): UserName {
  try {
    return userName(text);
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
  // Also a change opens read-only first: a mistyped --state must not make a new directory.
  if (access === 'change') await openState(directory, { readOnly: true }).close();
  const state = openState(directory, { readOnly: access === 'read' });
  try {
    return await use(state);
  } finally {
    await state.close();
  }
}

/** Writes the change into the audit trail and tells the daemon, if one runs. Returns its answer. */
export async function announce<R extends ControlRequest>(
  options: StateOptions,
  change: AccountChange,
  request: R,
): Promise<ControlAnswers[R['type']] | undefined> {
  const directory = stateDirectory(options);
  const audited = attempt(() => recordAccountChange(directory, change));
  let answer: ControlAnswers[R['type']] | undefined;
  try {
    answer = await askDaemon(directory, request);
  } catch (error) {
    const { kind, message } = Failure.from(error);
    throw new Failure(
      kind,
      `the change is made, but the running daemon did not take it up (${message}): restart it`,
      { cause: error },
    );
  }
  if (audited !== undefined) {
    const { managerLog } = statePaths(directory);
    const reason = errnoText(audited.code);
    throw new Failure(audited.kind, `the change is made, but not in ${managerLog} (${reason})`, {
      cause: audited,
    });
  }
  return answer;
}

function attempt(action: () => void): Failure | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    return Failure.from(error);
  }
}
