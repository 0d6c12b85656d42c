/*
 * REKEY of the Noise specification, section 4.2: the key that follows a key. Apart from noise.ts because records,
 * in every thread, need only this.
 */
import { KEY_LENGTH, NodeAeadKey, TAG_LENGTH, type SuiteName } from './aead.js';

/** The nonce 2^64 - 1, which seals no message; the same in both suites. */
const REKEY_NONCE = Buffer.from('00000000ffffffffffffffff', 'hex');

/** The key that follows `key`. The caller wipes the old one. */
export function rekey(suite: SuiteName, key: Uint8Array): Buffer {
  const aeadKey = new NodeAeadKey(suite, key);
  const sealed = Buffer.alloc(KEY_LENGTH + TAG_LENGTH);
  aeadKey.seal(REKEY_NONCE, [Buffer.alloc(KEY_LENGTH)], sealed, 0);
  aeadKey.dispose();
  return sealed.subarray(0, KEY_LENGTH);
}
