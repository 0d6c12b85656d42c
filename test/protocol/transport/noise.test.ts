/*
 * The published vectors of Noise_XX_25519_{AESGCM,ChaChaPoly}_BLAKE2b byte by byte, then every byte of
 * every message changed and every message cut off at every length.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import {
  NONCE_LENGTH,
  SUITE_NAMES,
  TAG_LENGTH,
  nodeAead,
  writeNonce,
} from '../../../protocol/transport/aead.js';
import type { SuiteName } from '../../../protocol/transport/aead.js';
import { Failure } from '../../../protocol/failure.js';
import { CipherState, HandshakeState, MAX_NOISE_MESSAGE } from '../../../protocol/transport/noise.js';
import { generateKeyPair, importPrivateKey } from '../../../protocol/transport/x25519.js';
import { rekey } from '../../../protocol/transport/rekey.js';
import type { HandshakeResult } from '../../../protocol/transport/noise.js';
import type { KeyPair } from '../../../protocol/transport/x25519.js';

interface Vector {
  readonly protocol_name: string;
  readonly init_prologue: string;
  readonly init_static: string;
  readonly init_ephemeral: string;
  readonly resp_prologue: string;
  readonly resp_static: string;
  readonly resp_ephemeral: string;
  readonly handshake_hash: string;
  readonly messages: readonly { readonly payload: string; readonly ciphertext: string }[];
}

const HANDSHAKE_MESSAGES = 3;

const vectors = readVectors();

/** The file lies beside the sources; the compiled test lies some directories deeper. */
function readVectors(): readonly Vector[] {
  let directory = import.meta.dirname;
  let path = join(directory, 'test/vectors/noise-xx.json');
  while (!existsSync(path) && directory !== dirname(directory)) {
    directory = dirname(directory);
    path = join(directory, 'test/vectors/noise-xx.json');
  }
  return (JSON.parse(readFileSync(path, 'utf8')) as { vectors: Vector[] }).vectors;
}

function hex(text: string): Buffer {
  return Buffer.from(text, 'hex');
}

function keyPair(privateKey: string): KeyPair {
  return importPrivateKey(hex(privateKey));
}

function suiteOf(vector: Vector): SuiteName {
  const suite = SUITE_NAMES.find((name) => vector.protocol_name === `Noise_XX_25519_${name}_BLAKE2b`);
  if (suite === undefined) throw new Error(`unexpected vector ${vector.protocol_name}`);
  return suite;
}

/** Both sides of a vector, before the first message. */
function sides(vector: Vector): { initiator: HandshakeState; responder: HandshakeState } {
  const suite = suiteOf(vector);
  return {
    initiator: new HandshakeState({
      suite,
      initiator: true,
      prologue: hex(vector.init_prologue),
      staticKeyPair: keyPair(vector.init_static),
      ephemeral: keyPair(vector.init_ephemeral),
    }),
    responder: new HandshakeState({
      suite,
      initiator: false,
      prologue: hex(vector.resp_prologue),
      staticKeyPair: keyPair(vector.resp_static),
      ephemeral: keyPair(vector.resp_ephemeral),
    }),
  };
}

/** Runs the first `count` handshake messages of a vector and returns the states after them. */
function advance(vector: Vector, count: number): ReturnType<typeof sides> {
  const both = sides(vector);
  for (const [index, message] of vector.messages.slice(0, count).entries()) {
    const [writer, reader] =
      index % 2 === 0 ? [both.initiator, both.responder] : [both.responder, both.initiator];
    reader.readMessage(writer.writeMessage(hex(message.payload)));
  }
  return both;
}

/** 'refused' where the handshake ends in a PROTOCOL failure at any later step, else what happened. */
function outcomeOf(vector: Vector, index: number, message: Buffer): string {
  const { initiator, responder } = advance(vector, index);
  const [writer, reader] = index % 2 === 0 ? [initiator, responder] : [responder, initiator];
  try {
    writer.writeMessage(hex(vector.messages[index]?.payload ?? ''));
    reader.readMessage(message);
    // The first message has nothing to authenticate it; the second one does that.
    if (index === 0) initiator.readMessage(responder.writeMessage(Buffer.alloc(0)));
    return 'accepted';
  } catch (error) {
    return error instanceof Failure && error.kind === 'PROTOCOL' ? 'refused' : `threw ${String(error)}`;
  }
}

