/**
 * How a session goes from the command that logged in to a process of its own, the master: the connection is inherited as a
 * descriptor, and its keys go through a pipe that nobody else can read. A password is not among what goes over, nor on any disk.
 *
 * Invariant: of the two processes one has the connection: the command has stopped to read and write when the other one is started.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { deserialize, serialize } from 'node:v8';
import { openSocket } from '../../protocol/transport/byte-source.js';
import type { ShareName } from '../../protocol/ids.js';
import type { Client, Detached } from '../../protocol/session/client.js';
import { programFile } from '../../program/location.js';

/** What a master is told besides. */
export interface MasterOptions {
  /** Path of the socket to listen at. */
  readonly place: string;
  /** USER@HOST:PORT */
  readonly account: string;
  /** See Description. */
  readonly server: string;
  /** The share whose home the session is of; undefined: the user's own. */
  readonly share: ShareName | undefined;
  /** Milliseconds without a command until it ends. */
  readonly idleMs: number;
  /** The number of the last change that was made over the session. */
  readonly lastChange: number;
}

type Message = MasterOptions & Omit<Detached, 'socket'>;

const MASTER = fileURLToPath(programFile('master-process'));
const STANDARD_INPUT = 0;
const CONNECTION = 3;

/**
 * Starts a master with the session of `client`, which is closed then. It has nothing else of this process: neither terminal nor
 * pipes nor the current directory, so that nobody waits for it. Throws EAGAIN where the client is not at rest.
 */
export async function handOver(client: Client, options: MasterOptions): Promise<void> {
  const { socket, ...connection } = client.detach();
  const message: Message = { ...options, ...connection };
  try {
    const master = spawn(process.execPath, [MASTER], {
      cwd: '/',
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore', socket],
    });
    master.unref();
    // One that does not come up is no failure of the command, which is done; the server sees the connection end.
    master.on('error', () => undefined);
    const { stdin } = master;
    if (stdin === null) return;
    stdin.end(serialize(message));
    await once(stdin, 'finish').catch(() => undefined);
    stdin.destroy();
  } finally {
    socket.destroy();
    connection.keys.sendKey.fill(0);
    connection.keys.receiveKey.fill(0);
  }
}

/** What handOver() gave to this process. */
export function takeOver(): { connection: Detached; options: MasterOptions } {
  // Written by the same version of this program.
  const { keys, leftover, ...options } = deserialize(readFileSync(STANDARD_INPUT)) as Message;
  return { connection: { socket: openSocket(CONNECTION), keys, leftover }, options };
}
