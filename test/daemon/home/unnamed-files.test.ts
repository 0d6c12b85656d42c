/*
 * Files that are made without a name: charged and held from the start, and what gives them a name.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { idOf } from '../../../daemon/home/disk/file-ids.js';
import { TMPFILE, type Operation } from '../../../protocol/operations.js';
import { kindOf } from './fixture.js';
import { at, link, partsTest, refTo, release, write } from './home-parts.js';

partsTest('a file without a name is held, and may get one', { files: 2 }, async (t, parts) => {
  const client = parts.client();
  const unnamed: Operation = { kind: TMPFILE, directory: parts.home, time: at(1), mode: 0o4640 };
  const one = client.changed(unnamed);
  t.match(one, { mode: 0o100640, nlink: 0, size: 0, mtime: at(1) });
  const two = client.changed(unnamed);
  t.equal(await kindOf(() => client.change(unnamed)), 'EDQUOT');
  client.change(write(refTo(one), 0, 'data'));
  client.change(link(refTo(one), parts.home, 'named'));
  client.change(release(idOf(one)));
  client.change(release(idOf(two)));
  t.equal(readFileSync(join(parts.directory, 'named'), 'utf8'), 'data');
  t.strictSame(parts.quota.used, { bytes: 4, files: 1 });
  t.equal(await kindOf(() => client.log(unnamed)), 'EINVAL', 'it is awaited');
});
