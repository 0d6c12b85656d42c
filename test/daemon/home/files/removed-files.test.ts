import { pread } from '../../../../posix/files.js';
import { KEPT_MS } from '../../../../daemon/home/files/removed-files.js';
import { remotePath } from '../../../../protocol/ids.js';
import type { FileId, FileRef } from '../../../../protocol/references.js';
import { create, partsTest, refTo, release, rename, unlink, write, type Parts } from '../home-parts.js';
import { kindOf } from '../fixture.js';

function textOf(parts: Parts, file: FileRef): string {
  const { fd, status } = parts.identities.readable(file);
  const text = Buffer.alloc(status.size);
  pread(fd, text, 0, text.length, 0);
  return text.toString();
}

/** A file with these bytes, and another one that is renamed over it. */
function replaced(parts: Parts, text: string): FileRef {
  const client = parts.client();
  const old = refTo(client.changed(create(parts.home, 'f')));
  client.change(write(old, 0, text));
  client.change(create(parts.home, 'g'));
  client.change(rename([parts.home, 'g'], [parts.home, 'f']));
  return old;
}

partsTest('a file that was replaced a moment ago can be read by who was told of it', {}, async (t, parts) => {
  parts.client();
  const old = replaced(parts, 'old');
  t.equal(textOf(parts, old), 'old');
  t.strictSame(parts.quota.used, { bytes: 0, files: 1 }, 'its room was given back with its name');
  t.equal(await kindOf(() => parts.identities.writable(old)), 'ESTALE', 'nobody would be charged for it');
  parts.clock.pass(KEPT_MS);
  t.equal(await kindOf(() => parts.identities.readable(old)), 'ESTALE');
});

partsTest('who opens it keeps it, and it is charged until it is closed', { bytes: 8 }, (t, parts) => {
  const other = parts.client();
  const old = replaced(parts, 'old');
  t.equal(other.held.hold(parts.identities.file(old)).nlink, 0);
  t.strictSame(parts.quota.used, { bytes: 3, files: 2 });
  parts.clock.pass(2 * KEPT_MS);
  t.equal(textOf(parts, old), 'old');
  other.change(write(old, 3, 'er'));
  t.equal(textOf(parts, old), 'older');
  other.change(release(old as FileId));
  t.strictSame(parts.quota.used, { bytes: 0, files: 1 });
});

partsTest('where the room that it had is used by others, it is gone', { bytes: 4 }, async (t, parts) => {
  const other = parts.client();
  const old = replaced(parts, 'old');
  other.change(
    write(refTo(parts.identities.file({ ino: null, path: remotePath(Buffer.from('f')) }).status), 0, 'new'),
  );
  t.equal(await kindOf(() => other.held.hold(parts.identities.file(old))), 'EDQUOT');
  t.strictSame(parts.quota.used, { bytes: 3, files: 1 });
});

partsTest('a home with one client keeps nothing, nor do the operations of a log', {}, async (t, parts) => {
  const old = replaced(parts, 'old');
  t.equal(await kindOf(() => parts.identities.readable(old)), 'ESTALE');
  const client = parts.client();
  client.log(unlink(parts.home, 'f'));
  t.equal(
    await kindOf(() => parts.identities.file({ ino: null, path: remotePath(Buffer.from('f')) })),
    'ENOENT',
  );
});

partsTest('those removed last are kept, and no more descriptors than that', {}, async (t, parts) => {
  parts.client();
  const client = parts.client();
  const files = Array.from({ length: 100 }, (_, i) => refTo(client.changed(create(parts.home, `${i}`))));
  for (const [i] of files.entries()) client.change(unlink(parts.home, `${i}`));
  const kinds = await Promise.all(files.map((file) => kindOf(() => parts.identities.readable(file))));
  t.strictSame(kinds.slice(0, 36), Array<string>(36).fill('ESTALE'));
  t.strictSame(kinds.slice(36), Array<string>(64).fill('no failure'));
});
