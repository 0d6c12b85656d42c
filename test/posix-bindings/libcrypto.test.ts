/* OpenSSL through EVP agrees with node:crypto byte by byte; MD5 resumes; nothing is written out of bounds. */
import crypto from 'node:crypto';
import t from 'tap';
import { loadEvp, Md5, md5Available, type AeadSuite } from '../../posix/libcrypto.js';

const TAG_BYTES = 16;
const SUITES: Record<AeadSuite, crypto.CipherGCMTypes> = {
  AESGCM: 'aes-256-gcm',
  ChaChaPoly: 'chacha20-poly1305' as crypto.CipherGCMTypes,
};
const SIZES = [0, 1, 15, 16, 17, 255, 256, 4096, 65_537, 1 << 20];

const evp = loadEvp();
if (evp === undefined) throw new Error('the node that runs these tests has no OpenSSL EVP');

function sealByNode(suite: AeadSuite, key: Buffer, nonce: Buffer, plain: Buffer): Buffer {
  const cipher = crypto.createCipheriv(SUITES[suite], key, nonce, { authTagLength: TAG_BYTES });
  return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

function openByNode(suite: AeadSuite, key: Buffer, nonce: Buffer, sealed: Buffer): Buffer {
  const decipher = crypto.createDecipheriv(SUITES[suite], key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
  return Buffer.concat([decipher.update(sealed.subarray(0, -TAG_BYTES)), decipher.final()]);
}

/** Cuts into pieces of growing length, the first one empty. */
function pieces(plain: Buffer): Buffer[] {
  const cut: Buffer[] = [plain.subarray(0, 0)];
  for (let at = 0, length = 1; at < plain.length; at += length, length *= 3) {
    cut.push(plain.subarray(at, at + length));
  }
  return cut;
}

for (const suite of Object.keys(SUITES) as AeadSuite[]) {
  t.test(`${suite}: sealed here, opened by node, and back, with one key for many records`, async (t) => {
    const keyBytes = crypto.randomBytes(32);
    const key = evp.create(suite, keyBytes);
    t.teardown(() => key.dispose());
    for (const size of SIZES) {
      const plain = crypto.randomBytes(size);
      const nonce = crypto.randomBytes(12);
      const expected = sealByNode(suite, keyBytes, nonce, plain);

      const out = Buffer.alloc(3 + size + TAG_BYTES + 5, 0xee);
      t.equal(key.seal(nonce, pieces(plain), out, 3), size + TAG_BYTES);
      t.ok(out.subarray(3, 3 + size + TAG_BYTES).equals(expected), `${size} bytes as node seals them`);
      t.ok(openByNode(suite, keyBytes, nonce, out.subarray(3, -5)).equals(plain));
      t.same(Buffer.concat([out.subarray(0, 3), out.subarray(-5)]), Buffer.alloc(8, 0xee), 'nothing around');

      const opened = Buffer.alloc(2 + size + 2, 0xdd);
      const source = Buffer.concat([Buffer.from('head'), expected, Buffer.from('tail')]);
      t.equal(key.open(nonce, source, 4, expected.length, opened, 2), size);
      t.ok(opened.subarray(2, -2).equals(plain), `${size} bytes opened`);
      t.same(Buffer.concat([opened.subarray(0, 2), opened.subarray(-2)]), Buffer.alloc(4, 0xdd));
    }
  });

  t.test(`${suite}: a record is sealed and opened in its place`, async (t) => {
    const keyBytes = crypto.randomBytes(32);
    const key = evp.create(suite, keyBytes);
    t.teardown(() => key.dispose());
    const nonce = Buffer.alloc(12);
    const plain = crypto.randomBytes(1000);
    const record = Buffer.concat([plain, Buffer.alloc(TAG_BYTES)]);
    key.seal(nonce, [record.subarray(0, 1000)], record, 0);
    t.ok(record.equals(sealByNode(suite, keyBytes, nonce, plain)));
    t.equal(key.open(nonce, record, 0, record.length, record, 0), 1000);
    t.ok(record.subarray(0, 1000).equals(plain));
  });

  t.test(`${suite}: what was changed is refused, leaves no plaintext, and the key goes on`, async (t) => {
    const keyBytes = crypto.randomBytes(32);
    const key = evp.create(suite, keyBytes);
    t.teardown(() => key.dispose());
    const nonce = crypto.randomBytes(12);
    const plain = Buffer.alloc(100, 'p');
    const sealed = sealByNode(suite, keyBytes, nonce, plain);
    const out = Buffer.alloc(100, 0xaa);
    for (let at = 0; at < sealed.length; at++) {
      const changed = Buffer.from(sealed);
      changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
      const result = key.open(nonce, changed, 0, changed.length, out, 0);
      if (result !== -1) t.fail(`a change at ${at} was accepted`);
      if (!out.equals(Buffer.alloc(100))) t.fail(`plaintext was left after a change at ${at}`);
    }
    t.equal(key.open(crypto.randomBytes(12), sealed, 0, sealed.length, out, 0), -1, 'another nonce');
    for (let length = 0; length < sealed.length; length++) {
      if (key.open(nonce, sealed, 0, length, out, 0) !== -1) t.fail(`cut to ${length} was accepted`);
    }
    t.equal(key.open(nonce, sealed, 0, sealed.length, out, 0), 100);
    t.ok(out.equals(plain));
    t.equal(
      crypto.createHash('sha256').update('').digest('hex').slice(0, 8),
      'e3b0c442',
      'node:crypto goes on',
    );
  });
}

t.test('ranges, lengths and a disposed key are refused before OpenSSL is called', async (t) => {
  const key = evp.create('AESGCM', Buffer.alloc(32));
  const nonce = Buffer.alloc(12);
  const out = Buffer.alloc(32);
  t.throws(() => evp.create('AESGCM', Buffer.alloc(16)), RangeError);
  t.throws(() => key.seal(Buffer.alloc(11), [], out, 0), RangeError);
  t.throws(() => key.seal(nonce, [Buffer.alloc(17)], out, 0), RangeError, 'no room for the tag');
  t.throws(() => key.seal(nonce, [Buffer.alloc(16)], out, 1), RangeError);
  t.throws(() => key.seal(nonce, [], out, -1), RangeError);
  t.throws(() => key.open(nonce, Buffer.alloc(40), 8, 33, out, 0), RangeError);
  t.throws(() => key.open(nonce, Buffer.alloc(64), 0, 64, out, 0), RangeError, 'no room for the plaintext');
  t.throws(() => key.open(Buffer.alloc(13), Buffer.alloc(32), 0, 32, out, 0), RangeError);
  t.ok(out.equals(Buffer.alloc(32)));
  key.dispose();
  key.dispose();
  t.throws(() => key.seal(nonce, [], out, 0), /disposed/);
  t.throws(() => key.open(nonce, out, 0, 32, out, 0), /disposed/);
});

const md5Of = (data: Buffer): string => crypto.createHash('md5').update(data).digest('hex');

t.test('MD5 is available and agrees with RFC 1321', async (t) => {
  t.equal(md5Available(), true);
  const md5 = new Md5();
  t.equal(md5.digest().toString('hex'), 'd41d8cd98f00b204e9800998ecf8427e');
  md5.update(Buffer.alloc(0));
  md5.update(Buffer.from('message digest'));
  t.equal(md5.digest().toString('hex'), 'f96b697d7cb7938d525a2f31aaf161d0');
});

t.test('MD5 goes on after digest, and resumes from a saved state at any place', async (t) => {
  const data = crypto.randomBytes(300);
  for (let cut = 0; cut <= data.length; cut++) {
    const first = new Md5();
    first.update(data.subarray(0, cut));
    if (first.digest().toString('hex') !== md5Of(data.subarray(0, cut))) t.fail(`digest at ${cut}`);
    const state = first.save();
    if (state.length !== 92) t.fail(`a state of ${state.length} bytes`);
    const second = Md5.load(state);
    state.fill(0);
    for (const md5 of [first, second]) md5.update(data.subarray(cut));
    t.equal(first.digest().toString('hex'), md5Of(data));
    t.equal(second.digest().toString('hex'), md5Of(data), `resumed at ${cut}`);
  }
});

t.test('MD5 on another thread, and a busy hash refuses all else', async (t) => {
  const data = crypto.randomBytes(4 << 20);
  const md5 = new Md5();
  const done = md5.updateAsync(data, 1, data.length - 2);
  t.throws(() => md5.update(data), { code: 'EBUSY' });
  t.throws(() => md5.digest(), { code: 'EBUSY' });
  t.throws(() => md5.save(), { code: 'EBUSY' });
  t.throws(() => md5.updateAsync(data, 0, 1), { code: 'EBUSY' });
  await done;
  await md5.updateAsync(data, data.length, 0);
  md5.update(data.subarray(-1));
  t.equal(md5.digest().toString('hex'), md5Of(data.subarray(1)));
  t.throws(() => md5.updateAsync(data, 1, data.length), RangeError);
  t.equal(md5.digest().toString('hex'), md5Of(data.subarray(1)), 'not busy after a refusal');
});

t.test('MD5 refuses a forged state, which would write out of bounds', async (t) => {
  const md5 = new Md5();
  md5.update(Buffer.from('abc'));
  const state = md5.save();
  for (const num of [0, 4, 63, 64, 1000, 0xffffffff]) {
    const forged = Buffer.from(state);
    forged.writeUInt32LE(num, 88);
    t.throws(() => Md5.load(forged), { code: 'EINVAL' }, `num ${num}`);
  }
  t.throws(() => Md5.load(state.subarray(1)), { code: 'EINVAL' });
  t.throws(() => Md5.load(Buffer.alloc(93)), { code: 'EINVAL' });
});

t.test('more MD5s at once than there may be calls on other threads', async (t) => {
  const data = crypto.randomBytes(1000);
  const expected = crypto.createHash('md5').update(data).digest();
  const sums = await Promise.all(
    Array.from({ length: 600 }, async () => {
      const md5 = new Md5();
      await md5.updateAsync(data, 0, data.length);
      return md5.digest();
    }),
  );
  t.ok(sums.every((sum) => sum.equals(expected)));
});
