/* What the daemon gives to what it shows over HTTP. */
import type { Ask } from '../state/control.js';
import type { State } from '../state/store.js';

export interface WebOptions {
  /** `host` undefined: all addresses. */
  readonly listen: { readonly host: string | undefined; readonly port: number };
  /** By which browsers reach it, beside its addresses. */
  readonly name: string | undefined;
  readonly state: State;
  /** Absolute: the directory of the homes. */
  readonly homes: string;
  readonly ask: Ask;
  /** Whether it is the administrator's: EKEYREJECTED where it is not, EAGAIN where too many try. */
  readonly checkPassword: (password: string, address: string) => Promise<void>;
  readonly onError: (error: unknown, what: string) => void;
}
