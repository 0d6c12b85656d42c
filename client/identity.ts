/**
 * The client's static key pair: its own from the key file, else one that lives as long as the process.
 *
 * Noise XX always transmits a static key, so a client without one makes one up; the server then knows nobody by it
 * and asks for a password. An own key that cannot be used (mode, content) is an error and never a made up one, as
 * its owner would wonder why a password is asked.
 */
import { Failure } from '../protocol/failure.js';
import { readKeyFile } from '../protocol/transport/keys.js';
import { generateKeyPair, type KeyPair } from '../protocol/transport/x25519.js';

/** Throws EACCES where the key file is not private, USAGE where it is no key. */
export function loadIdentity(keyPath: string): KeyPair {
  try {
    return readKeyFile(keyPath);
  } catch (error) {
    const failure = Failure.from(error);
    if (failure.kind === 'ENOENT') return generateKeyPair();
    throw failure;
  }
}
