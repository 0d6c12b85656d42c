/**
 * What became of a command with several arguments: each failure is told when it happens, the others are still tried, and
 * the exit code is that of the first failure.
 */
import { Failure } from '../protocol/failure.js';
import { EXIT_OK, exitCodeOf } from '../program/exit-codes.js';
import { report } from '../program/report.js';
import { displayName } from './names.js';
import { PROGRAM } from './program.js';
import { isFatal } from './transfer/lanes.js';

export class Outcome {
  #exitCode = EXIT_OK;

  get exitCode(): number {
    return this.#exitCode;
  }

  /** Runs `action`, which is about `name`. What concerns all of the command is thrown on. */
  async guard(name: Buffer, action: () => Promise<unknown>): Promise<void> {
    try {
      await action();
    } catch (error) {
      if (isFatal(error)) throw error;
      this.fail(name, error);
    }
  }

  fail(name: Buffer, thrown: unknown): void {
    const failure = Failure.from(thrown);
    report(`${PROGRAM}: ${name.length === 0 ? 'the home' : displayName(name)}`, failure);
    if (this.#exitCode === EXIT_OK) this.#exitCode = exitCodeOf(failure);
  }
}
