/*
 * Uploads of streams: whole under their name, or nothing of them is kept.
 */
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { MAX_DATA } from '../../../protocol/limits.js';
import { CHECKPOINT_BYTES } from '../../../daemon/home/transfers/upload.js';
import type { Result } from '../../../protocol/methods.js';
import { kindOf, Place, TestClient } from './fixture.js';

const MiB = 1024 * 1024;
/** A checkpoint and a bit. */
const CONTENT = randomBytes(CHECKPOINT_BYTES + MiB + 777);
const MD5 = createHash('md5').update(CONTENT).digest();

void t.test('a stream ends where it is finished, and nothing of it is kept if it is not', async (t) => {
  const place = new Place(t);
  const home = await place.open();
  const client = new TestClient(home);
  const stream = (path: string): Promise<Result<'uploadBegin'>> =>
    client.call('uploadBegin', [path, null, 0o640, 1_000_000, 5, null]);
  const send = async (handle: unknown, end: number): Promise<void> => {
    for (let at = 0; at < end; at += MAX_DATA) {
      await client.call('uploadWrite', [handle, at, CONTENT.subarray(at, Math.min(end, at + MAX_DATA))]);
    }
  };
  const [whole] = await stream('f');
  await send(whole, CONTENT.length);
  t.equal((await client.call('uploadFinish', [whole, MD5])).size, CONTENT.length);
  t.ok(readFileSync(join(place.directory, 'f')).equals(CONTENT));
  const [closed] = await stream('g');
  await send(closed, CHECKPOINT_BYTES);
  await client.call('close', [closed]);
  while (home.uploads.size > 0) await new Promise(setImmediate);
  t.equal(home.quota.used.bytes, CONTENT.length);
  const [former] = await stream('g');
  await send(former, MiB);
  const [newest, offset] = await stream('g');
  t.equal(offset, 0, 'nothing is gone on with');
  t.equal(await kindOf(() => client.call('uploadWrite', [former, MiB, Buffer.from('x')])), 'EBADF');
  await client.call('uploadAbort', [newest]);
  for (const params of [
    ['g', null, 0o640, 1, 5, Buffer.alloc(32)],
    ['g', 1, 0o640, 1, 5, null],
  ]) {
    t.equal(await kindOf(() => client.call('uploadBegin', params)), 'EINVAL');
  }
  t.strictSame(home.quota.used, { bytes: CONTENT.length, files: 1 });
  t.strictSame(place.state.uploads.list(place.user), []);
  const [kept] = await client.call('uploadBegin', ['kept', 2, 0o640, 1, 5, Buffer.alloc(32)]);
  await client.call('uploadWrite', [kept, 0, Buffer.from('k')]);
  const [left] = await stream('left');
  await send(left, MiB);
  client.leave();
  while (home.uploads.size > 1) await new Promise(setImmediate);
  t.strictSame(home.quota.used, { bytes: CONTENT.length + 1, files: 2 }, 'gone with the connection');
  await home.close();

  writeFileSync(
    join(place.directory, '.ftpmount', `${'0'.repeat(32)}-stream`),
    'of a daemon that was killed',
  );
  await (await place.open()).close();
  t.notOk(readdirSync(join(place.directory, '.ftpmount')).some((name) => name.endsWith('-stream')));
});
