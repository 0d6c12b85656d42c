/*
 * What comes behind each change that an administrator makes: the audit trail, then the daemon. A change that could not be recorded,
 * or that the daemon could not be told, is still made, and the person learns both.
 */
import { Failure } from '../protocol/failure.js';
import { errnoText } from '../program/report.js';
import { recordAccountChanges, type AccountChange } from './audit.js';
import type { ControlAnswers, ControlRequest } from './control.js';
import type { StatePaths } from './directory.js';

/** Asks the daemon of the state; undefined where none runs. */
export type AskIfRunning = <R extends ControlRequest>(
  request: R,
) => Promise<ControlAnswers[R['type']] | undefined>;

export interface AnnouncerOptions {
  readonly paths: StatePaths;
  /** Who makes the changes, for the audit trail. */
  readonly by: string;
  readonly ask: AskIfRunning;
}

/** What is recorded, and what the daemon is told. */
export interface Announced {
  readonly changes: readonly AccountChange[];
  readonly requests: readonly ControlRequest[];
}

export class Announcer {
  readonly #options: AnnouncerOptions;

  constructor(options: AnnouncerOptions) {
    this.#options = options;
  }

  /** Writes the change into the audit trail and tells the daemon, if one runs. Returns its answer. */
  async announce<R extends ControlRequest>(
    change: AccountChange,
    request: R,
  ): Promise<ControlAnswers[R['type']] | undefined> {
    const unrecorded = attempt(() => this.record(change));
    const answer = await this.tell(request);
    if (unrecorded !== undefined) throw unrecorded;
    return answer;
  }

  /** As announce(), of changes that were made at once: all are recorded before the daemon is told of any. Throws the first failure, last. */
  async announceAll({ changes, requests }: Announced): Promise<void> {
    let first = attempt(() => this.#record(changes));
    for (const request of requests) {
      try {
        await this.tell(request);
      } catch (error) {
        first ??= Failure.from(error);
      }
    }
    if (first !== undefined) throw first;
  }

  /** Tells the daemon, if one runs, of a change that is made. Returns its answer. */
  async tell<R extends ControlRequest>(request: R): Promise<ControlAnswers[R['type']] | undefined> {
    try {
      return await this.#options.ask(request);
    } catch (error) {
      const { kind, message } = Failure.from(error);
      throw new Failure(
        kind,
        `the change is made, but the running daemon did not take it up (${message}): restart it`,
        { cause: error },
      );
    }
  }

  /** Before a home is made: has the daemon close what is open of an earlier one of the name, of which it was not told that it is gone. */
  async endEarlier(
    what: 'account' | 'share',
    request: Extract<ControlRequest, { type: 'accountRemoved' | 'shareRemoved' }>,
  ): Promise<void> {
    try {
      await this.#options.ask(request);
    } catch (error) {
      const { kind, message } = Failure.from(error);
      const text = `no ${what} is made: the running daemon may serve an earlier ${request.name} still (${message}): restart it`;
      throw new Failure(kind, text, { cause: error });
    }
  }

  /** Throws where the audit trail does not take it. */
  record(change: AccountChange): void {
    this.#record([change]);
  }

  #record(changes: readonly AccountChange[]): void {
    const { paths, by } = this.#options;
    try {
      recordAccountChanges(paths, by, changes);
    } catch (cause) {
      const { kind, code } = Failure.from(cause);
      const text = `the change is made, but not in ${paths.managerLog} (${errnoText(code)})`;
      throw new Failure(kind, text, { cause });
    }
  }
}

function attempt(action: () => void): Failure | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    return Failure.from(error);
  }
}
