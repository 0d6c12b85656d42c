/*
 * Authenticated encryption as the wire uses it: both suites of the Noise names (AESGCM is AES-256-GCM,
 * ChaChaPoly is RFC 8439), 32-byte keys, 12-byte nonces, 16-byte tags after the ciphertext.
 *
 * Records go through AeadProvider, so that a faster implementation over OpenSSL's EVP can be passed in;
 * `nodeAead` below is the one that is always there, and the one the handshake uses.
 * Invariant: `open` of nodeAead hands out no byte of a message whose tag is wrong.
 */

import { createCipheriv, createDecipheriv } from 'node:crypto';

/** A cipher suite, spelled as in the Noise protocol name (Noise specification, section 12). */
export type SuiteName = 'AESGCM' | 'ChaChaPoly';

export const SUITE_NAMES: readonly SuiteName[] = ['AESGCM', 'ChaChaPoly'];

export const KEY_LENGTH = 32;
export const NONCE_LENGTH = 12;
export const TAG_LENGTH = 16;

/** A source of keyed ciphers. */
export interface AeadProvider {
  /** Shown in logs and in benchmarks. */
  readonly name: string;
  /** `key` is 32 bytes and is copied: the caller may wipe its own. */
  create(suite: SuiteName, key: Uint8Array): AeadKey;
}

/** One key of one direction. Nonces are the caller's affair: none may ever seal twice. */
export interface AeadKey {
  /**
   * Encrypts the pieces in order as one message into `out` at `outOffset`, with the 16-byte tag after it.
   * Returns the bytes written: the sum of the pieces and 16.
   */
  seal(nonce: Uint8Array, pieces: readonly Uint8Array[], out: Buffer, outOffset: number): number;
  /**
   * Decrypts source[offset, offset + length), ciphertext then tag, into `out` at `outOffset`.
   * Returns the length of the plaintext, or -1 when the tag is wrong; `out` is then not to be used.
   */
  open(
    nonce: Uint8Array,
    source: Buffer,
    offset: number,
    length: number,
    out: Buffer,
    outOffset: number,
  ): number;
  /** Wipes the key. No call may follow. */
  dispose(): void;
}

const NO_ASSOCIATED_DATA = Buffer.alloc(0);

/** AeadKey on node:crypto, with the associated data that only the handshake needs. */
export class NodeAeadKey implements AeadKey {
  readonly #suite: SuiteName;
  readonly #key: Buffer;

  constructor(suite: SuiteName, key: Uint8Array) {
    if (key.length !== KEY_LENGTH) throw new RangeError(`an AEAD key has ${KEY_LENGTH} bytes`);
    this.#suite = suite;
    this.#key = Buffer.alloc(KEY_LENGTH);
    this.#key.set(key);
  }

  seal(
    nonce: Uint8Array,
    pieces: readonly Uint8Array[],
    out: Buffer,
    outOffset: number,
    associatedData: Uint8Array = NO_ASSOCIATED_DATA,
  ): number {
    let length = TAG_LENGTH;
    for (const piece of pieces) length += piece.length;
    requireRoom(out, outOffset, length);
    const cipher = this.#encryption(nonce);
    cipher.setAAD(associatedData, { plaintextLength: length - TAG_LENGTH });
    let end = outOffset;
    for (const piece of pieces) end += cipher.update(piece).copy(out, end);
    cipher.final();
    cipher.getAuthTag().copy(out, end);
    return length;
  }

  open(
    nonce: Uint8Array,
    source: Buffer,
    offset: number,
    length: number,
    out: Buffer,
    outOffset: number,
    associatedData: Uint8Array = NO_ASSOCIATED_DATA,
  ): number {
    if (length < TAG_LENGTH) return -1;
    requireRoom(source, offset, length);
    const plaintextLength = length - TAG_LENGTH;
    requireRoom(out, outOffset, plaintextLength);
    const decipher = this.#decryption(nonce);
    decipher.setAAD(associatedData, { plaintextLength });
    decipher.setAuthTag(source.subarray(offset + plaintextLength, offset + length));
    const plaintext = decipher.update(source.subarray(offset, offset + plaintextLength));
    try {
      decipher.final();
    } catch {
      plaintext.fill(0);
      return -1;
    }
    return plaintext.copy(out, outOffset);
  }

