import { Packr } from 'msgpackr';
import t from 'tap';
import {
  decodeMessage,
  decodeServerVersion,
  encodeNotification,
  encodeRequest,
  encodeResponse,
  encodeServerVersion,
} from '../../protocol/codec.js';
import { failing } from '../lib/failing.js';
import { Failure } from '../../protocol/failure.js';
import { MAX_ELEMENTS, MAX_NESTING, MAX_TEXT } from '../../protocol/limits.js';
import { tuple, u32 } from '../../protocol/shape.js';

const packr = new Packr({ useRecords: false });

function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(/\s/g, ''), 'hex');
}

t.test('messages are msgpack-rpc arrays', async (t) => {
  t.same(
    Buffer.concat(encodeRequest(5, 'lookup', [Buffer.from('ab')])),
    hex('94 00 05 a6 6c6f6f6b7570 91 c4026162'),
  );
  t.same(Buffer.concat(encodeResponse(5, undefined, null)), hex('94 01 05 c0 c0'));
  t.same(
    Buffer.concat(encodeResponse(5, new Failure('ENOENT', 'no'), 'ignored')),
    hex('94 01 05 92 a6454e4f454e54 a26e6f c0'),
  );
  t.same(Buffer.concat(encodeNotification('cancel', [5])), hex('93 02 a6 63616e63656c 91 05'));
  t.same(
    Buffer.concat(encodeRequest(1, 'ping', [undefined])),
    hex('94 00 01 a4 70696e67 91 c0'),
    'undefined is nil',
  );
});

t.test('file data becomes the last element and is not copied', async (t) => {
  const data = Buffer.from('data');
  const request = encodeRequest(1, 'uploadWrite', [3, 4096], data);
  t.equal(request[1], data);
  t.same(decodeMessage(Buffer.concat(request)), {
    kind: 'request',
    id: 1,
    method: 'uploadWrite',
    params: [3, 4096, data],
  });
  const response = encodeResponse(2, undefined, undefined, [data, data]);
  t.equal(response[2], data);
  t.same(decodeMessage(Buffer.concat(response)), {
    kind: 'response',
    id: 2,
    error: undefined,
    result: Buffer.from('datadata'),
  });
  const empty = decodeMessage(Buffer.concat(encodeResponse(2, undefined, undefined, [])));
  t.match(empty, { result: Buffer.alloc(0) });
});

t.test('decoded bytes are views of the record', async (t) => {
  const record = Buffer.concat(encodeRequest(1, 'lookup', [Buffer.from('name')]));
  const message = decodeMessage(record);
  record.fill(0x78, record.length - 4);
  t.match(message, { params: [Buffer.from('xxxx')] });
});

t.test('ids and tags may have any integer form', async (t) => {
  for (const id of [
    '05',
    'cc05',
    'ce00000005',
    'cf0000000000000005',
    'd30000000000000005',
    'cb4014000000000000',
  ]) {
    t.match(decodeMessage(hex(`94 cf0000000000000000 ${id} a0 90`)), { kind: 'request', id: 5 }, id);
  }
  const message = decodeMessage(hex('93 02 a0 92 cf0000000000000001 07'));
  t.match(message, { kind: 'notification' });
  if (message.kind === 'notification') t.same(tuple(u32, u32)(message.params), [1, 7]);
});

t.test('numbers keep their value in every form', async (t) => {
  const values = [0, 127, 128, 65_536, 2 ** 32, 2 ** 53 - 1, -1, -(2 ** 40), 2n ** 63n, 2n ** 64n - 1n];
  const message = decodeMessage(Buffer.concat(encodeRequest(2 ** 32 - 1, 'ping', values)));
  t.same(message, { kind: 'request', id: 2 ** 32 - 1, method: 'ping', params: values });
  t.match(
    decodeMessage(hex('94 cb0000000000000000 cb4014000000000000 a470696e67 90')),
    { id: 5 },
    'a float id',
  );
});

t.test('errors of a peer', async (t) => {
  const error = (name: unknown, text: unknown): Failure | undefined => {
    const message = decodeMessage(packr.pack([1, 1, [name, text], null]));
    return message.kind === 'response' ? message.error : undefined;
  };
  t.match(error('EDQUOT', 'full'), { kind: 'EDQUOT', message: 'full' });
  t.match(error('ENEW', 'of a later version'), { kind: 'EIO', message: 'of a later version' });
  t.match(error('PROTOCOL', 'no errno'), { kind: 'EIO' });
  t.match(error('EIO', '\u001b[2Jgone\n'), { message: '?[2Jgone?' }, 'nothing that drives a terminal');
  for (const bad of [['EIO'], 'EIO', 5, [1, 2], ['EIO', 'x'.repeat(MAX_TEXT + 1)]]) {
    t.throws(() => decodeMessage(packr.pack([1, 1, bad, null])), failing('PROTOCOL'));
  }
  const long = decodeMessage(Buffer.concat(encodeResponse(1, new Failure('EIO', 'x'.repeat(5000)), null)));
  t.match(long, { error: { kind: 'EIO' } }, 'own texts are cut to what is allowed');
});

