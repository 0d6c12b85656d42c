/*
 * What is sent in clear, before and around the Noise handshake: the preamble of a client, and the refusal of a server that
 * does not speak what the preamble names.
 *
 *   offset 0  6 bytes  magic "ftpmnt"
 *   offset 6  1 byte   version of the protocol; in a refusal the highest that the server speaks
 *   offset 7  1 byte   suite: 1 AESGCM, 2 ChaChaPoly; in a refusal a set of those that the server speaks, bit 0 for suite 1
 *
 * The preamble is not authentic by itself. Both sides use exactly these bytes as the Noise prologue, so one that was changed
 * on the way (a suite downgraded, say) makes the handshake fail. A refusal is not authentic at all: it is for people.
 * It comes in the place of the second handshake message, and cannot be one: that would be longer than any may be.
 */
import type { SuiteName } from './aead.js';
import { Failure } from '../failure.js';

export const PREAMBLE_LENGTH = 8;
export const PROTOCOL_VERSION = 2;

const MAGIC = Buffer.from('ftpmnt', 'ascii');
const SUITE_CODES: Readonly<Record<SuiteName, number>> = { AESGCM: 1, ChaChaPoly: 2 };

export interface Preamble {
  readonly version: number;
  readonly suite: SuiteName;
}

export function encodePreamble(suite: SuiteName): Buffer {
  return Buffer.from([...MAGIC, PROTOCOL_VERSION, SUITE_CODES[suite]]);
}

/** Whether bytes begin as a preamble or a refusal does; at least 1 and at most 8 bytes are looked at. */
export function startsWithMagic(bytes: Uint8Array): boolean {
  const length = Math.min(bytes.length, MAGIC.length);
  return length > 0 && MAGIC.subarray(0, length).equals(bytes.subarray(0, length));
}

/**
 * Decodes the preamble of a peer: exactly 8 bytes. Throws PROTOCOL, with a message of its own each, when
 * the peer speaks something else, another version, or names a suite that is not known.
 */
export function decodePreamble(bytes: Uint8Array): Preamble {
  const [version, code] = fields(bytes);
  if (version !== PROTOCOL_VERSION) {
    throw new Failure(
      'PROTOCOL',
      `the peer speaks version ${version} of the protocol, not ${PROTOCOL_VERSION}`,
    );
  }
  switch (code) {
    case SUITE_CODES.AESGCM:
      return { version, suite: 'AESGCM' };
    case SUITE_CODES.ChaChaPoly:
      return { version, suite: 'ChaChaPoly' };
    default:
      throw new Failure('PROTOCOL', `the peer asks for an unknown cipher suite (${code})`);
  }
}

/** What this side answers to a preamble that decodePreamble refused, although it began as one does. */
export function encodeRefusal(): Buffer {
  const suites = Object.values(SUITE_CODES).reduce((set, code) => set | (1 << (code - 1)), 0);
  return Buffer.from([...MAGIC, PROTOCOL_VERSION, suites]);
}

/** What a refusal, exactly 8 bytes, says about the server, to a person. Throws PROTOCOL where it is none. */
export function explainRefusal(bytes: Uint8Array): string {
  const [version, suites] = fields(bytes);
  if (version > PROTOCOL_VERSION) {
    return `speaks version ${version} of the protocol, this program ${PROTOCOL_VERSION}: update this program`;
  }
  if (version < PROTOCOL_VERSION) {
    return `speaks version ${version} of the protocol, this program ${PROTOCOL_VERSION}: update the server`;
  }
  const names = Object.entries(SUITE_CODES)
    .filter(([, code]) => (suites & (1 << (code - 1))) !== 0)
    .map(([name]) => name);
  return `does not know the cipher suite that was asked for, but ${names.join(', ') || 'others'}: set suite`;
}

/** The two bytes after the magic. */
function fields(bytes: Uint8Array): [number, number] {
  if (bytes.length !== PREAMBLE_LENGTH) {
    throw new Failure('PROTOCOL', `a preamble has ${PREAMBLE_LENGTH} bytes, not ${bytes.length}`);
  }
  if (!startsWithMagic(bytes)) {
    throw new Failure('PROTOCOL', 'the peer does not speak the ftpmount protocol');
  }
  const [version = 0, code = 0] = bytes.subarray(MAGIC.length);
  return [version, code];
}
