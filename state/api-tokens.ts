/*
 * Tokens that open the API of the daemon (web/api/) to programs: each has a name, scopes, and maybe an end.
 *
 * Invariant: kept is a hash of the token, never the token. It is random and as long as a key, so that a plain hash is as good as a
 * slow one: there is nothing to guess.
 */
import { createHash, randomBytes } from 'node:crypto';
import type { Database } from 'lmdb';
import { Failure } from '../protocol/failure.js';
import type { Transactions } from './transaction.js';

/** What a token may be good for. */
export const SCOPES = [
  'status:read',
  'users:read',
  'users:write',
  'shares:read',
  'shares:write',
  'bans:read',
  'bans:write',
  'audit:read',
] as const;
export type Scope = (typeof SCOPES)[number];

export interface ApiToken {
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  /** The same; null: never. */
  readonly expiresAt: number | null;
}

export const MAX_TOKENS = 100;
/** Says in a file, or in a log by mistake, what it is. */
const PREFIX = 'ftpmount-';
const TOKEN_BYTES = 32;
const NAME = /^[A-Za-z0-9][\w.-]{0,63}$/;

export class ApiTokens {
  /** By the hash of the token. */
  readonly #table: Database<ApiToken, string>;
  readonly #transactions: Transactions;

  constructor(table: Database<ApiToken, string>, transactions: Transactions) {
    this.#table = table;
    this.#transactions = transactions;
  }

  /** By name; also those that have expired. */
  list(): ApiToken[] {
    this.#table.resetReadTxn(); // it may be another process that changed it, as in Accounts
    return Array.from(this.#table.getRange(), ({ value }) => value).toSorted((a, b) =>
      a.name < b.name ? -1 : 1,
    );
  }

  /** The one that a program shows, where it is in force. */
  find(token: string): ApiToken | undefined {
    this.#table.resetReadTxn();
    const found = this.#table.get(hashOf(token));
    return found === undefined || hasExpired(found) ? undefined : found;
  }

  /** Returns the token, which nobody can be told again. EINVAL, EEXIST, E2BIG. */
  add(made: ApiToken): string {
    const { name } = made;
    if (!NAME.test(name)) {
      throw new Failure('EINVAL', `'${name}' cannot name a token: write letters, digits, dots and hyphens`);
    }
    const token = `${PREFIX}${randomBytes(TOKEN_BYTES).toString('base64url')}`;
    this.#transactions.run(() => {
      const others = this.list();
      if (others.some((other) => other.name === name)) {
        throw new Failure('EEXIST', `there is a token ${name} already: remove it first`);
      }
      if (others.length >= MAX_TOKENS) {
        throw new Failure('E2BIG', `there are ${MAX_TOKENS} tokens: remove some`);
      }
      this.#table.putSync(hashOf(token), made);
    });
    return token;
  }

  /** ENOENT. */
  remove(name: string): void {
    this.#transactions.run(() => {
      const found = Array.from(this.#table.getRange()).find(({ value }) => value.name === name);
      if (found === undefined) {
        throw new Failure('ENOENT', `there is no token ${name}: ftpctl token list shows which there are`);
      }
      this.#table.removeSync(found.key);
    });
  }
}

/** Whether it opens nothing any more. */
export function hasExpired({ expiresAt }: ApiToken): boolean {
  return expiresAt !== null && expiresAt <= Date.now();
}

/** Throws USAGE. */
export function parseScope(text: string): Scope {
  const scope = SCOPES.find((one) => one === text);
  if (scope !== undefined) return scope;
  throw new Failure('USAGE', `'${text}' is no scope: there are ${SCOPES.join(', ')}`);
}

function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('base64url');
}
