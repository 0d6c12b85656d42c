/*
 * The Noise Protocol Framework (https://noiseprotocol.org/noise.html, revision 34), as much of it as
 * Noise_XX_25519_AESGCM_BLAKE2b and Noise_XX_25519_ChaChaPoly_BLAKE2b need, in the specification's names.
 *
 * No I/O: messages are bytes in and bytes out. Whatever a peer sends ends in a payload or in a Failure of
 * kind PROTOCOL, after which the state is wiped and refuses to go on, so that a failed handshake cannot be
 * retried on the same keys. Chaining keys, message keys and DH outputs are overwritten as soon as they are
 * done with (node keeps the contents of Buffers off V8's moving heap, so this reaches the only copy made
 * here; private keys are inside OpenSSL and its to clear).
 */

import { createHash, createHmac } from 'node:crypto';
import { KEY_LENGTH, NONCE_LENGTH, NodeAeadKey, TAG_LENGTH, writeNonce } from './aead.js';
import type { SuiteName } from './aead.js';
import { Failure } from '../failure.js';
import { DH_LENGTH, dh, generateKeyPair, type KeyPair } from './x25519.js';

/** HASHLEN of BLAKE2b, and the length of the handshake hash. */
const HASH_LENGTH = 64;
/** The longest Noise message, in bytes (section 3). */
export const MAX_NOISE_MESSAGE = 65_535;

function hash(...pieces: readonly Uint8Array[]): Buffer {
  const blake2b = createHash('blake2b512');
  for (const piece of pieces) blake2b.update(piece);
  return blake2b.digest();
}

function hmac(key: Uint8Array, ...pieces: readonly Uint8Array[]): Buffer {
  const mac = createHmac('blake2b512', key);
  for (const piece of pieces) mac.update(piece);
  return mac.digest();
}

/** HKDF() of section 4.3 with two outputs of 64 bytes. */
function hkdf(chainingKey: Uint8Array, inputKeyMaterial: Uint8Array): [Buffer, Buffer] {
  const temporaryKey = hmac(chainingKey, inputKeyMaterial);
  const first = hmac(temporaryKey, Uint8Array.of(1));
  const second = hmac(temporaryKey, first, Uint8Array.of(2));
  temporaryKey.fill(0);
  return [first, second];
}

/** CipherState of section 5.1: a key and the number of its next message. */
export class CipherState {
  readonly #suite: SuiteName;
  readonly #nonce = Buffer.alloc(NONCE_LENGTH);
  #key: NodeAeadKey | undefined;
  #n = 0;

  constructor(suite: SuiteName) {
    this.#suite = suite;
  }

  initializeKey(key: Uint8Array): void {
    this.#key?.dispose();
    this.#key = new NodeAeadKey(this.#suite, key);
    this.#n = 0;
  }

  hasKey(): boolean {
    return this.#key !== undefined;
  }

