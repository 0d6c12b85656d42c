/*
 * Records as a stream brings them, in any pieces: what was sent comes out, in order; and from the first byte that is not as it
 * was sent, nothing comes any more.
 */
import { nodeAead } from '../../protocol/transport/aead.js';
import { RECORD_OVERHEAD } from '../../protocol/transport/buffer-pool.js';
import { Failure } from '../../protocol/failure.js';
import { RecordOpener, RecordSealer } from '../../protocol/transport/records.js';
import { fuzz } from './cases.js';
import { inPieces, mutateBytes } from './mutation.js';

const MAX_RECORD = 600;

/** The plaintexts that come out, until one does not. */
function open(pieces: readonly Buffer[], opener: RecordOpener): { opened: Buffer[]; isRefused: boolean } {
  const opened: Buffer[] = [];
  try {
    for (const piece of pieces) {
      opener.feed(piece);
      for (let next = opener.next(); next !== undefined; next = opener.next()) opened.push(Buffer.from(next));
    }
    return { opened, isRefused: false };
  } catch (error) {
    if (!(error instanceof Failure) || error.kind !== 'PROTOCOL') throw error;
    return { opened, isRefused: true };
  }
}

await fuzz('records in pieces, right and changed', (random) => {
  const key = {
    suite: 'AESGCM',
    key: Buffer.alloc(32, random(256)),
    count: random(2) === 0 ? 0 : 2 ** 20 - 2,
  } as const;
  const sealer = new RecordSealer(nodeAead, { ...key, key: Buffer.from(key.key) });
  const sent = Array.from({ length: 1 + random(6) }, () => Buffer.alloc(1 + random(MAX_RECORD), random(256)));
  const records = sent.map((plaintext) => {
    const record = Buffer.alloc(plaintext.length + RECORD_OVERHEAD);
    sealer.seal([plaintext], plaintext.length, record, 0);
    return record;
  });
  const stream = Buffer.concat(records);
  const isChanged = random(2) === 0;
  const bytes = isChanged ? mutateBytes(random, stream) : stream;
  const opener = new RecordOpener(nodeAead, key, MAX_RECORD);
  const { opened, isRefused } = open(inPieces(random, bytes), opener);
  opener.dispose();
  sealer.dispose();
  if (!isChanged && (isRefused || opened.length < sent.length))
    throw new Error('what was sent did not come out');
  if (opened.length > sent.length) throw new Error('more came out than was sent');
  for (const [i, plaintext] of opened.entries()) {
    if (!plaintext.equals(sent[i] ?? Buffer.alloc(0))) throw new Error('something else came out');
  }
});