  dispose(): void {
    this.#key.fill(0);
  }

  // The names are literals because node's types choose the AEAD class of cipher by them.
  #encryption(nonce: Uint8Array) {
    const options = { authTagLength: TAG_LENGTH };
    return this.#suite === 'AESGCM'
      ? createCipheriv('aes-256-gcm', this.#key, nonce, options)
      : createCipheriv('chacha20-poly1305', this.#key, nonce, options);
  }

  #decryption(nonce: Uint8Array) {
    const options = { authTagLength: TAG_LENGTH };
    return this.#suite === 'AESGCM'
      ? createDecipheriv('aes-256-gcm', this.#key, nonce, options)
      : createDecipheriv('chacha20-poly1305', this.#key, nonce, options);
  }
}

function requireRoom(buffer: Buffer, offset: number, length: number): void {
  if (offset < 0 || offset + length > buffer.length) {
    throw new RangeError(`${length} bytes at ${offset} do not fit a buffer of ${buffer.length}`);
  }
}

/**
 * The implementation on node:crypto: always there, but it allocates each output (AESGCM: 5 us to seal
 * 256 bytes, 1.3 GB/s for 1 MiB).
 */
export const nodeAead: AeadProvider = {
  name: 'node:crypto',
  create: (suite, key) => new NodeAeadKey(suite, key),
};

/**
 * Writes the nonce of message number `counter` into `nonce` (12 bytes): 4 zero bytes, then the counter in
 * 8 bytes, big-endian for AESGCM and little-endian for ChaChaPoly (Noise specification, section 12).
 * `counter` is a number and not a bigint, as this runs once a record; 2^53 records are never reached.
 */
export function writeNonce(nonce: Buffer, suite: SuiteName, counter: number): void {
  if (!Number.isSafeInteger(counter) || counter < 0) throw new RangeError('the nonce counter is exhausted');
  const high = Math.floor(counter / 0x1_0000_0000);
  const low = counter >>> 0;
  nonce.writeUInt32LE(0, 0);
  if (suite === 'AESGCM') {
    nonce.writeUInt32BE(high, 4);
    nonce.writeUInt32BE(low, 8);
  } else {
    nonce.writeUInt32LE(low, 4);
    nonce.writeUInt32LE(high, 8);
  }
}

/**
 * The preferred implementation where there is one and it agrees with node:crypto, else node:crypto.
 * The comparison (1.3 ms, once a process) guards against a libcrypto whose calls bind but differ.
 */
export function chooseAead(preferred: AeadProvider | undefined): AeadProvider {
  return preferred !== undefined && SUITE_NAMES.every((suite) => agreesWithNode(preferred, suite))
    ? preferred
    : nodeAead;
}

/** Whether the provider seals what node:crypto seals, opens it again, and refuses it with one bit changed. */
function agreesWithNode(provider: AeadProvider, suite: SuiteName): boolean {
  const key = Buffer.alloc(KEY_LENGTH, 0xa5);
  const nonce = Buffer.alloc(NONCE_LENGTH);
  writeNonce(nonce, suite, 0x0102_0304_0506);
  const pieces = [Buffer.alloc(5, 1), Buffer.alloc(64, 2)];
  const plaintext = Buffer.concat(pieces);
  const expected = Buffer.alloc(plaintext.length + TAG_LENGTH);
  const sealed = Buffer.alloc(expected.length);
  const opened = Buffer.alloc(plaintext.length);
  nodeAead.create(suite, key).seal(nonce, pieces, expected, 0);
  try {
    const candidate = provider.create(suite, key);
    candidate.seal(nonce, pieces, sealed, 0);
    const length = candidate.open(nonce, sealed, 0, sealed.length, opened, 0);
    const agrees = length === plaintext.length && opened.equals(plaintext) && sealed.equals(expected);
    sealed.writeUInt8(sealed.readUInt8(0) ^ 1, 0);
    const refuses = candidate.open(nonce, sealed, 0, sealed.length, opened, 0) === -1;
    candidate.dispose();
    return agrees && refuses;
  } catch {
    return false;
  }
}