t.test('what is not exactly one message is refused', async (t) => {
  const cases: Record<string, Buffer> = {
    nothing: Buffer.alloc(0),
    'not an array': hex('05'),
    'an empty array': hex('90'),
    'an unknown type': hex('94 03 05 a0 90'),
    'a request of three': hex('93 00 05 a0'),
    'a notification of four': hex('94 02 a0 90 90'),
    'a request whose method is a number': hex('94 00 05 05 90'),
    'a method that is not UTF-8': hex('94 00 05 a1 ff 90'),
    'a short text that is not UTF-8': hex('94 00 05 a0 91 a2 c3 28'),
    'a longer text that is cut within a character': Buffer.concat([
      hex('94 00 05 a0 91 d9 28'),
      Buffer.alloc(38, 'é'),
      hex('61 c3'),
    ]),
    'a long text with half a surrogate pair': Buffer.concat([
      hex('94 00 05 a0 91 da 0103'),
      Buffer.alloc(256, 'x'),
      hex('ed a0 80'),
    ]),
    'a negative id': hex('94 00 ff a0 90'),
    'an id past 32 bits': packr.pack([0, 2 ** 32, 'ping', []]),
    'a 64-bit id past 32 bits': hex('94 00 cf0000000100000000 a0 90'),
    'something after it': hex('94 00 05 a0 90 c0'),
    'two messages': hex('94 00 05 a0 90 94 00 05 a0 90'),
    'a map': hex('94 00 05 a0 80'),
    'an extension': hex('94 00 05 a0 91 d40000'),
    'a timestamp': hex('94 00 05 a0 91 d6ff00000000'),
    'the type that is never used': hex('94 00 05 a0 91 c1'),
    'deep nesting': Buffer.concat([hex('94 00 05 a0'), Buffer.alloc(100_000, 0x91), hex('c0')]),
    'one level too deep': packr.pack([0, 5, 'ping', nested(MAX_NESTING)]),
    'an array of 4 G elements': hex('94 00 05 a0 dd ffffffff'),
    'an array of 64 K elements without them': hex('94 00 05 a0 dc ffff'),
    'a bin of 4 GiB': hex('94 00 05 a0 91 c6 ffffffff 00'),
    'a string of 4 GiB': hex('94 00 05 db ffffffff 00'),
    'too many elements': packr.pack([0, 5, 'ping', Array.from({ length: MAX_ELEMENTS }, () => 0)]),
    'too many elements in many lists': packr.pack([
      0,
      5,
      'ping',
      Array.from({ length: 1024 }, () => Array.from({ length: 64 }, () => 0)),
    ]),
  };
  for (const [name, record] of Object.entries(cases)) {
    t.throws(() => decodeMessage(record), failing('PROTOCOL'), name);
  }
  t.doesNotThrow(
    () => decodeMessage(packr.pack([0, 5, 'ping', nested(MAX_NESTING - 1)])),
    'the depth allowed',
  );
  t.doesNotThrow(() => {
    decodeMessage(packr.pack([0, 5, 'ping', Array.from({ length: MAX_ELEMENTS - 5 }, () => 0)]));
  }, 'the number of elements allowed');
});

function nested(depth: number): unknown {
  return depth === 0 ? null : [nested(depth - 1)];
}

t.test('a message cut off anywhere is refused', async (t) => {
  const messages = [
    Buffer.concat(encodeRequest(70_000, 'uploadWrite', [1, 2 ** 40], Buffer.alloc(300))),
    Buffer.concat(encodeResponse(1, new Failure('EIO', 'x'.repeat(300)), null)),
    packr.pack([1, 1, null, [1.5, -5, -500, -70_000, 200, 60_000, 2n ** 63n, true, 'x'.repeat(40), []]]),
  ];
  for (const message of messages) {
    t.doesNotThrow(() => decodeMessage(message));
    for (let length = 0; length < message.length; length++) {
      const cut = Buffer.from(message.subarray(0, length));
      try {
        decodeMessage(cut);
        t.fail(`${length} of ${message.length} bytes were taken for a message`);
      } catch (error) {
        if (!(error instanceof Failure) || error.kind !== 'PROTOCOL') t.fail(String(error));
      }
    }
  }
});

t.test('random bytes give a message or PROTOCOL, nothing else', async (t) => {
  // xorshift32: the same bytes in every run.
  let state = 0x9e37_79b9;
  const random = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
  let refused = 0;
  for (let round = 0; round < 50_000; round++) {
    const record = Buffer.alloc(1 + (random() % 40));
    for (let i = 0; i < record.length; i++) record[i] = random();
    // Half of them begin as messages do.
    if (round % 2 === 0) record[0] = 0x93 + (random() % 2);
    if (round % 4 === 0) record[1] = random() % 3;
    try {
      decodeMessage(record);
    } catch (error) {
      refused += 1;
      if (!(error instanceof Failure) || error.kind !== 'PROTOCOL') {
        t.fail(`${record.toString('hex')}: ${String(error)}`);
        return;
      }
    }
  }
  t.ok(refused > 40_000, 'most of it is refused');
});

t.test('the version of the server', async (t) => {
  t.same(encodeServerVersion('a/1'), hex('91 a3 612f31'));
  t.equal(decodeServerVersion(encodeServerVersion('ftpmountd/1.2.3')), 'ftpmountd/1.2.3');
  t.equal(decodeServerVersion(packr.pack(['v', 'appended later'])), 'v');
  for (const bad of [hex(''), hex('90'), hex('91 05'), hex('a161'), packr.pack(['x'.repeat(MAX_TEXT + 1)])]) {
    t.throws(() => decodeServerVersion(bad), failing('PROTOCOL'));
  }
});

t.test('a text that is too long is cut between two characters', async (t) => {
  for (const long of ['ä'.repeat(600), `x${'ä'.repeat(600)}`, '\u{1f600}'.repeat(300), 'x'.repeat(2000)]) {
    const told = decodeMessage(Buffer.concat(encodeResponse(1, new Failure('EIO', long), null)));
    if (told.kind !== 'response' || told.error === undefined) throw new Error('no failure');
    t.ok(long.startsWith(told.error.message), 'nothing else is told');
    const bytes = Buffer.byteLength(told.error.message);
    t.ok(bytes <= 1024 && bytes > 1020, `${bytes} bytes`);
  }
});
