/* What a way into the API is, for the tables of them (users.ts, bans.ts, status.ts), which api.ts serves and documents. */
import type { Administration } from '../../state/administration.js';
import type { Scope } from '../../state/api-tokens.js';
import type { ShareAdministration } from '../../state/share-administration.js';

/** A way into the API. `act` answers what the schema of `answer` has. */
export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Below /api/v1; `:name` stands for a part. */
  readonly path: string;
  readonly scope: Scope;
  readonly summary: string;
  readonly query?: object;
  readonly body?: object;
  /** Missing: there is nothing to tell (204). */
  readonly answer?: object;
  readonly made?: true;
  readonly act: (call: Call) => unknown;
}

export interface Call {
  /** In the name of the token. */
  readonly administration: Administration;
  /** The same, of groups and shares. */
  readonly shareAdministration: ShareAdministration;
  /** The parts of the path that have names. */
  readonly part: (name: string) => string;
  readonly query: Readonly<Record<string, string>>;
  /** As the schema has it. */
  readonly body: Readonly<Record<string, unknown>>;
}
