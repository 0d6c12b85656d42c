/** `ftpctl token add`, `list` and `remove`: what opens the API of the daemon to programs. */
import { hasExpired, parseScope } from '../../state/api-tokens.js';
import { formatEnd, formatTime, parseEnd } from '../../state/times.js';
import { writeOut } from '../output/stdout.js';
import { formatTable } from '../output/table.js';
import { administer, withState } from './state-access.js';
import type { StateOptions } from './state-option.js';

export interface AddTokenOptions extends StateOptions {
  /** See SCOPES; commas may stand between them, too. */
  readonly scope: readonly string[];
  /** See parseEnd(). */
  readonly expires: string;
}

/** Prints the token alone, for a script to keep. Returns the exit code. */
export async function addToken(name: string, options: AddTokenOptions): Promise<number> {
  const scopes = [...new Set(options.scope.flatMap((text) => text.split(',')).map(parseScope))];
  const expiresAt = parseEnd(options.expires);
  const token = await administer(options, 'make', async (administration) =>
    administration.addToken({ name, scopes, expiresAt }),
  );
  await writeOut(`${token}\n`);
  return 0;
}

/** Returns the exit code. */
export async function removeToken(name: string, options: StateOptions): Promise<number> {
  await administer(options, 'change', async (administration) => administration.removeToken(name));
  await writeOut(`token ${name} opens nothing any more\n`);
  return 0;
}

export interface ListTokensOptions extends StateOptions {
  readonly json?: boolean;
}

/** Returns the exit code. */
export async function listTokens(options: ListTokensOptions): Promise<number> {
  const tokens = await withState(options, 'read', async (state) => state.apiTokens.list());
  if (options.json === true) {
    for (const { name, scopes, createdAt, expiresAt } of tokens) {
      const expires = expiresAt === null ? null : new Date(expiresAt).toISOString();
      await writeOut(
        `${JSON.stringify({ name, scopes, createdAt: new Date(createdAt).toISOString(), expiresAt: expires })}\n`,
      );
    }
    return 0;
  }
  const rows = tokens.map((token) => [
    token.name,
    formatTime(token.createdAt),
    hasExpired(token) ? 'expired' : formatEnd(token.expiresAt),
    token.scopes.join(' '),
  ]);
  const lines = formatTable(
    [['Token', 'Since', 'Expires', 'Scopes'], ...rows],
    ['left', 'left', 'left', 'left'],
  );
  await writeOut(`${lines.join('\n')}\n`);
  return 0;
}
