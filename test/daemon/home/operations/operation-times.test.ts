/*
 * The times of a batch, where something fails.
 */
import { ref } from '../../../lib/path-client.js';
import { kindOf } from '../fixture.js';
import { at, create, mkdir, partsTest, refTo, write } from '../home-parts.js';

partsTest('a batch ends, whatever becomes of its times', {}, async (t, parts) => {
  const client = parts.client();
  const [, , files] = client.grant.take(0, 0, 1, 0);
  const [id] = files;
  if (id === undefined) throw new Error('nothing was granted');
  const { show } = parts.shown;
  parts.shown.show = () => {
    throw Object.assign(new Error('broken'), { code: 'EIO' });
  };
  client.log(create(parts.home, 'f', { id, time: at(1) }));
  parts.shown.show = show;
  t.equal(parts.timesFailures.length, 2, 'of the file and of its directory: they are told');
  t.equal(client.change(mkdir(parts.home, 'd', { time: at(2) })).length, 2, 'what comes then is in no batch');
  t.equal(client.grant.left.files, 0);
});

partsTest('the times of a new file are set on no other file', { bytes: 100 }, async (t, parts) => {
  const client = parts.client();
  const others = Array.from({ length: 100 }, (_, i) =>
    refTo(client.changed(create(parts.home, `other ${i}`, { time: at(1) }))),
  );
  client.change(write(others[0] ?? parts.home, 0, Buffer.alloc(100), at(1)));
  const [, , files] = client.grant.take(0, 0, 1, 0);
  const [id] = files;
  if (id === undefined) throw new Error('nothing was granted');
  const { executor } = parts;
  executor.begin();
  executor.carryOut(client, create(parts.home, 'new', { id, time: at(2) }), null, false);
  for (const other of others) {
    const full = write(other, 100, Buffer.alloc(10), at(3));
    t.equal(await kindOf(() => executor.carryOut(client, full, null, false)), 'EDQUOT');
  }
  executor.end();
  const mtimes = others.map((other) => parts.identities.file(other).status.mtime.sec - at(0).sec);
  t.strictSame(new Set(mtimes), new Set([1]));
  t.strictSame(parts.identities.file(ref('new')).status.mtime, at(2));
  t.strictSame(parts.timesFailures, []);
});
