/* Whose an uploaded file is, and that none of its set-id bits reaches the disk. */
import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { remotePath } from '../../../protocol/ids.js';
import { SETATTR, type SetAttributes } from '../../../protocol/operations.js';
import type { FileRef } from '../../../protocol/references.js';
import { homeTest, TestClient } from './fixture.js';

const FINGERPRINT = Buffer.alloc(32, 5);

function md5Of(bytes: Buffer): Buffer {
  return createHash('md5').update(bytes).digest();
}

function setattrOf(file: FileRef): SetAttributes {
  return { kind: SETATTR, file, mode: null, size: null, atime: null, mtime: null, time: null };
}

homeTest('set-id bits of an upload do not reach the disk', {}, async (t, home, place) => {
  const client = new TestClient(home);
  const [handle] = await client.call('uploadBegin', ['f', 3, 0o7755, 1, 5, FINGERPRINT]);
  await client.call('uploadWrite', [handle, 0, Buffer.from('abc')]);
  const left = await client.call('uploadFinish', [handle, md5Of(Buffer.from('abc'))]);
  t.match(left, { mode: 0o101755 });
  t.equal(statSync(join(place.directory, 'f')).mode, 0o101755);
  const small = Buffer.from('xyz');
  const told = await client.call('uploadFiles', [[[Buffer.from('g'), 3, 0o7711, 1, 5, md5Of(small)]], small]);
  t.same(told, [null]);
  t.equal(statSync(join(place.directory, 'g')).mode, 0o101711);
});

homeTest(
  'an upload belongs to whom the file belonged that it replaces, else to whom its directory does',
  { posixOwners: true },
  async (t, home) => {
    const client = new TestClient(home);
    const upload = async (path: string): Promise<unknown> => {
      const [handle] = await client.call('uploadBegin', [path, 3, 0o4755, 1, 5, FINGERPRINT]);
      await client.call('uploadWrite', [handle, 0, Buffer.from('abc')]);
      const { mode, owner } = await client.call('uploadFinish', [handle, md5Of(Buffer.from('abc'))]);
      return { mode, owner };
    };
    const owner = (uid: number, gid: number) => ({ uid, gid });
    t.strictSame(await upload('f'), { mode: 0o100755, owner: owner(0, 0) });
    const d = { path: remotePath(Buffer.from('d')), ino: null };
    await client.paths.mkdir('d');
    await client.paths.change({ ...setattrOf(d), uid: 5, gid: 6 });
    t.strictSame(await upload('d/f'), { mode: 0o100755, owner: owner(5, 6) });
    await client.paths.change({
      ...setattrOf({ ...d, path: remotePath(Buffer.from('d/f')) }),
      uid: 7,
      mode: 0o6700,
    });
    t.strictSame(await upload('d/f'), { mode: 0o100755, owner: owner(7, 6) }, 'and no set-id bit is left');
  },
);
