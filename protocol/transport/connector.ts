/*
 * The client's side of the handshake: from a host and a port to an encrypted connection whose server was verified.
 *
 * Invariants: nothing secret is sent before `verifyHost` accepted the server's key; a failure closes the socket;
 * what fails says what to look at. The server gives a handshake HANDSHAKE_MS, and a person who compares
 * fingerprints takes longer: a connection lost meanwhile is made once more.
 */
import { isIPv6, type Socket } from 'node:net';
import type { SuiteName } from './aead.js';
import { openSocket } from './byte-source.js';
import type { CipherKeys } from './channel.js';
import { decodeServerVersion } from '../codec.js';
import { Failure } from '../failure.js';
import { HandshakeStream, LENGTH_BYTES } from './handshake-stream.js';
import { HANDSHAKE_MS, MAX_HANDSHAKE_MESSAGE } from '../limits.js';
import { HandshakeState } from './noise.js';
import type { KeyPair } from './x25519.js';
import { encodePreamble, explainRefusal, PREAMBLE_LENGTH, startsWithMagic } from './preamble.js';

export interface ConnectorOptions {
  readonly host: string;
  readonly port: number;
  readonly suite?: SuiteName;
  readonly staticKeyPair: KeyPair;
  /**
   * Decides about the server's static key (32 bytes), before anything secret is sent. Throws HOSTKEY to refuse. May
   * take its time, and is asked again if the server hung up meanwhile.
   */
  verifyHost(publicKey: Buffer): Promise<void>;
  /** For connecting and the handshake, without the time that verifyHost takes; in milliseconds. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface Connection {
  readonly socket: Socket;
  readonly keys: CipherKeys;
  readonly leftover: Buffer;
  readonly serverVersion: string;
}

/**
 * Connects and shakes hands; `firstRequest`, an encoded request, travels in the last handshake message. Throws
 * ECONNREFUSED, EHOSTUNREACH, ETIMEDOUT and their like, ECONNRESET (the server hung up), PROTOCOL (something else
 * answers there, or another version), HOSTKEY (verifyHost refused), ECANCELED (`signal`).
 */
export async function openConnection(options: ConnectorOptions, firstRequest: Buffer): Promise<Connection> {
  const connection = (await attempt(options, firstRequest)) ?? (await attempt(options, firstRequest));
  if (connection === undefined) {
    throw new Failure('ECONNRESET', `${addressOf(options)} hung up while its key was being verified`);
  }
  return connection;
}

/** One connection; undefined where the server hung up during verifyHost. */
async function attempt(options: ConnectorOptions, firstRequest: Buffer): Promise<Connection | undefined> {
  const { signal, timeoutMs = HANDSHAKE_MS, suite = 'AESGCM' } = options;
  const address = addressOf(options);
  const isAborted = (): boolean => signal?.aborted === true;
  if (isAborted()) throw new Failure('ECANCELED', 'connecting was cancelled');
  const deadline = performance.now() + timeoutMs;
  const socket = openSocket();
  const onAbort = (): void => {
    socket.destroy(new Failure('ECANCELED', 'connecting was cancelled'));
  };
  signal?.addEventListener('abort', onAbort);
  let stream: HandshakeStream | undefined;
  let handshake: HandshakeState | undefined;
  try {
    await connectSocket(socket, options, timeoutMs);
    stream = new HandshakeStream(socket);
    stream.setDeadline(deadline - performance.now());
    const preamble = encodePreamble(suite);
    handshake = new HandshakeState({
      suite,
      initiator: true,
      prologue: preamble,
      staticKeyPair: options.staticKeyPair,
    });
    stream.writeMessage(handshake.writeMessage(Buffer.alloc(0)), preamble);
    const serverVersion = await readServerHello(stream, handshake, address);
    // The second message of XX brings it.
    if (handshake.remoteStatic === undefined) throw new Failure('PROTOCOL', 'the server has no static key');
    stream.setDeadline(undefined);
    await options.verifyHost(handshake.remoteStatic);
    if (!isAborted() && stream.failure !== undefined) {
      handshake.wipe();
      stream.destroy();
      return undefined;
    }
    const last = handshake.writeMessage(firstRequest);
    if (last.length > MAX_HANDSHAKE_MESSAGE) throw new Failure('EINVAL', 'the login request is too long');
    const leftover = stream.release();
    stream.writeMessage(last);
    const { sendKey, receiveKey } = handshake.finish();
    const keys: CipherKeys = { suite, sendKey, sendCount: 0, receiveKey, receiveCount: 0 };
    return { socket, keys, leftover, serverVersion };
  } catch (thrown) {
    handshake?.wipe();
    stream?.destroy();
    socket.destroy();
    throw Failure.from(thrown);
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}

/** Reads the second message. What cannot be one, or a refusal, comes from something that is no ftpmount server. */
async function readServerHello(
  stream: HandshakeStream,
  handshake: HandshakeState,
  address: string,
): Promise<string> {
  let refusal: string;
  try {
    const prefix = await stream.read(LENGTH_BYTES);
    if (!startsWithMagic(prefix)) {
      return decodeServerVersion(handshake.readMessage(await stream.readMessage(prefix)));
    }
    const rest = await stream.read(PREAMBLE_LENGTH - LENGTH_BYTES);
    refusal = explainRefusal(Buffer.concat([prefix, rest]));
  } catch (cause) {
    const failure = Failure.from(cause);
    switch (failure.kind) {
      case 'PROTOCOL':
        throw new Failure('PROTOCOL', `${address} is not an ftpmount server: check host and port`, { cause });
      case 'ECONNRESET':
        throw new Failure(
          'ECONNRESET',
          `${address} closed the connection at once: it is no ftpmount server, or an old one, or takes no more connections`,
          { cause },
        );
      case 'ETIMEDOUT':
        throw new Failure('ETIMEDOUT', `${address} does not answer: check that an ftpmount server is there`, {
          cause,
        });
      default:
        throw failure;
    }
  }
  throw new Failure('PROTOCOL', `${address} ${refusal}`);
}

function connectSocket(socket: Socket, options: ConnectorOptions, timeoutMs: number): Promise<void> {
  const address = addressOf(options);
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      socket.destroy(new Failure('ETIMEDOUT', `connecting to ${address} took too long: is the host up?`));
    }, timeoutMs);
    const onError = (error: Error): void => {
      clearTimeout(timer);
      reject(connectFailure(error, options.host, address));
    };
    socket.once('error', onError);
    socket.connect({ host: options.host, port: options.port }, () => {
      clearTimeout(timer);
      socket.off('error', onError);
      resolve();
    });
  });
}

/** Tells a person which address failed how; node's messages name the system call. */
function connectFailure(error: Error, host: string, address: string): Failure {
  if (error instanceof Failure) return error;
  const code: unknown = 'code' in error ? error.code : undefined;
  const cause = error;
  switch (code) {
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new Failure('EHOSTUNREACH', `cannot find the host ${host}: check the name`, { cause });
    case 'ECONNREFUSED':
      return new Failure('ECONNREFUSED', `${address} refused the connection: is ftpmountd running there?`, {
        cause,
      });
    default:
      return new Failure(Failure.from(error).code, `cannot connect to ${address}: ${String(code)}`, {
        cause,
      });
  }
}

function addressOf({ host, port }: { host: string; port: number }): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}
