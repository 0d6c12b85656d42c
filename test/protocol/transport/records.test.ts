import t from 'tap';
import { chooseAead, nodeAead, SUITE_NAMES, type SuiteName } from '../../../protocol/transport/aead.js';
import { failing } from '../../lib/failing.js';
import { RECORDS_PER_KEY } from '../../../protocol/limits.js';
import { rekey } from '../../../protocol/transport/rekey.js';
import { RecordOpener, RecordSealer, type DirectionKey } from '../../../protocol/transport/records.js';
import { loadEvp } from '../../../posix/libcrypto.js';

const KEY = Buffer.from('000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f', 'hex');
const MAX = 1000;

function directionKey(suite: SuiteName = 'AESGCM', count = 0): DirectionKey {
  return { suite, key: KEY, count };
}

function seal(sealer: RecordSealer, text: string): Buffer {
  const plaintext = Buffer.from(text);
  const out = Buffer.alloc(plaintext.length + 20);
  const middle = plaintext.length >> 1;
  sealer.seal([plaintext.subarray(0, middle), plaintext.subarray(middle)], plaintext.length, out, 0);
  return out;
}

function openAll(opener: RecordOpener): string[] {
  const texts: string[] = [];
  for (let record = opener.next(); record !== undefined; record = opener.next())
    texts.push(record.toString());
  return texts;
}

const TEXTS = ['first', 's', 'a third one, longer than the others by some bytes', 'last'];

t.test('records open wherever the bytes are cut, with every suite and provider', async (t) => {
  for (const suite of SUITE_NAMES) {
    for (const aead of [nodeAead, chooseAead(loadEvp())]) {
      const sealer = new RecordSealer(nodeAead, directionKey(suite));
      const wire = Buffer.concat(TEXTS.map((text) => seal(sealer, text)));
      for (let cut = 0; cut <= wire.length; cut++) {
        const opener = new RecordOpener(aead, directionKey(suite), MAX);
        opener.feed(Buffer.from(wire.subarray(0, cut)));
        const before = openAll(opener);
        const incomplete = opener.incomplete;
        opener.feed(Buffer.from(wire.subarray(cut)));
        const texts = [...before, ...openAll(opener)];
        if (texts.join('|') !== TEXTS.join('|'))
          t.fail(`${suite} ${aead.name} cut at ${cut}: ${texts.join('|')}`);
        if (opener.incomplete) t.fail('nothing is left over');
        if (cut === 3) t.ok(incomplete, 'a cut within a record is seen');
      }
      const bytewise = new RecordOpener(aead, directionKey(suite), MAX);
      const texts: string[] = [];
      for (const byte of wire) {
        bytewise.feed(Buffer.of(byte));
        texts.push(...openAll(bytewise));
      }
      t.same(texts, TEXTS, `${suite} ${aead.name} byte by byte`);
    }
  }
});

t.test('another opener goes on from the saved key and the leftover, wherever that is', async (t) => {
  const sealer = new RecordSealer(nodeAead, directionKey());
  const wire = Buffer.concat(TEXTS.map((text) => seal(sealer, text)));
  for (let cut = 0; cut <= wire.length; cut++) {
    for (const taken of [0, 1, 2]) {
      const first = new RecordOpener(nodeAead, directionKey(), MAX);
      first.feed(Buffer.from(wire.subarray(0, cut)));
      const texts: string[] = [];
      for (let i = 0; i < taken; i++) {
        const record = first.next();
        if (record !== undefined) texts.push(record.toString());
      }
      first.keep();
      const second = new RecordOpener(nodeAead, first.save(), MAX);
      second.feed(first.leftover());
      first.dispose();
      texts.push(...openAll(second));
      second.feed(Buffer.from(wire.subarray(cut)));
      texts.push(...openAll(second));
      if (texts.join('|') !== TEXTS.join('|')) t.fail(`cut at ${cut} after ${taken}: ${texts.join('|')}`);
    }
  }
  t.pass('every cut');
});

t.test('a length out of bounds is refused as soon as it is there', async (t) => {
  for (const length of [0, 1, 16, MAX + 17, 0x7fff_ffff, 0xffff_ffff]) {
    const prefix = Buffer.alloc(4);
    prefix.writeUInt32BE(length);
    const whole = new RecordOpener(nodeAead, directionKey(), MAX);
    whole.feed(Buffer.from(prefix));
    t.throws(() => whole.next(), failing('PROTOCOL'), `${length}`);
    const cut = new RecordOpener(nodeAead, directionKey(), MAX);
    cut.feed(Buffer.from(prefix.subarray(0, 2)));
    t.equal(cut.next(), undefined);
    cut.feed(Buffer.from(prefix.subarray(2)));
    t.throws(() => cut.next(), failing('PROTOCOL'), `${length} in two parts`);
  }
  const opener = new RecordOpener(nodeAead, directionKey(), MAX);
  opener.feed(seal(new RecordSealer(nodeAead, directionKey()), 'x'.repeat(MAX)));
  t.equal(opener.next()?.length, MAX, 'the limit itself is allowed');
});

t.test('changed, repeated, swapped and dropped records are refused', async (t) => {
  const sealer = new RecordSealer(nodeAead, directionKey());
  const first = seal(sealer, 'first');
  const second = seal(sealer, 'second');
  const changed = Buffer.from(first);
  changed[6] = (changed[6] ?? 0) ^ 1;
  const cases: [string, Buffer[]][] = [
    ['changed', [changed]],
    ['repeated', [first, first]],
    ['swapped', [second, first]],
    ['dropped', [second]],
  ];
  for (const [name, wire] of cases) {
    const opener = new RecordOpener(nodeAead, directionKey(), MAX);
    opener.feed(Buffer.concat(wire));
    t.throws(() => openAll(opener), failing('PROTOCOL'), name);
  }
});

t.test('the key changes after RECORDS_PER_KEY records, on both sides', async (t) => {
  for (const suite of SUITE_NAMES) {
    const nearly = directionKey(suite, RECORDS_PER_KEY - 1);
    const sealer = new RecordSealer(nodeAead, nearly);
    const opener = new RecordOpener(chooseAead(loadEvp()), nearly, MAX);
    opener.feed(Buffer.concat([seal(sealer, 'old key'), seal(sealer, 'new key'), seal(sealer, 'again')]));
    t.same(openAll(opener), ['old key', 'new key', 'again']);
    const next = rekey(suite, KEY);
    t.same(sealer.save(), { suite, key: next, count: 2 });
    t.same(opener.save(), { suite, key: next, count: 2 });
    const fresh = new RecordOpener(nodeAead, { suite, key: next, count: 0 }, MAX);
    const again = new RecordSealer(nodeAead, nearly);
    seal(again, 'old key');
    fresh.feed(seal(again, 'new key'));
    t.equal(fresh.next()?.toString(), 'new key', 'the new key counts from 0');
  }
});
