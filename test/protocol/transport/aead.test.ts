import t from 'tap';
import { NONCE_LENGTH, SUITE_NAMES, TAG_LENGTH } from '../../../protocol/transport/aead.js';
import { chooseAead, nodeAead, writeNonce } from '../../../protocol/transport/aead.js';
import type { AeadKey, AeadProvider } from '../../../protocol/transport/aead.js';

const key = Buffer.from(Array.from({ length: 32 }, (_, index) => 0x80 + index));

t.test('ChaChaPoly is RFC 8439, AESGCM is AES-256-GCM', async (t) => {
  // RFC 8439, section 2.8.2, without its associated data, has no tag published; so the ciphertext alone.
  const sunscreen = Buffer.from(
    "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, " +
      'sunscreen would be it.',
  );
  const out = Buffer.alloc(sunscreen.length + TAG_LENGTH);
  const nonce = Buffer.from('070000004041424344454647', 'hex');
  t.equal(nodeAead.create('ChaChaPoly', key).seal(nonce, [sunscreen], out, 0), out.length);
  t.match(out.toString('hex'), /^d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6/);

  // Test case 14 of the GCM specification: zero key, zero nonce, one zero block.
  const block = Buffer.alloc(16 + TAG_LENGTH);
  nodeAead.create('AESGCM', Buffer.alloc(32)).seal(Buffer.alloc(NONCE_LENGTH), [Buffer.alloc(16)], block, 0);
  t.equal(block.toString('hex'), 'cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919');
});

for (const suite of SUITE_NAMES) {
  const nonce = Buffer.alloc(NONCE_LENGTH, 3);

  t.test(`${suite}: pieces are one message, written in place`, async (t) => {
    const aeadKey = nodeAead.create(suite, key);
    const pieces = [Buffer.from('one'), Buffer.alloc(0), Buffer.alloc(100_000, 0x61), Buffer.from('last')];
    const plaintext = Buffer.concat(pieces);
    const out = Buffer.alloc(plaintext.length + TAG_LENGTH + 20, 0xee);
    t.equal(aeadKey.seal(nonce, pieces, out, 7), plaintext.length + TAG_LENGTH);
    t.strictSame(out.subarray(0, 7), Buffer.alloc(7, 0xee));
    t.strictSame(out.subarray(-13), Buffer.alloc(13, 0xee));
    const whole = Buffer.alloc(plaintext.length + TAG_LENGTH);
    aeadKey.seal(nonce, [plaintext], whole, 0);
    t.ok(out.subarray(7, -13).equals(whole));

    const opened = Buffer.alloc(plaintext.length + 5, 0xdd);
    t.equal(aeadKey.open(nonce, out, 7, whole.length, opened, 2), plaintext.length);
    t.ok(opened.subarray(2, -3).equals(plaintext));
    t.strictSame(opened.subarray(-3), Buffer.alloc(3, 0xdd));
  });

  t.test(`${suite}: an empty message is its tag`, async (t) => {
    const aeadKey = nodeAead.create(suite, key);
    const out = Buffer.alloc(TAG_LENGTH);
    t.equal(aeadKey.seal(nonce, [], out, 0), TAG_LENGTH);
    t.equal(aeadKey.open(nonce, out, 0, TAG_LENGTH, Buffer.alloc(0), 0), 0);
  });

  t.test(`${suite}: what is not authentic is -1 and leaves no plaintext behind`, async (t) => {
    const aeadKey = nodeAead.create(suite, key);
    const sealed = Buffer.alloc(64 + TAG_LENGTH);
    aeadKey.seal(nonce, [Buffer.alloc(64, 0x61)], sealed, 0);
    const out = Buffer.alloc(64);
    for (let index = 0; index < sealed.length; index += 1) {
      const changed = Buffer.from(sealed);
      changed.writeUInt8(changed.readUInt8(index) ^ 0x10, index);
      if (aeadKey.open(nonce, changed, 0, changed.length, out, 0) !== -1) t.fail(`byte ${index} changed`);
      if (aeadKey.open(nonce, sealed, 0, index, out, 0) !== -1) t.fail(`cut off at ${index}`);
    }
    t.equal(aeadKey.open(Buffer.alloc(NONCE_LENGTH, 4), sealed, 0, sealed.length, out, 0), -1, 'other nonce');
    const other = nodeAead.create(suite, Buffer.alloc(32));
    t.equal(other.open(nonce, sealed, 0, sealed.length, out, 0), -1, 'other key');
    t.strictSame(out, Buffer.alloc(64));
  });

  t.test(`${suite}: buffers too small and keys of a wrong length are refused`, async (t) => {
    const aeadKey = nodeAead.create(suite, key);
    t.throws(() => aeadKey.seal(nonce, [Buffer.alloc(10)], Buffer.alloc(25), 0), RangeError);
    t.throws(() => aeadKey.seal(nonce, [Buffer.alloc(10)], Buffer.alloc(26), 1), RangeError);
    t.throws(() => aeadKey.open(nonce, Buffer.alloc(26), 0, 26, Buffer.alloc(9), 0), RangeError);
    t.throws(() => aeadKey.open(nonce, Buffer.alloc(26), 1, 26, Buffer.alloc(10), 0), RangeError);
    t.throws(() => nodeAead.create(suite, Buffer.alloc(31)), RangeError);
  });

  t.test(`${suite}: the key is a copy, and dispose wipes the copy only`, async (t) => {
    const mine = Buffer.alloc(32, 9);
    const [aeadKey, same] = [nodeAead.create(suite, mine), nodeAead.create(suite, mine)];
    const [before, after] = [Buffer.alloc(TAG_LENGTH), Buffer.alloc(TAG_LENGTH)];
    aeadKey.seal(nonce, [], before, 0);
    mine.fill(0);
    same.seal(nonce, [], after, 0);
    t.strictSame(after, before);
    mine.fill(9);
    same.dispose();
    t.strictSame(mine, Buffer.alloc(32, 9));
    same.seal(nonce, [], after, 0);
    t.notSame(after, before);
  });
}

