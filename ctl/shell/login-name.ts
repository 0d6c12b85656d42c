/**
 * The name to log in with, asked as the classic client does, with the one that would be taken otherwise as the answer of Return.
 */
import { Failure } from '../../protocol/failure.js';
import { userName } from '../../protocol/ids.js';
import { readClientConfig } from '../../client/config.js';
import { clientFiles } from '../../client/files.js';
import { resolveEndpoint, type Target } from '../../client/target.js';
import { openTerminal } from '../../client/terminal.js';

const TRIES = 3;

/** The target with a user; as it is where it has one, or nobody can be asked. Throws USAGE after three wrong names. */
export async function withLoginName(target: Target): Promise<Target> {
  if (target.user !== undefined) return target;
  const terminal = openTerminal();
  if (terminal === undefined) return target;
  try {
    const usual = usualName(target);
    const question = `Name (${target.host}${usual === undefined ? '' : `:${usual}`}): `;
    for (let tries = 1; ; tries++) {
      const name = (await terminal.ask(question)).trim() || usual;
      try {
        return { ...target, user: userName(name ?? '') };
      } catch (error) {
        const failure = Failure.from(error);
        if (tries === TRIES) throw new Failure('USAGE', failure.message, { cause: error });
        terminal.tell(failure.message);
      }
    }
  } finally {
    terminal.close();
  }
}

function usualName(target: Target): string | undefined {
  try {
    return resolveEndpoint(target, readClientConfig(clientFiles().config).hosts, undefined).user;
  } catch (error) {
    // The name of the person here is none there.
    if (Failure.from(error).kind === 'USAGE') return undefined;
    throw error;
  }
}
