/**
 * What a process says to a master first, and the answer, each in a frame as the handshake of the wire has them:
 *
 *   join      ready: the session lives; from then on there are records, not encrypted, both ways
 *   describe  a Description as JSON
 *   end       an empty frame: the master has stopped to listen, and ends when the commands have that use it
 *
 * Until `ready` is there nothing was asked of the server: whatever fails before it is no failure of the command, which then logs
 * in by itself.
 */
import { once } from 'node:events';
import { dirname } from 'node:path';
import { openSocket } from '../../protocol/transport/byte-source.js';
import { Client } from '../../protocol/session/client.js';
import { Failure } from '../../protocol/failure.js';
import type { ShareName } from '../../protocol/ids.js';
import { HandshakeStream } from '../../protocol/transport/handshake-stream.js';
import { isPrivate } from '../../client/private-directory.js';
import { noKeys, plainRecords } from './plain-records.js';

export type Greeting = 'join' | 'describe' | 'end';

const GREETINGS: readonly Greeting[] = ['join', 'describe', 'end'];
const READY = 'ready';

/** How long a master may take to answer (milliseconds): it may have to ask the server first. */
const ANSWER_MS = 5_000;

/** What a master says of itself. */
export interface Description {
  /** USER@HOST:PORT */
  readonly account: string;
  /** The fingerprint of the server's key. */
  readonly server: string;
  /** The share whose home the session is of; missing: the user's own. */
  readonly share?: ShareName | undefined;
  readonly pid: number;
  /** Commands that use it now. */
  readonly commands: number;
  /** Seconds after which it ends without one. */
  readonly idleLimit: number;
}

/**
 * A client on the session of the master that listens at `path`; undefined where there is none that can be used, or `signal` gives
 * up.
 */
export async function joinMaster(path: string, signal: AbortSignal): Promise<Client | undefined> {
  try {
    const { socket, stream, answer } = await greet(path, 'join', signal);
    if (answer !== READY) throw new Failure('PROTOCOL', 'no master');
    return Client.over({ socket, keys: noKeys(), leftover: stream.release() }, { aead: plainRecords });
  } catch {
    return undefined;
  }
}

/** Throws where there is none: ECONNREFUSED, ENOENT. */
export async function describeMaster(path: string): Promise<Description> {
  const { stream, answer } = await greet(path, 'describe');
  stream.destroy();
  // Of the same user, and of the same version.
  return JSON.parse(answer) as Description;
}

/** Resolves when it takes no more commands. Throws where there is none: ECONNREFUSED, ENOENT. */
export async function endMaster(path: string): Promise<void> {
  const { stream } = await greet(path, 'end');
  stream.destroy();
}

/** Resolves when one that no command uses is gone. Throws where there is none: ECONNREFUSED, ENOENT. */
export async function endIdleMaster(path: string): Promise<void> {
  const { socket, stream } = await greet(path, 'end');
  stream.setDeadline(ANSWER_MS);
  const closed = once(socket, 'close');
  await stream.readMessage().catch(() => undefined);
  stream.destroy();
  await closed;
}

/** Reads a greeting. Throws PROTOCOL. */
export async function readGreeting(stream: HandshakeStream): Promise<Greeting> {
  stream.setDeadline(ANSWER_MS);
  const text = (await stream.readMessage()).toString();
  stream.setDeadline(undefined);
  const greeting = GREETINGS.find((one) => one === text);
  if (greeting === undefined) throw new Failure('PROTOCOL', 'that is no greeting');
  return greeting;
}

export function sayReady(stream: HandshakeStream): void {
  stream.writeMessage(Buffer.from(READY));
}

async function greet(path: string, greeting: Greeting, signal?: AbortSignal) {
  // Whose socket it is has to be known before anything is believed that comes from it.
  if (!isPrivate(dirname(path))) throw new Failure('EACCES', `${dirname(path)} is not private`);
  const socket = openSocket();
  socket.connect({ path });
  const stream = new HandshakeStream(socket);
  const giveUp = (): void => stream.destroy();
  signal?.addEventListener('abort', giveUp);
  try {
    stream.setDeadline(ANSWER_MS);
    stream.writeMessage(Buffer.from(greeting));
    const answer = (await stream.readMessage()).toString();
    stream.setDeadline(undefined);
    return { socket, stream, answer };
  } catch (error) {
    stream.destroy();
    throw error;
  } finally {
    signal?.removeEventListener('abort', giveUp);
  }
}