t.test('nonces count in the byte order of their suite', async (t) => {
  const nonce = Buffer.alloc(NONCE_LENGTH, 0xff);
  const cases: [number, string, string][] = [
    [0, '000000000000000000000000', '000000000000000000000000'],
    [1, '000000000000000000000001', '000000000100000000000000'],
    [0xffff_ffff, '0000000000000000ffffffff', '00000000ffffffff00000000'],
    [0x1_0000_0000, '000000000000000100000000', '000000000000000001000000'],
    [0x0002_0304_0506_0708, '000000000002030405060708', '000000000807060504030200'],
    [Number.MAX_SAFE_INTEGER, '00000000001fffffffffffff', '00000000ffffffffffff1f00'],
  ];
  for (const [counter, aesgcm, chachapoly] of cases) {
    writeNonce(nonce, 'AESGCM', counter);
    t.equal(nonce.toString('hex'), aesgcm);
    writeNonce(nonce, 'ChaChaPoly', counter);
    t.equal(nonce.toString('hex'), chachapoly);
  }
  for (const counter of [Number.MAX_SAFE_INTEGER + 1, -1, 0.5, Number.NaN]) {
    t.throws(() => writeNonce(nonce, 'AESGCM', counter), RangeError);
  }
});

t.test('a preferred implementation is taken if it agrees with node:crypto', async (t) => {
  const faithful: AeadProvider = { name: 'faithful', create: (suite, key) => nodeAead.create(suite, key) };
  const wrongKey: AeadProvider = {
    name: 'wrong key',
    create: (suite) => nodeAead.create(suite, Buffer.alloc(32)),
  };
  const oneSuite: AeadProvider = { name: 'one suite', create: (_, key) => nodeAead.create('AESGCM', key) };
  const acceptsNothing: AeadProvider = {
    name: 'accepts nothing',
    create: (suite, key) => Object.assign(nodeAead.create(suite, key), { open: () => -1 }),
  };
  const acceptsAll: AeadProvider = {
    name: 'accepts all',
    create: (suite, key) => {
      const aeadKey = nodeAead.create(suite, key);
      const open: AeadKey['open'] = (nonce, source, offset, length, out, outOffset) => {
        const opened = aeadKey.open(nonce, source, offset, length, out, outOffset);
        return opened === -1 ? length - TAG_LENGTH : opened;
      };
      return {
        seal: (nonce, pieces, out, outOffset) => aeadKey.seal(nonce, pieces, out, outOffset),
        open,
        dispose: () => aeadKey.dispose(),
      };
    },
  };
  const throwing: AeadProvider = {
    name: 'throws',
    create: () => {
      throw new Error('no such symbol');
    },
  };
  t.equal(chooseAead(undefined), nodeAead);
  t.equal(chooseAead(faithful), faithful);
  for (const provider of [wrongKey, oneSuite, acceptsNothing, acceptsAll, throwing]) {
    t.equal(chooseAead(provider), nodeAead, provider.name);
  }
});
