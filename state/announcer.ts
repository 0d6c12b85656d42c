/*
 * What comes behind each change that an administrator makes: the audit trail, then the daemon. A change that could not be recorded,
 * or that the daemon could not be told, is still made, and the person learns both.
 */
import { Failure } from '../protocol/failure.js';
import type { HomeName } from '../protocol/ids.js';
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

export class Announcer {
  readonly #options: AnnouncerOptions;

  constructor(options: AnnouncerOptions) {
    this.#options = options;
  }

  /** Writes what was changed at once into the audit trail and tells the daemon, if one runs. Returns its answer. */
  async announce<R extends ControlRequest>(
    changes: AccountChange | readonly AccountChange[],
    request: R,
  ): Promise<ControlAnswers[R['type']] | undefined> {
    const unrecorded = attempt(() => this.record(changes));
    const answer = await this.#tell(request);
    if (unrecorded !== undefined) throw unrecorded;
    return answer;
  }

  async #tell<R extends ControlRequest>(request: R): Promise<ControlAnswers[R['type']] | undefined> {
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

  /** Before homes are made: has the daemon close what is open of earlier ones of the names, of which it was not told that they are gone. */
  async endEarlier(homes: readonly HomeName[]): Promise<void> {
    if (homes.length === 0) return;
    try {
      await this.#options.ask({ type: 'homesRemoved', names: homes });
    } catch (error) {
      const { kind, message } = Failure.from(error);
      const [first = '', another] = homes;
      const which = another === undefined ? `an earlier ${first}` : 'earlier homes of these names';
      const text = `nothing is made: the running daemon may serve ${which} still (${message}): restart it`;
      throw new Failure(kind, text, { cause: error });
    }
  }

  /** Throws where the audit trail does not take it. */
  record(changes: AccountChange | readonly AccountChange[]): void {
    const { paths, by } = this.#options;
    try {
      recordAccountChanges(paths, by, [changes].flat());
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
