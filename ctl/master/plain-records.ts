/**
 * Records that are not encrypted, for a channel over a unix socket between processes of one user: what one sends the other, the
 * kernel carries from memory to memory. Never for what leaves the machine.
 */
import { KEY_LENGTH, TAG_LENGTH, type AeadKey, type AeadProvider } from '../../protocol/transport/aead.js';
import type { CipherKeys } from '../../protocol/transport/channel.js';

const plainKey: AeadKey = {
  seal(_, pieces, out, outOffset) {
    let end = outOffset;
    for (const piece of pieces) {
      out.set(piece, end);
      end += piece.length;
    }
    out.fill(0, end, end + TAG_LENGTH);
    return end + TAG_LENGTH - outOffset;
  },
  open(_, source, offset, length, out, outOffset) {
    if (out !== source || outOffset !== offset) source.copy(out, outOffset, offset, offset + length);
    return length - TAG_LENGTH;
  },
  dispose: () => undefined,
};

/** Takes the place of a cipher. */
export const plainRecords: AeadProvider = { name: 'none', create: () => plainKey };

/** Keys that nothing is encrypted with. */
export function noKeys(): CipherKeys {
  const key = (): Buffer => Buffer.alloc(KEY_LENGTH);
  return { suite: 'AESGCM', sendKey: key(), sendCount: 0, receiveKey: key(), receiveCount: 0 };
}
