/*
 * rename(2) with all its flags: what it replaces, exchanges or leaves, what it refuses, and the charge.
 */
import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { idOf } from '../../../daemon/home/disk/file-ids.js';
import { kindOf } from './fixture.js';
import { create, link, mkdir, partsTest, refTo, rename, setattr, unlink, write } from './home-parts.js';

const NOREPLACE = 1;
const EXCHANGE = 2;
const WHITEOUT = 4;

partsTest('rename: its flags, what it replaces, what it refuses', {}, async (t, parts) => {
  const client = parts.client();
  const { home } = parts;
  const size = (name: string) => lstatSync(join(parts.directory, name)).size;
  const a = client.changed(create(home, 'a'));
  const b = client.changed(create(home, 'b'));
  client.change(write(refTo(a), 0, 'A'));
  client.change(write(refTo(b), 0, 'BB'));
  const kind = (from: string, to: string, more = {}) =>
    kindOf(() => client.change(rename([home, from], [home, to], more)));
  t.equal(await kind('a', 'b', { flags: NOREPLACE }), 'EEXIST');
  t.equal(await kind('a', 'b', { flags: NOREPLACE, id: idOf(a) }), 'EEXIST');
  t.equal(await kind('a', 'b', { flags: NOREPLACE | EXCHANGE }), 'EINVAL');
  t.equal(await kind('missing', 'b'), 'ENOENT');
  t.equal(await kind('a', 'missing', { flags: EXCHANGE }), 'ENOENT');
  t.equal(await kind('a', 'b', { id: idOf(b) }), 'ESTALE', 'the name leads to another file');
  t.equal(await kind('a', 'b', { id: idOf(a) }), 'ESTALE', 'nothing was expected at the new name');
  client.change(rename([home, 'a'], [home, 'b'], { flags: EXCHANGE, id: idOf(a), replaced: idOf(b) }));
  t.strictSame([size('a'), size('b')], [2, 1]);
  const d = client.changed(mkdir(home, 'd'));
  const e = client.changed(mkdir(refTo(d), 'e'));
  t.equal(
    await kindOf(() => client.change(rename([home, 'd'], [refTo(e), 'inside']))),
    'EINVAL',
    'into itself',
  );
  t.equal(await kind('a', 'd'), 'EISDIR');
  t.equal(await kind('d', 'a'), 'ENOTDIR');
  client.change(mkdir(home, 'empty'));
  t.equal(await kind('empty', 'd'), 'ENOTEMPTY');
  client.change(rename([refTo(d), 'e'], [home, 'empty']));
  const [moved, from, to] = client.change(rename([home, 'a'], [refTo(d), 'moved']));
  t.strictSame([moved?.ino, from?.ino, to?.ino], [b.ino, parts.identities.root.ino, d.ino]);
  client.change(write(refTo(b), 0, 'by its id, where it is now'));
  t.equal(size('d/moved'), 26);
  client.change(rename([home, 'b'], [refTo(d), 'moved'], { id: idOf(a), replaced: idOf(b) }));
  t.strictSame(parts.quota.used, { bytes: 1, files: 3 }, 'what was replaced was given back');
  client.change(link(refTo(a), home, 'again'));
  client.change(rename([home, 'again'], [refTo(d), 'moved']));
  t.equal(client.changed(setattr(refTo(a), {})).nlink, 2, 'two names of one file: nothing happens');
});

partsTest('a rename leaves a whiteout, which is charged', { files: 3 }, async (t, parts) => {
  const client = parts.client();
  const { home } = parts;
  client.change(create(home, 'f'));
  const whiteout = rename([home, 'f'], [home, 'g'], { flags: WHITEOUT });
  const g = client.changed(whiteout);
  const left = lstatSync(join(parts.directory, 'f'));
  t.strictSame([left.isCharacterDevice(), left.rdev], [true, 0]);
  t.equal(parts.quota.used.files, 2);
  client.change(link(refTo(g), home, 'h'));
  client.change(rename([home, 'g'], [home, 'h'], { flags: WHITEOUT }));
  t.equal(parts.quota.used.files, 2, 'two names of a file: nothing happens');
  client.change(create(home, 'last'));
  const full = rename([home, 'h'], [home, 'i'], { flags: WHITEOUT });
  t.equal(await kindOf(() => client.change(full)), 'EDQUOT');
  const both = { flags: WHITEOUT | EXCHANGE };
  client.change(unlink(home, 'last'));
  t.equal(await kindOf(() => client.change(rename([home, 'g'], [home, 'h'], both))), 'EINVAL');
  t.equal(await kindOf(() => client.log(whiteout)), 'EINVAL', 'it is awaited');
  client.change(unlink(home, 'f'));
  t.equal(parts.quota.used.files, 1);
});