function flipped(bytes: Buffer, index: number): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeUInt8(copy.readUInt8(index) ^ (1 << (index % 8)), index);
  return copy;
}

t.test('both suites have a vector with transport messages', async (t) => {
  t.strictSame(vectors.map(suiteOf).toSorted(), [...SUITE_NAMES].toSorted());
  for (const vector of vectors) t.ok(vector.messages.length > HANDSHAKE_MESSAGES);
});

for (const vector of vectors) {
  const suite = suiteOf(vector);
  const handshakeMessages = vector.messages.slice(0, HANDSHAKE_MESSAGES);

  t.test(`${vector.protocol_name}: the published bytes`, async (t) => {
    const { initiator, responder } = sides(vector);
    for (const [index, message] of handshakeMessages.entries()) {
      const [writer, reader] = index % 2 === 0 ? [initiator, responder] : [responder, initiator];
      const written = writer.writeMessage(hex(message.payload));
      t.equal(written.toString('hex'), message.ciphertext, `message ${index}`);
      t.equal(reader.readMessage(hex(message.ciphertext)).toString('hex'), message.payload);
    }
    const atInitiator = initiator.finish();
    const atResponder = responder.finish();
    t.equal(atInitiator.handshakeHash.toString('hex'), vector.handshake_hash);
    t.equal(atResponder.handshakeHash.toString('hex'), vector.handshake_hash);
    t.strictSame(atInitiator.sendKey, atResponder.receiveKey);
    t.strictSame(atInitiator.receiveKey, atResponder.sendKey);
    t.strictSame(initiator.remoteStatic, Buffer.from(keyPair(vector.resp_static).publicKey));
    t.strictSame(responder.remoteStatic, Buffer.from(keyPair(vector.init_static).publicKey));

    const nonce = Buffer.alloc(NONCE_LENGTH);
    for (const [index, message] of vector.messages.entries()) {
      if (index < HANDSHAKE_MESSAGES) continue;
      // Messages go on alternating, and each direction counts its own.
      const fromInitiator = index % 2 === 0;
      const counter = fromInitiator ? (index - 4) / 2 : (index - 3) / 2;
      const [sender, receiver]: [HandshakeResult, HandshakeResult] = fromInitiator
        ? [atInitiator, atResponder]
        : [atResponder, atInitiator];
      writeNonce(nonce, suite, counter);
      const payload = hex(message.payload);
      const ciphertext = hex(message.ciphertext);
      const out = Buffer.alloc(payload.length + TAG_LENGTH);
      nodeAead.create(suite, sender.sendKey).seal(nonce, [payload], out, 0);
      t.equal(out.toString('hex'), message.ciphertext, `transport message ${index}`);

      const receiving = nodeAead.create(suite, receiver.receiveKey);
      const opened = Buffer.alloc(payload.length);
      t.equal(receiving.open(nonce, ciphertext, 0, ciphertext.length, opened, 0), payload.length);
      t.strictSame(opened, payload);
      const accepted: string[] = [];
      for (let at = 0; at < ciphertext.length; at += 1) {
        if (receiving.open(nonce, flipped(ciphertext, at), 0, ciphertext.length, opened, 0) !== -1) {
          accepted.push(`byte ${at} changed`);
        }
        if (receiving.open(nonce, ciphertext, 0, at, opened, 0) !== -1) accepted.push(`cut off at ${at}`);
      }
      t.strictSame(accepted, []);
    }
  });

  t.test(`${vector.protocol_name}: a changed byte is refused, wherever it is`, async (t) => {
    for (const [index, message] of handshakeMessages.entries()) {
      const bytes = hex(message.ciphertext);
      const wrong: string[] = [];
      for (let at = 0; at < bytes.length; at += 1) {
        const outcome = outcomeOf(vector, index, flipped(bytes, at));
        // Byte 31 loses its top bit here, which X25519 ignores: the hash alone notices.
        if (outcome !== 'refused') wrong.push(`byte ${at}: ${outcome}`);
      }
      t.strictSame(wrong, [], `message ${index}`);
      t.equal(outcomeOf(vector, index, bytes), 'accepted', 'and the bytes as they are, accepted');
    }
  });

  t.test(`${vector.protocol_name}: a message cut off or too long is refused`, async (t) => {
    for (const [index, message] of handshakeMessages.entries()) {
      const bytes = hex(message.ciphertext);
      const wrong: string[] = [];
      for (let length = 0; length < bytes.length; length += 1) {
        const outcome = outcomeOf(vector, index, bytes.subarray(0, length));
        if (outcome !== 'refused') wrong.push(`length ${length}: ${outcome}`);
      }
      for (const extra of [1, MAX_NOISE_MESSAGE - bytes.length, MAX_NOISE_MESSAGE - bytes.length + 1]) {
        const outcome = outcomeOf(vector, index, Buffer.concat([bytes, Buffer.alloc(extra)]));
        if (outcome !== 'refused') wrong.push(`${extra} bytes more: ${outcome}`);
      }
      t.strictSame(wrong, [], `message ${index}`);
    }
  });

  t.test(`${vector.protocol_name}: the longest message passes, one byte more does not`, async (t) => {
    for (const [index, overhead] of [32, 96, 64].entries()) {
      const fits = Buffer.alloc(MAX_NOISE_MESSAGE - overhead, 0x5a);
      const first = advance(vector, index);
      const [writer, reader] =
        index % 2 === 0 ? [first.initiator, first.responder] : [first.responder, first.initiator];
      const message = writer.writeMessage(fits);
      t.equal(message.length, MAX_NOISE_MESSAGE);
      t.ok(reader.readMessage(message).equals(fits));
      const second = advance(vector, index);
      const over = index % 2 === 0 ? second.initiator : second.responder;
      t.throws(() => over.writeMessage(Buffer.alloc(fits.length + 1)), {
        name: 'Failure',
        kind: 'EOVERFLOW',
      });
    }
  });

  t.test(`${vector.protocol_name}: a public key of low order is refused`, async (t) => {
    // u = 0 and u = 1 have order 2 and 4, so every DH with them is zero (RFC 7748, section 6.1).
    for (const [name, point] of [
      ['0', Buffer.alloc(32)],
      ['1', Buffer.concat([Buffer.of(1)], 32)],
    ] as const) {
      const { initiator, responder } = sides(vector);
      initiator.writeMessage(Buffer.alloc(0));
      responder.readMessage(point);
      t.throws(
        () => responder.writeMessage(Buffer.alloc(0)),
        { name: 'Failure', kind: 'PROTOCOL' },
        `u = ${name}, by message 1`,
      );
      t.throws(
        () => initiator.readMessage(Buffer.concat([point], 96)),
        { name: 'Failure', kind: 'PROTOCOL' },
        'by message 2',
      );
    }
  });

  t.test(`${vector.protocol_name}: a wrong prologue is noticed by the initiator first`, async (t) => {
    const { initiator } = sides(vector);
    const responder = new HandshakeState({
      suite,
      initiator: false,
      prologue: Buffer.concat([hex(vector.resp_prologue), Buffer.of(0)]),
      staticKeyPair: keyPair(vector.resp_static),
    });
    responder.readMessage(initiator.writeMessage(Buffer.alloc(0)));
    t.throws(() => initiator.readMessage(responder.writeMessage(Buffer.from('secret'))), {
      name: 'Failure',
      kind: 'PROTOCOL',
    });
    t.equal(initiator.remoteStatic, undefined, 'and it learns no key of the peer');
  });
}

