/*
 * The server's side of the handshake: from an accepted socket to keys, the client's static key, and its first request.
 * It decides nothing: whether that key and that request are welcome is the caller's affair.
 *
 * Invariant: a peer that is slow, silent or wrong costs one socket and a few KiB until the deadline, and its
 * socket is destroyed before the failure is reported.
 */
import type { Socket } from 'node:net';
import type { SuiteName } from './aead.js';
import type { CipherKeys } from './channel.js';
import { decodeMessage, encodeServerVersion, type RequestMessage } from '../codec.js';
import { Failure } from '../failure.js';
import { HandshakeStream } from './handshake-stream.js';
import { HANDSHAKE_MS } from '../limits.js';
import { HandshakeState } from './noise.js';
import type { KeyPair } from './x25519.js';
import { decodePreamble, encodeRefusal, PREAMBLE_LENGTH, startsWithMagic } from './preamble.js';

export interface AcceptOptions {
  readonly staticKeyPair: KeyPair;
  /** Told to the client in the second message, at most MAX_TEXT bytes. */
  readonly serverVersion: string;
  /** For the whole handshake, in milliseconds. */
  readonly timeoutMs?: number;
}

export interface Accepted {
  /** The caller's to wipe. */
  readonly keys: CipherKeys;
  /** The client's static public key, 32 bytes. */
  readonly remoteStatic: Buffer;
  /** What message 3 carried: a request for `login`, with its parameters not looked at. */
  readonly firstRequest: RequestMessage;
  /** Records that came right after it. */
  readonly leftover: Buffer;
}

/**
 * Performs the handshake. Throws PROTOCOL (the peer speaks something else), ETIMEDOUT, ECONNRESET; the socket is
 * destroyed then.
 */
export async function accept(socket: Socket, options: AcceptOptions): Promise<Accepted> {
  const stream = new HandshakeStream(socket);
  stream.setDeadline(options.timeoutMs ?? HANDSHAKE_MS);
  let handshake: HandshakeState | undefined;
  try {
    const preamble = await stream.read(PREAMBLE_LENGTH);
    const suite = await suiteOf(preamble, stream);
    handshake = new HandshakeState({
      suite,
      initiator: false,
      prologue: preamble,
      staticKeyPair: options.staticKeyPair,
    });
    if (handshake.readMessage(await stream.readMessage()).length > 0) {
      throw new Failure('PROTOCOL', 'the first handshake message carries something in clear');
    }
    stream.writeMessage(handshake.writeMessage(encodeServerVersion(options.serverVersion)));
    const firstRequest = decodeMessage(handshake.readMessage(await stream.readMessage()));
    if (firstRequest.kind !== 'request' || firstRequest.method !== 'login') {
      throw new Failure('PROTOCOL', 'the first request is not a login');
    }
    const { remoteStatic } = handshake;
    // The third message of XX brings it.
    if (remoteStatic === undefined) throw new Failure('PROTOCOL', 'the client has no static key');
    const leftover = stream.release();
    const { sendKey, receiveKey } = handshake.finish();
    return {
      keys: { suite, sendKey, sendCount: 0, receiveKey, receiveCount: 0 },
      remoteStatic,
      firstRequest,
      leftover,
    };
  } catch (thrown) {
    handshake?.wipe();
    stream.destroy();
    throw Failure.from(thrown);
  }
}

/** The suite that the client asks for. One that speaks another version of this protocol, or another suite, is told so. */
async function suiteOf(preamble: Buffer, stream: HandshakeStream): Promise<SuiteName> {
  try {
    return decodePreamble(preamble).suite;
  } catch (failure) {
    if (startsWithMagic(preamble)) await stream.finish(encodeRefusal());
    throw failure;
  }
}
