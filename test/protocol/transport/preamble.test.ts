import t from 'tap';
import { SUITE_NAMES } from '../../../protocol/transport/aead.js';
import {
  PREAMBLE_LENGTH,
  decodePreamble,
  encodePreamble,
  encodeRefusal,
  explainRefusal,
  startsWithMagic,
} from '../../../protocol/transport/preamble.js';
import { failing } from '../../lib/failing.js';

const refusal = (...fields: number[]): Buffer => Buffer.from([...Buffer.from('ftpmnt'), ...fields]);

t.test('the bytes on the wire', async (t) => {
  t.equal(encodePreamble('AESGCM').toString('hex'), '6674706d6e740201');
  t.equal(encodePreamble('ChaChaPoly').toString('hex'), '6674706d6e740202');
  for (const suite of SUITE_NAMES) {
    t.strictSame(decodePreamble(encodePreamble(suite)), { version: 2, suite });
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
  for (const version of [0, 1, 3, 255]) refused(refusal(version, 1), /version/);
  for (const suite of [0, 3, 255]) refused(refusal(2, suite), /suite/);
  for (let length = 0; length < PREAMBLE_LENGTH; length += 1)
    refused(preamble.subarray(0, length), /8 bytes/);
  refused(Buffer.concat([preamble, Buffer.of(0)]), /8 bytes/);
});

t.test('what begins as a preamble does', async (t) => {
  const bytes = encodeRefusal();
  for (let length = 1; length <= PREAMBLE_LENGTH; length += 1)
    t.ok(startsWithMagic(bytes.subarray(0, length)));
  t.notOk(startsWithMagic(Buffer.alloc(0)));
  t.notOk(startsWithMagic(Buffer.from('SS')));
  t.notOk(startsWithMagic(Buffer.from('ftpmnX')));
});

t.test('a refusal says what the server speaks', async (t) => {
  t.equal(encodeRefusal().toString('hex'), '6674706d6e740203');
  t.match(explainRefusal(refusal(1, 3)), /version 1 .* this program 2: update the server/);
  t.match(explainRefusal(refusal(3, 3)), /version 3 .* this program 2: update this program/);
  t.match(explainRefusal(refusal(2, 1)), /suite .* but AESGCM:/);
  t.match(explainRefusal(refusal(2, 3)), /suite .* but AESGCM, ChaChaPoly:/);
  t.match(explainRefusal(refusal(2, 0xf0)), /suite .* but others:/);
  for (let length = 0; length < PREAMBLE_LENGTH; length += 1) {
    t.throws(() => explainRefusal(encodeRefusal().subarray(0, length)), failing('PROTOCOL'));
  }
  t.throws(() => explainRefusal(Buffer.from('ftp serv')), failing('PROTOCOL'));
});