for (const suite of SUITE_NAMES) {
  t.test(`${suite}: two handshakes of the same keys share no key and no hash`, async (t) => {
    const staticKeyPair = generateKeyPair();
    const results = [0, 1].map(() => {
      const prologue = Buffer.from('p');
      const initiator = new HandshakeState({ suite, initiator: true, prologue, staticKeyPair });
      const responder = new HandshakeState({ suite, initiator: false, prologue, staticKeyPair });
      responder.readMessage(initiator.writeMessage(Buffer.alloc(0)));
      initiator.readMessage(responder.writeMessage(Buffer.alloc(0)));
      t.equal(responder.remoteStatic, undefined, 'nothing is proved before the third message');
      responder.readMessage(initiator.writeMessage(Buffer.alloc(0)));
      t.ok(initiator.complete && responder.complete);
      return initiator.finish();
    });
    const secrets = results.flatMap(({ sendKey, receiveKey, handshakeHash }) =>
      [sendKey, receiveKey, handshakeHash].map((bytes) => bytes.toString('hex')),
    );
    t.equal(new Set(secrets).size, 6);
  });

  t.test(`${suite}: REKEY is the encryption of zeros under the last nonce`, async (t) => {
    const key = Buffer.alloc(32, 7);
    const sealed = Buffer.alloc(32 + TAG_LENGTH);
    const nonce = Buffer.concat([Buffer.alloc(4), Buffer.alloc(8, 0xff)]);
    nodeAead.create(suite, key).seal(nonce, [Buffer.alloc(32)], sealed, 0);
    t.strictSame(rekey(suite, key), sealed.subarray(0, 32));
    t.strictSame(key, Buffer.alloc(32, 7), 'the old key is the caller’s to wipe');
  });

  t.test(`${suite}: CipherState counts on success only`, async (t) => {
    const [sending, receiving] = [new CipherState(suite), new CipherState(suite)];
    const ad = Buffer.from('ad');
    t.strictSame(sending.encryptWithAd(ad, ad), ad, 'in clear while there is no key');
    t.strictSame(receiving.decryptWithAd(ad, ad), ad);
    sending.initializeKey(Buffer.alloc(32, 1));
    receiving.initializeKey(Buffer.alloc(32, 1));
    for (const text of ['first', 'second']) {
      const ciphertext = sending.encryptWithAd(ad, Buffer.from(text));
      t.throws(() => receiving.decryptWithAd(Buffer.from('da'), ciphertext), {
        name: 'Failure',
        kind: 'PROTOCOL',
      });
      t.equal(receiving.decryptWithAd(ad, ciphertext).toString(), text);
      t.throws(
        () => receiving.decryptWithAd(ad, ciphertext),
        { name: 'Failure', kind: 'PROTOCOL' },
        'a replay',
      );
    }
  });
}

