/*
 * Preambles and handshake messages that are nearly right: refused as faults of the protocol, by either side, and no key is ever
 * agreed on.
 */
import { encodeRequest, encodeServerVersion } from '../../protocol/codec.js';
import { Failure } from '../../protocol/failure.js';
import { HandshakeState } from '../../protocol/transport/noise.js';
import { generateKeyPair } from '../../protocol/transport/x25519.js';
import {
  decodePreamble,
  encodePreamble,
  encodeRefusal,
  explainRefusal,
} from '../../protocol/transport/preamble.js';
import type { Random } from '../lib/random.js';
import { fuzz } from './cases.js';
import { mutateBytes } from './mutation.js';
import { METHOD_SAMPLES } from './samples.js';

const PAYLOADS = [
  Buffer.alloc(0),
  encodeServerVersion('ftpmountd/0.1.0'),
  Buffer.concat(encodeRequest(1, 'login', METHOD_SAMPLES.login.params)),
];

const PREAMBLE = encodePreamble('AESGCM');
const CLIENT = generateKeyPair();
const SERVER = generateKeyPair();

function isRefused(work: () => unknown): boolean {
  try {
    work();
    return false;
  } catch (error) {
    if (error instanceof Failure && error.kind === 'PROTOCOL') return true;
    throw error;
  }
}

await fuzz('preambles and refusals', (random) => {
  isRefused(() => decodePreamble(mutateBytes(random, PREAMBLE)));
  isRefused(() => explainRefusal(mutateBytes(random, encodeRefusal())));
});

/** A handshake of which message `changed` arrives differently. */
function shake(random: Random, changed: number): void {
  const shared = { suite: 'AESGCM', prologue: PREAMBLE } as const;
  const client = new HandshakeState({ ...shared, initiator: true, staticKeyPair: CLIENT });
  const server = new HandshakeState({ ...shared, initiator: false, staticKeyPair: SERVER });
  for (const [index, payload] of PAYLOADS.entries()) {
    const [from, to] = index === 1 ? [server, client] : [client, server];
    const message = from.writeMessage(payload);
    if (index === changed) {
      const mutated = mutateBytes(random, message);
      if (mutated.equals(message)) return;
      // The first one is in clear: that it was changed is seen with the second.
      if (isRefused(() => to.readMessage(mutated))) return;
      if (index > 0) throw new Error(`message ${index + 1} was changed, and accepted`);
    } else if (isRefused(() => to.readMessage(message))) {
      if (index > changed) return;
      throw new Error('a right message was refused');
    }
  }
  throw new Error('keys were agreed on');
}

await fuzz(
  'handshakes of which a message is changed',
  (random) => {
    shake(random, random(PAYLOADS.length));
  },
  1 / 8,
);
