/* Accounts for tests, made in the state itself, and clients that log in by the protocol itself. */
import { randomBytes } from 'node:crypto';
import sodium, { ready } from 'libsodium-wrappers-sumo';
import { chooseAead } from '../../protocol/transport/aead.js';
import { Client, type NotificationHandlers } from '../../protocol/session/client.js';
import { userName } from '../../protocol/ids.js';
import { LEASE_NONE, type LeaseMode } from '../../protocol/methods.js';
import { generateKeyPair, type KeyPair } from '../../protocol/transport/x25519.js';
import { loadEvp } from '../../posix/libcrypto.js';
import type { Account } from '../../state/accounts.js';
import { openState } from '../../state/store.js';
import type { Scope } from './scope.js';

/** Makes users with a password in a state directory, whether or not a daemon runs on it. */
export async function makeAccounts(
  stateDirectory: string,
  password: string,
  names: readonly string[],
  changes: Partial<Account> = {},
): Promise<void> {
  const passwordHash = await cheapHash(password);
  const state = openState(stateDirectory);
  for (const name of names) {
    state.accounts.create({
      name: userName(name),
      quotaBytes: 2 ** 30,
      maxFiles: 0,
      passwordHash,
      keys: [],
      createdAt: Date.now(),
      disabled: false,
      expiresAt: null,
      ...changes,
    });
  }
  await state.close();
}

/** As the product's, but with the least passes and memory that libsodium takes: that it costs is not what is tested here. */
async function cheapHash(password: string): Promise<string> {
  await ready;
  const { crypto_pwhash_OPSLIMIT_MIN: passes, crypto_pwhash_MEMLIMIT_MIN: memory } = sodium;
  return sodium.crypto_pwhash_str(password, passes, memory);
}

/** Changes an account as another program would; the daemon is not told. */
export async function changeAccount(
  stateDirectory: string,
  name: string,
  change: (account: Account) => Account,
): Promise<void> {
  const state = openState(stateDirectory);
  state.accounts.update(userName(name), change);
  await state.close();
}

export interface TestLogin {
  readonly port: number;
  readonly user: string;
  readonly password: string | null;
  readonly keyPair?: KeyPair;
  /** Default: none, as ftpctl. */
  readonly leaseWanted?: LeaseMode;
  readonly clientId?: Buffer;
  readonly program?: string;
  readonly share?: string;
  readonly notifications?: NotificationHandlers;
  readonly signal?: AbortSignal;
}

/** Connects to 127.0.0.1 and logs in; the connection ends with the scope. */
export async function logIn(scope: Scope, login: TestLogin): Promise<Client> {
  const { port, user, password, notifications, signal } = login;
  const client = await Client.connect({
    host: '127.0.0.1',
    port,
    aead: chooseAead(loadEvp()),
    staticKeyPair: login.keyPair ?? generateKeyPair(),
    verifyHost: () => Promise.resolve(),
    login: {
      user,
      password,
      clientId: login.clientId ?? randomBytes(16),
      leaseWanted: login.leaseWanted ?? LEASE_NONE,
      program: login.program ?? 'test',
      share: login.share,
    },
    ...(notifications === undefined ? {} : { notifications }),
    ...(signal === undefined ? {} : { signal }),
  });
  scope.teardown(() => client.close());
  return client;
}
