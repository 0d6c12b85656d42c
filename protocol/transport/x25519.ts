/*
 * X25519 (RFC 7748) by node:crypto. A private key stays inside OpenSSL, which clears it when it frees it; its 32 bytes
 * come out for a key file only.
 *
 * Not libsodium, which hashes passwords: its WebAssembly takes 55 of the 100 ms of processor time by which a program that
 * connects starts later than node alone, and 4.5 MiB in each thread, for the same 60 us a DH.
 */
import {
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';
import { Failure } from '../failure.js';

/** DHLEN of the Noise specification: the length of either key and of a DH output, in bytes. */
export const DH_LENGTH = 32;

/** An X25519 key pair. */
export interface KeyPair {
  /** 32 bytes. */
  readonly publicKey: Buffer;
  readonly privateKey: KeyObject;
}

/** What precedes the 32 bytes of a private key in PKCS #8 (RFC 8410, section 7). */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b656e04220420', 'hex');

/** GENERATE_KEYPAIR() of section 4.1 of the Noise specification. */
export function generateKeyPair(): KeyPair {
  return pairOf(generateKeyPairSync('x25519').privateKey);
}

/** The pair of a private key of 32 bytes, which stay the caller's to wipe. */
export function importPrivateKey(bytes: Uint8Array): KeyPair {
  if (bytes.length !== DH_LENGTH) throw new RangeError(`a private key has ${DH_LENGTH} bytes`);
  const pkcs8 = Buffer.concat([PKCS8_PREFIX, bytes]);
  try {
    return pairOf(createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' }));
  } finally {
    pkcs8.fill(0);
  }
}

/** The 32 bytes of a private key, the caller's to wipe. */
export function exportPrivateKey(pair: KeyPair): Buffer {
  return pair.privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(PKCS8_PREFIX.length);
}

/**
 * DH() of section 4.1, the caller's to wipe. Throws PROTOCOL for an all-zero output (a public key of low order), as section
 * 12.1 allows.
 */
export function dh(pair: KeyPair, publicKey: Uint8Array): Buffer {
  if (publicKey.length !== DH_LENGTH) throw new RangeError(`a public key has ${DH_LENGTH} bytes`);
  const remote = importPublicKey(publicKey);
  try {
    return diffieHellman({ privateKey: pair.privateKey, publicKey: remote });
  } catch (cause) {
    // With two keys of 32 bytes the all-zero output is the only thing OpenSSL fails on.
    throw new Failure('PROTOCOL', 'the peer sent a public key of low order', { cause });
  }
}

/** As a JWK: OpenSSL takes six times as long to find out what DER it is given. */
function importPublicKey(publicKey: Uint8Array): KeyObject {
  const x = Buffer.from(publicKey.buffer, publicKey.byteOffset, DH_LENGTH).toString('base64url');
  return createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x }, format: 'jwk' });
}

/** The base point, with which a private key gives its public one (RFC 7748, section 6.1). */
const BASE_POINT = importPublicKey(Buffer.from([9, ...Array<number>(DH_LENGTH - 1).fill(0)]));

/**
 * Not by exporting it: where node's collector comes while a key is exported as a JWK, what is left of the generation of that key
 * takes the lock that the export holds, and the thread waits for itself for ever (Node 20.20: once in some 20,000 pairs).
 */
function pairOf(privateKey: KeyObject): KeyPair {
  return { publicKey: diffieHellman({ privateKey, publicKey: BASE_POINT }), privateKey };
}