  /** Returns the ciphertext and its tag, or the plaintext as it is while there is no key. */
  encryptWithAd(associatedData: Uint8Array, plaintext: Uint8Array): Buffer {
    if (this.#key === undefined) return Buffer.from(plaintext);
    const out = Buffer.alloc(plaintext.length + TAG_LENGTH);
    writeNonce(this.#nonce, this.#suite, this.#n);
    this.#key.seal(this.#nonce, [plaintext], out, 0, associatedData);
    this.#n += 1;
    return out;
  }

  /** Throws PROTOCOL when the ciphertext is not authentic; the counter then stays where it was. */
  decryptWithAd(associatedData: Uint8Array, ciphertext: Buffer): Buffer {
    if (this.#key === undefined) return Buffer.from(ciphertext);
    if (ciphertext.length < TAG_LENGTH) throw new Failure('PROTOCOL', 'a Noise ciphertext is cut off');
    const out = Buffer.alloc(ciphertext.length - TAG_LENGTH);
    writeNonce(this.#nonce, this.#suite, this.#n);
    if (this.#key.open(this.#nonce, ciphertext, 0, ciphertext.length, out, 0, associatedData) < 0) {
      throw new Failure('PROTOCOL', 'a Noise message failed its authentication');
    }
    this.#n += 1;
    return out;
  }

  wipe(): void {
    this.#key?.dispose();
    this.#key = undefined;
  }
}

/** SymmetricState of section 5.2: the chaining key and the handshake hash. */
export class SymmetricState {
  readonly #cipherState: CipherState;
  #chainingKey: Buffer;
  #h: Buffer;

  constructor(suite: SuiteName, protocolName: string) {
    const name = Buffer.from(protocolName, 'ascii');
    this.#h = name.length <= HASH_LENGTH ? Buffer.concat([name], HASH_LENGTH) : hash(name);
    this.#chainingKey = Buffer.from(this.#h);
    this.#cipherState = new CipherState(suite);
  }

  mixKey(inputKeyMaterial: Uint8Array): void {
    const [chainingKey, messageKey] = hkdf(this.#chainingKey, inputKeyMaterial);
    this.#chainingKey.fill(0);
    this.#chainingKey = chainingKey;
    this.#cipherState.initializeKey(messageKey.subarray(0, KEY_LENGTH));
    messageKey.fill(0);
  }

  mixHash(data: Uint8Array): void {
    this.#h = hash(this.#h, data);
  }

  encryptAndHash(plaintext: Uint8Array): Buffer {
    const ciphertext = this.#cipherState.encryptWithAd(this.#h, plaintext);
    this.mixHash(ciphertext);
    return ciphertext;
  }

  decryptAndHash(ciphertext: Buffer): Buffer {
    const plaintext = this.#cipherState.decryptWithAd(this.#h, ciphertext);
    this.mixHash(ciphertext);
    return plaintext;
  }

  /** How much longer than its plaintext the next ciphertext is. */
  overhead(): number {
    return this.#cipherState.hasKey() ? TAG_LENGTH : 0;
  }

  getHandshakeHash(): Buffer {
    const copy = Buffer.alloc(HASH_LENGTH);
    this.#h.copy(copy);
    return copy;
  }

  /** The keys of the two transport CipherStates: initiator to responder, responder to initiator. */
  split(): [Buffer, Buffer] {
    const [first, second] = hkdf(this.#chainingKey, Buffer.alloc(0));
    return [truncateToKey(first), truncateToKey(second)];
  }

  wipe(): void {
    this.#chainingKey.fill(0);
    this.#cipherState.wipe();
  }
}

function truncateToKey(output: Buffer): Buffer {
  const key = Buffer.alloc(KEY_LENGTH);
  output.copy(key, 0, 0, KEY_LENGTH);
  output.fill(0);
  return key;
}

type Token = 'e' | 's' | 'ee' | 'es' | 'se';

/** The XX pattern of section 7.5; the initiator writes the first and the third message. */
const XX: readonly (readonly Token[])[] = [['e'], ['e', 'ee', 's', 'es'], ['s', 'se']];

/** What XX needs from its user. */
export interface HandshakeOptions {
  readonly suite: SuiteName;
  readonly initiator: boolean;
  /** Bytes both sides must agree on without their being sent in the handshake: the preamble. */
  readonly prologue: Uint8Array;
  readonly staticKeyPair: KeyPair;
  /** A fixed ephemeral key pair, for test vectors only: its reuse breaks all secrecy. */
  readonly ephemeral?: KeyPair;
}

/** What a finished handshake leaves. Records go on with these keys, and nonces that count from 0. */
export interface HandshakeResult {
  readonly sendKey: Buffer;
  readonly receiveKey: Buffer;
  /** 64 bytes that name this session and no other: h of section 11.2 (channel binding). */
  readonly handshakeHash: Buffer;
}

/**
 * HandshakeState of section 5.3 for XX: three messages, written and read in turn, then `finish`.
 * Calls out of turn, and after a failure, throw PROTOCOL too: either way the connection has to close.
 */
export class HandshakeState {
  readonly #symmetric: SymmetricState;
  readonly #initiator: boolean;
  readonly #static: KeyPair;
  readonly #ephemeral: KeyPair;
  #remoteEphemeral: Buffer | undefined;
  #remoteStatic: Buffer | undefined;
  /** Index in XX of the next message. */
  #next = 0;
  #dead = false;

  constructor(options: HandshakeOptions) {
    this.#initiator = options.initiator;
    this.#static = options.staticKeyPair;
    this.#ephemeral = options.ephemeral ?? generateKeyPair();
    this.#symmetric = new SymmetricState(options.suite, `Noise_XX_25519_${options.suite}_BLAKE2b`);
    this.#symmetric.mixHash(options.prologue);
  }

  /**
   * The peer's static public key once the message that proves its possession was read: the second for the
   * initiator, the third for the responder. Whether that key is welcome is the caller's decision.
   */
  get remoteStatic(): Buffer | undefined {
    return this.#remoteStatic;
  }

  /** True when all three messages are through and `finish` may be called. */
  get complete(): boolean {
    return !this.#dead && this.#next === XX.length;
  }

  /** WriteMessage(): the next message with `payload` in it. The first message's payload is in clear. */
  writeMessage(payload: Uint8Array): Buffer {
    const tokens = this.#turn(true);
    const pieces: Uint8Array[] = [];
    let length = payload.length;
    try {
      for (const token of tokens) {
        const piece = this.#writeToken(token);
        length += piece.length;
        pieces.push(piece);
      }
      length += this.#symmetric.overhead();
      if (length > MAX_NOISE_MESSAGE) {
        throw new Failure(
          'EOVERFLOW',
          `a Noise message of ${length} bytes is longer than ${MAX_NOISE_MESSAGE}`,
        );
      }
      pieces.push(this.#symmetric.encryptAndHash(payload));
    } catch (error) {
      this.wipe();
      throw error;
    }
    this.#next += 1;
    return Buffer.concat(pieces, length);
  }

  /** ReadMessage(): the payload of the peer's next message. Throws PROTOCOL on anything but that message. */
  readMessage(message: Uint8Array): Buffer {
    const tokens = this.#turn(false);
    try {
      if (message.length > MAX_NOISE_MESSAGE) {
        throw new Failure('PROTOCOL', `a Noise message is longer than ${MAX_NOISE_MESSAGE} bytes`);
      }
      let rest = Buffer.from(message.buffer, message.byteOffset, message.length);
      for (const token of tokens) rest = rest.subarray(this.#readToken(token, rest));
      const payload = this.#symmetric.decryptAndHash(rest);
      this.#next += 1;
      return payload;
    } catch (error) {
      this.wipe();
      this.#remoteStatic = undefined;
      throw error;
    }
  }

  /** Split(): the transport keys, which the caller then owns and wipes. The handshake ends with this call. */
  finish(): HandshakeResult {
    if (!this.complete) throw new Failure('PROTOCOL', 'the handshake is not complete');
    const [initiatorToResponder, responderToInitiator] = this.#symmetric.split();
    const handshakeHash = this.#symmetric.getHandshakeHash();
    this.wipe();
    return this.#initiator
      ? { sendKey: initiatorToResponder, receiveKey: responderToInitiator, handshakeHash }
      : { sendKey: responderToInitiator, receiveKey: initiatorToResponder, handshakeHash };
  }

  /** Overwrites all secrets; for a handshake that is given up. Done by itself after a failure and by `finish`. */
  wipe(): void {
    this.#dead = true;
    this.#symmetric.wipe();
  }

  #turn(writing: boolean): readonly Token[] {
    if (this.#dead) throw new Failure('PROTOCOL', 'the handshake has ended');
    const tokens = XX[this.#next];
    if (tokens === undefined || (this.#next % 2 === 0) !== (this.#initiator === writing)) {
      throw new Failure(
        'PROTOCOL',
        `it is not the turn to ${writing ? 'write' : 'read'} a handshake message`,
      );
    }
    return tokens;
  }

  #writeToken(token: Token): Uint8Array {
    switch (token) {
      case 'e':
        this.#symmetric.mixHash(this.#ephemeral.publicKey);
        return this.#ephemeral.publicKey;
      case 's':
        return this.#symmetric.encryptAndHash(this.#static.publicKey);
      default:
        this.#mixDh(token);
        return new Uint8Array(0);
    }
  }

  /** Returns how many bytes of `rest` the token took. */
  #readToken(token: Token, rest: Buffer): number {
    switch (token) {
      case 'e': {
        if (rest.length < DH_LENGTH) throw new Failure('PROTOCOL', 'a Noise message is cut off');
        this.#remoteEphemeral = Buffer.from(rest.subarray(0, DH_LENGTH));
        this.#symmetric.mixHash(this.#remoteEphemeral);
        return DH_LENGTH;
      }
      case 's': {
        const length = DH_LENGTH + this.#symmetric.overhead();
        if (rest.length < length) throw new Failure('PROTOCOL', 'a Noise message is cut off');
        this.#remoteStatic = this.#symmetric.decryptAndHash(rest.subarray(0, length));
        return length;
      }
      default:
        this.#mixDh(token);
        return 0;
    }
  }

  /** 'es' is the initiator's ephemeral with the responder's static key, 'se' the other way round. */
  #mixDh(token: 'ee' | 'es' | 'se'): void {
    const ownIsEphemeral = token === 'ee' || (token === 'es') === this.#initiator;
    const remoteIsEphemeral = token === 'ee' || !ownIsEphemeral;
    const remote = remoteIsEphemeral ? this.#remoteEphemeral : this.#remoteStatic;
    // XX sends every public key before the first DH that uses it.
    if (remote === undefined) throw new Error(`no remote key for ${token}`);
    const output = dh(ownIsEphemeral ? this.#ephemeral : this.#static, remote);
    this.#symmetric.mixKey(output);
    output.fill(0);
  }
}
