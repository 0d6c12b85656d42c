import { pread } from '../../../../posix/files.js';
import type { Status } from '../../../../posix/status.js';
import { TMPFILE, type Operation } from '../../../../protocol/operations.js';
import type { FileRef } from '../../../../protocol/references.js';
import { create, openDescriptors, partsTest, refTo, release, unlink, write } from '../home-parts.js';
import { idOf } from '../../../../daemon/home/disk/file-ids.js';
import { kindOf } from '../fixture.js';

function tmpfile(directory: FileRef): Operation {
  return { kind: TMPFILE, directory, time: null, mode: 0o600 };
}

partsTest(
  'one file too many of a home is ENFILE, whoever has the others',
  { maxOpenFiles: 2 },
  async (t, parts) => {
    const [one, two] = [parts.client(), parts.client()];
    const second = one.changed(create(parts.home, 'b'));
    const [a, b, c] = [
      refTo(one.changed(create(parts.home, 'a'))),
      refTo(second),
      refTo(one.changed(create(parts.home, 'c'))),
    ];
    one.held.hold(parts.identities.file(a));
    two.held.hold(parts.identities.file(b));
    t.equal(await kindOf(() => two.held.hold(parts.identities.file(c))), 'ENFILE');
    t.equal(await kindOf(() => one.change(unlink(parts.home, 'c', { hold: true }))), 'ENFILE');
    t.equal(parts.identities.file(c).status.nlink, 1, 'it is there as before');
    two.held.hold(parts.identities.file(a));
    two.change(release(idOf(second)));
    two.held.hold(parts.identities.file(c));
  },
);

partsTest(
  'what a log has removed is held also where others have all',
  { maxOpenFiles: 2 },
  async (t, parts) => {
    const [one, two] = [parts.client(), parts.client()];
    const names = ['a', 'b', 'c', 'd', 'e'];
    const [a, b, ...removed] = names.map((name) => one.changed(create(parts.home, name)));
    one.held.hold(parts.identities.file(refTo(a as Status)));
    one.held.hold(parts.identities.file(refTo(b as Status)));
    two.log(unlink(parts.home, 'c', { hold: true }), unlink(parts.home, 'd', { hold: true }));
    for (const status of removed.slice(0, 2)) {
      two.log(write(refTo(status), 0, 'still there'));
      t.equal(parts.identities.file(refTo(status)).status.size, 11);
    }
    t.equal(parts.held.unlinked().files, 2);
    t.equal(
      await kindOf(() => two.log(unlink(parts.home, 'e', { hold: true }))),
      'ENFILE',
      'but not more than it was told that it may have open',
    );
  },
);

partsTest('a held file that is written is still one descriptor', {}, (t, parts) => {
  const client = parts.client();
  const made = client.changed(create(parts.home, 'f'));
  client.change(write(refTo(made), 0, 'before'));
  client.change(unlink(parts.home, 'f', { hold: true }));
  parts.identities.close();
  const open = openDescriptors();
  const { fd: reading } = parts.identities.readable(refTo(made));
  client.change(write(refTo(made), 6, ' and after'));
  t.equal(openDescriptors(), open);
  const bytes = Buffer.alloc(20);
  t.equal(bytes.toString('latin1', 0, pread(reading, bytes, 0, 20, 0)), 'before and after');
});

partsTest('all homes leave descriptors to others', { descriptors: 30 }, async (t, parts) => {
  const client = parts.client();
  const before = openDescriptors();
  const files = Array.from({ length: 60 }, (_, at) => client.changed(create(parts.home, `f${at}`)));
  t.ok(openDescriptors() <= before + 30, 'files are forgotten that nobody has open');
  const hold = (status: Status): Promise<string> =>
    kindOf(() => client.held.hold(parts.identities.file(refTo(status))));
  const held = [];
  for (const status of files) held.push(await hold(status));
  t.ok(held.includes('no failure'));
  t.equal(held.at(-1), 'ENFILE');
  t.ok(openDescriptors() <= before + 40);
  t.same(client.grant.inodes.make(10, 0).files, [], 'nor are there any ahead');
  client.change(write(refTo(files[0] as Status), 0, 'one that is open can be written'));
  t.equal(await kindOf(() => client.change(tmpfile(parts.home))), 'ENFILE');
  t.same(client.change(unlink(parts.home, 'f59')).length, 1, 'what is needed for a moment is there');
});
