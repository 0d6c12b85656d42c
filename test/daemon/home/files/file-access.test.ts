/*
 * A daemon that is no superuser: what a program has open goes on, whatever the modes say.
 */
import { chownSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { pread } from '../../../../posix/files.js';
import type { FileRef } from '../../../../protocol/references.js';
import { create, partsTest, refTo, setattr, write, type Parts } from '../home-parts.js';

const NOBODY = 65_534;
const TEXT = 'words';

function textOf(parts: Parts, file: FileRef): string {
  const { fd } = parts.identities.readable(file);
  const text = Buffer.alloc(TEXT.length);
  pread(fd, text, 0, text.length, 0);
  return text.toString();
}

if (process.geteuid?.() !== 0) t.plan(0, 'only root can become another user');
else
  partsTest('a file that nobody may read or write', {}, (t, parts) => {
    const client = parts.client();
    const files = ['cold', 'held'].map((name) => refTo(client.changed(create(parts.home, name))));
    for (const [at, name] of ['cold', 'held'].entries()) {
      client.change(write(files[at] as FileRef, 0, TEXT));
      client.change(setattr(files[at] as FileRef, { mode: 0 }));
      chownSync(join(parts.directory, name), NOBODY, NOBODY);
    }
    for (let i = 0; i < 80; i++) parts.identities.readable(refTo(client.changed(create(parts.home, `${i}`))));
    chownSync(parts.directory, NOBODY, NOBODY);
    const [cold, held] = files as [FileRef, FileRef];
    process.seteuid?.(NOBODY);
    try {
      t.equal(textOf(parts, cold), TEXT, 'can be read by who has it open');
      client.held.hold(parts.identities.file(held));
      t.equal(textOf(parts, held), TEXT, 'also where it is held');
      client.change(write(held, 0, 'other'));
      t.equal(textOf(parts, held), 'other', 'and written');
      t.equal(parts.identities.file(cold).status.mode & 0o7777, 0, 'its mode is as it was');
    } finally {
      process.seteuid?.(0);
    }
  });