t.test('calls out of turn are refused, and so is all after a failure', async (t) => {
  const [vector] = vectors;
  if (vector === undefined) throw new Error('no vectors');
  const kind = { name: 'Failure', kind: 'PROTOCOL' };
  const { initiator, responder } = sides(vector);
  t.throws(() => initiator.readMessage(Buffer.alloc(96)), kind);
  t.throws(() => responder.writeMessage(Buffer.alloc(0)), kind);
  t.throws(() => initiator.finish(), kind);
  const message = initiator.writeMessage(Buffer.alloc(0));
  t.throws(() => initiator.writeMessage(Buffer.alloc(0)), kind);
  responder.readMessage(message);
  const second = responder.writeMessage(Buffer.alloc(0));
  t.throws(() => initiator.readMessage(flipped(second, second.length - 1)), kind);
  t.throws(() => initiator.readMessage(second), kind, 'the genuine message comes too late');
  t.equal(initiator.complete, false);

  const finished = advance(vector, HANDSHAKE_MESSAGES).initiator;
  t.throws(() => finished.readMessage(Buffer.alloc(64)), kind);
  t.throws(() => finished.writeMessage(Buffer.alloc(0)), kind);
  finished.finish();
  t.throws(() => finished.finish(), kind, 'the keys are handed out once');
});

t.test('a handshake that is given up goes no further', async (t) => {
  const state = new HandshakeState({
    suite: 'AESGCM',
    initiator: true,
    prologue: Buffer.alloc(0),
    staticKeyPair: generateKeyPair(),
  });
  state.wipe();
  t.throws(() => state.writeMessage(Buffer.alloc(0)), { name: 'Failure', kind: 'PROTOCOL' });
});
