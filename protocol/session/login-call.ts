/*
 * The call that begins a session, as a client makes it and reads its answer; see protocol.md, Login.
 */
import type { Attributes } from '../attributes.js';
import type { DiskLimits } from '../disk-limits.js';
import type { LeaseMode, Result } from '../methods.js';
import type { Share } from '../shares.js';

/** The parameters of `login`. */
export interface LoginRequest {
  readonly user: string;
  /** null: the static key is to be enough. */
  readonly password: string | null;
  /** 16 random bytes that name this client for as long as it lives, over all its connections. */
  readonly clientId: Buffer;
  /** The highest mode in which the client wants units of the home leased to it. */
  readonly leaseWanted: LeaseMode;
  /** Name and version, for logs. */
  readonly program: string;
  /** The share whose home the session is to be of; undefined: the user's own home. */
  readonly share?: string | undefined;
}

/** The result of `login`. */
export interface LoginResult {
  readonly serverVersion: string;
  /** 8 bytes, another one after each start of the server. */
  readonly bootVerifier: Buffer;
  /** The server knows this client id: its handles and held files are still there. */
  readonly resumed: boolean;
  readonly root: Attributes;
  /** The last operation of the client's log that was carried out. */
  readonly applied: number;
  /** The leases that the client had are still its own. */
  readonly leased: boolean;
  /** What is left of the client's log is taken: nobody else can have changed what it is about. */
  readonly covered: boolean;
  /** For how long leases are good without a word of the other side. */
  readonly termMs: number;
  /** What the home's disk can keep. */
  readonly disk: DiskLimits;
  /** Files that the clients of the home may have open. */
  readonly maxOpenFiles: number;
  /** Those of the user, by name, as the server said last; of a session of a share: that one. */
  readonly shares: readonly Share[];
}

export function loginParams(request: LoginRequest): unknown[] {
  const { user, password, clientId, leaseWanted, program, share } = request;
  return [user, password, clientId, leaseWanted, program, share ?? null];
}

/** Of what was received, which is gone afterwards. */
export function loginResult(result: Result<'login'>): LoginResult {
  const [serverVersion, verifier, resumed, root, applied, leased, covered, ...limits] = result;
  const [termMs, disk, maxOpenFiles, shares] = limits;
  return {
    ...{ serverVersion, bootVerifier: Buffer.from(verifier), resumed, root, applied },
    ...{ leased, covered, termMs, disk, maxOpenFiles, shares },
  };
}
