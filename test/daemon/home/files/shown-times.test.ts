/*
 * The shown ctime: as long as the disk's own stays, and through a kill of the daemon.
 */
import { chmodSync, existsSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { attributes } from '../../../../protocol/attributes.js';
import { ConfinedTree } from '../../../../daemon/home/disk/confined.js';
import { birthOf } from '../../../../daemon/home/disk/file-ids.js';
import { recount } from '../../../../daemon/home/recount.js';
import { ShownTimes } from '../../../../daemon/home/files/shown-times.js';
import { temporaryDirectory } from '../../../lib/directory.js';
import { ref } from '../../../lib/path-client.js';
import { at, create, partsTest, refTo, setattr } from '../home-parts.js';

partsTest('what was shown stays, until the file changes otherwise', {}, (t, parts) => {
  const client = parts.client();
  const f = client.changed(create(parts.home, 'f', { time: at(1, 5) }));
  t.strictSame(parts.shown.ctime(f), at(1, 5));
  const other = ShownTimes.open(parts.tree);
  t.strictSame(other.ctime(f), at(1, 5), 'by another daemon, too');
  other.close();
  t.strictSame(attributes(parts.telling.attributes(f)).ctime, at(1, 5));
  const moded = client.changed(setattr(refTo(f), { mode: 0o600, time: at(2) }));
  t.strictSame(parts.shown.ctime(moded), at(2));
  const own = client.changed(setattr(refTo(f), { mode: 0o640 }));
  t.strictSame(parts.shown.ctime(own), own.ctime, "without a time it is the disk's own");
  client.change(setattr(refTo(f), { mode: 0o600, time: at(-1_800_000_000) }));
  t.strictSame(parts.shown.ctime(parts.identities.file(ref('f')).status), at(-1_800_000_000), 'before 1970');
  chmodSync(join(parts.directory, 'f'), 0o604);
  const { status } = parts.identities.file(refTo(f));
  t.strictSame(parts.shown.ctime(status), status.ctime, 'changed behind the daemon');
});

partsTest('times that no table can hold are not shown, and break nothing', {}, (t, parts) => {
  const client = parts.client();
  const most = Number.MAX_SAFE_INTEGER;
  for (const sec of [most, -most]) {
    const time = { sec, nsec: 999_999_999 };
    const name = `of ${sec}`;
    client.log(create(parts.home, name, { time }), setattr(ref(name), { mode: 0o600, mtime: time, time }));
    const { status } = parts.identities.file(ref(name));
    t.strictSame(parts.shown.ctime(status), status.ctime, "the disk's own");
    const told = parts.telling.attributesOf(parts.identities.file(ref(name)));
    t.strictSame(attributes(told).mtime, status.mtime);
    const changed = client.changed(setattr(refTo(status), { mode: 0o640, time }));
    t.strictSame(parts.shown.ctime(changed), changed.ctime);
    parts.shown.show({ ...status, ctime: time }, at(1));
    t.strictSame(parts.shown.ctime({ ...status, ctime: time }), at(1));
  }
});

partsTest('neighbours do not disturb each other, and a full set forgets the oldest', {}, (t, parts) => {
  const client = parts.client();
  const f = client.changed(create(parts.home, 'f', { time: at(0) }));
  const { shown } = parts;
  const made = Array.from({ length: 100 }, (_, i) => ({ ...f, ino: f.ino + BigInt(i) }));
  for (const [i, status] of made.entries()) shown.show(status, at(i));
  for (const [i, status] of made.entries()) t.strictSame(shown.ctime(status), at(i));
  const apart = 2n ** 22n;
  const same = Array.from({ length: 6 }, (_, i) => ({
    ...f,
    ino: f.ino + apart * BigInt(i + 1),
    ctime: { sec: f.ctime.sec + i, nsec: 0 },
  }));
  for (const [i, status] of same.entries()) shown.show(status, at(i));
  t.strictSame(
    same.map((status) => shown.ctime(status) !== status.ctime),
    [false, false, true, true, true, true],
  );
  const another = { ...f, btime: { sec: f.btime.sec + 1, nsec: 0 } };
  t.not(birthOf(another), birthOf(f));
  t.strictSame(shown.ctime(another), another.ctime, 'the number was used again');
});

partsTest('a hundred thousand files have their times, wherever the disk makes them', {}, (t, parts) => {
  const { shown } = parts;
  const f = parts.client().changed(create(parts.home, 'f', { time: at(0) }));
  // Together, and as the parts of the hidden directory are spread: 512 in each group.
  for (const ino of [(i: number) => i, (i: number) => 8192 * Math.floor(i / 512) + (i % 512)]) {
    const files = Array.from({ length: 100_000 }, (_, i) => BigInt(1_000_000 + ino(i)));
    for (const each of files) shown.show({ ...f, ino: each }, at(1));
    const lost = files.filter((each) => shown.ctime({ ...f, ino: each }) === f.ctime);
    t.equal(lost.length, 0);
  }
});

void t.test('a table that is broken, or cannot be made', async (t) => {
  const directory = temporaryDirectory(t);
  const tree = ConfinedTree.open(directory);
  t.teardown(() => tree.close());
  const shown = ShownTimes.open(tree);
  writeFileSync(join(directory, 'f'), '');
  const status = tree.status(ref('f').path as never);
  shown.show(status, at(1));
  shown.close();
  truncateSync(join(directory, '.ftpmount/times'), 0);
  const again = ShownTimes.open(tree);
  t.strictSame(again.ctime(status), status.ctime);
  again.show(status, at(2));
  t.strictSame(again.ctime(status), at(2));
  again.close();
  t.match(await recount(tree), { bytes: 0, files: 1, unreadable: 0 }, 'the table is free');
  const blocked = temporaryDirectory(t);
  writeFileSync(join(blocked, '.ftpmount'), 'a file');
  const without = ConfinedTree.open(blocked);
  const none = ShownTimes.open(without);
  none.show(status, at(3));
  t.strictSame(none.ctime(status), status.ctime);
  none.close();
  without.close();
  t.notOk(existsSync(join(blocked, '.ftpmount/times')));
});
