import t from 'tap';
import { SUITE_NAMES } from '../../protocol/aead.js';
import { PREAMBLE_LENGTH, decodePreamble, encodePreamble } from '../../protocol/preamble.js';

t.test('the bytes on the wire', async (t) => {
  t.equal(encodePreamble('AESGCM').toString('hex'), '6674706d6e740101');
  t.equal(encodePreamble('ChaChaPoly').toString('hex'), '6674706d6e740102');
  for (const suite of SUITE_NAMES) {
    t.strictSame(decodePreamble(encodePreamble(suite)), { version: 1, suite });
  }
});

t.test('anything else is refused, and says what it is', async (t) => {
  const preamble = encodePreamble('AESGCM');
  const refused = (bytes: Uint8Array, message: RegExp): void => {
    t.throws(() => decodePreamble(bytes), { name: 'Failure', kind: 'PROTOCOL', message });
  };
  refused(Buffer.from('SSH-2.0-'), /does not speak/);
  for (let index = 0; index < 6; index += 1) {
    const changed = Buffer.from(preamble);
    changed.writeUInt8(0, index);
    refused(changed, /does not speak/);
  }
  for (const version of [0, 2, 255])
    refused(Buffer.from([...preamble.subarray(0, 6), version, 1]), /version/);
  for (const suite of [0, 3, 255]) refused(Buffer.from([...preamble.subarray(0, 7), suite]), /suite/);
  for (let length = 0; length < PREAMBLE_LENGTH; length += 1)
    refused(preamble.subarray(0, length), /8 bytes/);
  refused(Buffer.concat([preamble, Buffer.of(0)]), /8 bytes/);
});
