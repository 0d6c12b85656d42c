/* X25519 on the published vectors of RFC 7748 and on the points of low order; private keys in and out. */
import t from 'tap';
import {
  dh,
  exportPrivateKey,
  generateKeyPair,
  importPrivateKey,
} from '../../../protocol/transport/x25519.js';
import { succeed } from '../../lib/run.js';

function hex(text: string): Buffer {
  return Buffer.from(text, 'hex');
}

/** Section 6.1. */
const ALICE = {
  privateKey: hex('77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a'),
  publicKey: hex('8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a'),
};
const BOB = {
  privateKey: hex('5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb'),
  publicKey: hex('de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f'),
};
const SHARED = hex('4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742');

/** All points of order up to 8, as https://cr.yp.to/ecdh.html#validate lists them. */
const LOW_ORDER = [
  '00'.repeat(32),
  `01${'00'.repeat(31)}`,
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  `ec${'ff'.repeat(30)}7f`,
  `ed${'ff'.repeat(30)}7f`,
  `ee${'ff'.repeat(30)}7f`,
].map(hex);

t.test('the published keys give the published secret', async (t) => {
  for (const [own, other] of [
    [ALICE, BOB],
    [BOB, ALICE],
  ] as const) {
    const pair = importPrivateKey(own.privateKey);
    t.strictSame(pair.publicKey, own.publicKey);
    t.strictSame(dh(pair, other.publicKey), SHARED);
    const highBit = Buffer.from(other.publicKey);
    highBit.writeUInt8(highBit.readUInt8(31) | 0x80, 31);
    t.strictSame(dh(pair, highBit), SHARED, 'the highest bit of a public key is ignored (section 5)');
  }
});

t.test('a public key of low order is refused', async (t) => {
  for (const point of LOW_ORDER) {
    t.throws(
      () => dh(generateKeyPair(), point),
      { name: 'Failure', kind: 'PROTOCOL' },
      point.toString('hex'),
    );
  }
});

t.test('a private key comes out as it went in', async (t) => {
  t.strictSame(exportPrivateKey(importPrivateKey(ALICE.privateKey)), ALICE.privateKey);
  const pair = generateKeyPair();
  t.strictSame(importPrivateKey(exportPrivateKey(pair)).publicKey, pair.publicKey);
  t.notOk(generateKeyPair().privateKey.equals(pair.privateKey));
});

t.test('keys have 32 bytes', async (t) => {
  for (const length of [0, 31, 33]) {
    t.throws(() => importPrivateKey(Buffer.alloc(length)), RangeError);
    t.throws(() => dh(generateKeyPair(), Buffer.alloc(length)), RangeError);
  }
});

t.test('a pair is made whenever the collector comes meanwhile', { timeout: 240_000 }, async (t) => {
  const module = JSON.stringify(new URL('../../../protocol/transport/x25519.js', import.meta.url).href);
  const script = `const { generateKeyPair } = await import(${module});
    for (let made = 0; made < 4000; made++) generateKeyPair();`;
  // In processes of their own: a thread that waits for itself ends no test.
  for (const allocations of [7, 13, 37, 101]) {
    const collecting = [`--gc-interval=${allocations}`, '--input-type=module'];
    await succeed(process.execPath, [...collecting, '-e', script], { timeoutMs: 60_000 });
    t.pass(`each ${allocations} allocations`);
  }
});
