/*
 * The preamble: the 8 clear bytes a client sends before its first Noise message.
 *
 *   offset 0  6 bytes  magic "ftpmnt"
 *   offset 6  1 byte   version of the protocol, 1
 *   offset 7  1 byte   suite: 1 AESGCM, 2 ChaChaPoly
 *
 * It is not authentic by itself. Both sides use exactly these bytes as the Noise prologue, so a preamble
 * that was changed on the way (a suite downgraded, say) makes the handshake fail.
 */

import type { SuiteName } from './aead.js';
import { Failure } from './failure.js';

export const PREAMBLE_LENGTH = 8;
export const PROTOCOL_VERSION = 1;

const MAGIC = Buffer.from('ftpmnt', 'ascii');
const SUITE_CODES: Readonly<Record<SuiteName, number>> = { AESGCM: 1, ChaChaPoly: 2 };

export interface Preamble {
  readonly version: number;
  readonly suite: SuiteName;
}

export function encodePreamble(suite: SuiteName): Buffer {
  return Buffer.from([...MAGIC, PROTOCOL_VERSION, SUITE_CODES[suite]]);
}

/**
 * Decodes the preamble of a peer: exactly 8 bytes. Throws PROTOCOL, with a message of its own each, when
 * the peer speaks something else, another version, or names a suite that is not known.
 */
export function decodePreamble(bytes: Uint8Array): Preamble {
  if (bytes.length !== PREAMBLE_LENGTH) {
    throw new Failure('PROTOCOL', `a preamble has ${PREAMBLE_LENGTH} bytes, not ${bytes.length}`);
  }
  if (!MAGIC.equals(bytes.subarray(0, MAGIC.length))) {
    throw new Failure('PROTOCOL', 'the peer does not speak the ftpmount protocol');
  }
  const version = bytes[MAGIC.length];
  if (version !== PROTOCOL_VERSION) {
    throw new Failure(
      'PROTOCOL',
      `the peer speaks version ${version} of the protocol, not ${PROTOCOL_VERSION}`,
    );
  }
  const code = bytes[MAGIC.length + 1];
  switch (code) {
    case SUITE_CODES.AESGCM:
      return { version, suite: 'AESGCM' };
    case SUITE_CODES.ChaChaPoly:
      return { version, suite: 'ChaChaPoly' };
    default:
      throw new Failure('PROTOCOL', `the peer asks for an unknown cipher suite (${code})`);
  }
}
