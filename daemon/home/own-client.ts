/*
 * A client of a user's in the daemon itself: what it does recalls leases, and is charged, as what any other does.
 */
import { randomBytes } from 'node:crypto';
import { Failure } from '../../protocol/failure.js';
import { splitPath, type RemotePath, type UserName } from '../../protocol/ids.js';
import { LEASE_NONE } from '../../protocol/methods.js';
import { MKDIR, RMDIR, type Operation } from '../../protocol/operations.js';
import type { FileRef } from '../../protocol/references.js';
import { Call } from './calls/call.js';
import { answer, type HomeMethod } from './dispatch.js';
import type { ClientSession, HomeClient } from './home-client.js';
import type { UserHome } from './user-home.js';

const DIRECTORY_MODE = 0o755;

export class OwnClient {
  readonly #home: UserHome;
  readonly #client: HomeClient;
  #last = 0;

  constructor(home: UserHome, user: UserName) {
    this.#home = home;
    const session: ClientSession = {
      user,
      isReadOnly: false,
      notify: () => undefined,
      drop: () => undefined,
      reconnect: () => undefined,
    };
    this.#client = home.attach(randomBytes(16), session, LEASE_NONE).client;
  }

  /** One that is there already is well. */
  async makeDirectory(path: RemotePath): Promise<void> {
    await this.#change({ kind: MKDIR, ...nameAt(path), time: null, mode: DIRECTORY_MODE, id: null }, [
      'EEXIST', // somebody else was faster
    ]);
  }

  async removeEmpty(path: RemotePath): Promise<void> {
    await this.#change({ kind: RMDIR, ...nameAt(path), time: null, id: null }, ['ENOTEMPTY', 'ENOENT']);
  }

  /** `params`: as the row of METHODS yields them. */
  async call(method: HomeMethod, params: readonly unknown[]): Promise<void> {
    const answered = answer(this.#home, this.#client, method, params, new Call());
    if (answered instanceof Promise) await answered;
  }

  end(): void {
    this.#home.logout(this.#client);
  }

  async #change(operation: Operation, allowed: readonly string[]): Promise<void> {
    this.#last += 1;
    try {
      await this.call('change', [this.#last, operation, null]);
    } catch (error) {
      if (!allowed.includes(Failure.from(error).kind)) throw error;
    }
  }
}

function nameAt(path: RemotePath): { directory: FileRef; name: Buffer } {
  const { parent, name } = splitPath(path);
  return { directory: { path: parent, ino: null }, name };
}
