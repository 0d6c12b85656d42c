/**
 * Real mounts by root, with mount(2): how they are used and all the ways in which they end. What an ordinary user has
 * is in session-user.test.ts.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { open, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { mountAt } from '../../../mount/fuse/mountinfo.js';
import { OpenFile } from '../../lib/open-files.js';
import { NOBODY } from './drop-privileges.js';
import { exercise, me, run, Served, umount } from './served-mount.js';

const skip = existsSync('/dev/fuse') && me === 0 ? false : 'needs /dev/fuse and root';

/** Tries again until it holds: for what the kernel does when it gets to it. */
async function eventually<T>(attempt: () => Promise<T>, holds: (value: T) => boolean): Promise<T> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    const value = await attempt();
    if (holds(value) || Date.now() > deadline) return value;
  }
}

const exists = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  );

t.test('root works in a mount, and umount ends it', { skip }, async (t) => {
  const served = new Served(t, 0);
  await served.report('ready');
  t.equal(await exercise(served.mountpoint, 0), 'ok');
  t.equal(await run(...umount(served.mountpoint), 0), 'ok');
  t.match(await served.report('unmounted'), { destroyed: true, openHandles: 0 });
  t.strictSame(await served.exited, [0, null]);
});

t.test('others may enter only where it is allowed', { skip }, async (t) => {
  for (const allowOther of [false, true]) {
    const served = new Served(t, 0, { allowOther, defaultPermissions: true });
    await served.report('ready');
    const listing = await run('ls', [served.mountpoint], NOBODY);
    t.match(listing, allowOther ? 'ok' : /Permission denied/);
    await served.unmount();
  }
});

t.test('ro, nosuid and nodev are flags of the mount', { skip }, async (t) => {
  const served = new Served(t, 0, { readOnly: true });
  await served.report('ready');
  t.match(await run('touch', [join(served.mountpoint, 'x')], 0), /Read-only file system/);
  const options = execFileSync('findmnt', ['-no', 'OPTIONS', served.mountpoint], { encoding: 'utf8' });
  t.match(options, /^ro,nosuid,nodev,/);
  await served.unmount();
});

t.test('unmounting what is in use is refused; by force it is taken away', { skip }, async (t) => {
  const served = new Served(t, 0);
  await served.report('ready');
  await served.order({ type: 'create', name: 'file' });
  const file = await open(join(served.mountpoint, 'file'), 'r+');
  t.match(await served.order({ type: 'unmount', force: false }), { kind: 'EBUSY' });
  await file.write('still served');
  t.match(await served.unmount(true), { destroyed: true });
  t.equal(mountAt(served.mountpoint), undefined);
  await t.rejects(file.write('no more'), { code: 'ENOTCONN' });
  await file.close().catch(() => {}); // flush fails, too
  t.strictSame(await served.exited, [0, null]);
});

t.test('an aborted connection ends the process and frees the mount point', { skip }, async (t) => {
  const served = new Served(t, 0);
  await served.report('ready');
  const minor = mountAt(served.mountpoint)?.device.split(':')[1];
  const connections = '/sys/fs/fuse/connections';
  if (readdirSync(connections).length === 0) execFileSync('mount', ['-t', 'fusectl', 'fusectl', connections]);
  writeFileSync(`${connections}/${minor}/abort`, '1');
  t.match(await served.report('unmounted'), { destroyed: true });
  t.equal(mountAt(served.mountpoint), undefined);
  t.strictSame(await served.exited, [0, null]);
});

t.test('the kernel keeps what it was told until it is told otherwise', { skip }, async (t) => {
  const served = new Served(t, 0, { validMs: 1e12 });
  await served.report('ready');
  const path = join(served.mountpoint, 'file');
  t.notOk(await exists(path));
  await served.order({ type: 'create', name: 'file' });
  t.notOk(await exists(path), 'it keeps believing that there is no such name');
  await served.order({ type: 'invalidate', name: 'file' });
  t.ok(await eventually(() => exists(path), Boolean), 'until it is told');

  const file = await open(path, 'r');
  await served.order({ type: 'fill', name: 'file', letter: 'a' });
  const content = () => readFile(path, 'latin1');
  const holds = (letter: string) => (text: string) => text === letter.repeat(4096);
  t.ok(holds('a')(await eventually(content, holds('a'))), 'attributes and data');
  await served.order({ type: 'fill', name: 'file', letter: 'b' });
  const page = async () => {
    const { buffer } = await file.read(Buffer.alloc(4096), 0, 4096, 0);
    return buffer.toString('latin1');
  };
  t.ok(holds('b')(await eventually(page, holds('b'))), 'data of an open file');
  await file.close();
  await served.unmount();
});

t.test('a notification that waits for a lock does not keep answers back', { skip }, async (t) => {
  const served = new Served(t, 0);
  await served.report('ready');
  // mkdir holds the lock of the directory until it is answered, and forgetting a name of the directory takes it.
  const made = run('mkdir', [join(served.mountpoint, 'slow')], 0);
  await served.report('hanging');
  await served.order({ type: 'invalidate', name: 'other' });
  await run('stat', [served.mountpoint], 0);
  await served.order({ type: 'proceed' });
  t.equal(await made, 'ok');
  await served.unmount();
});

t.test('a process that ends while a notification waits frees who waits for it', { skip }, async (t) => {
  const served = new Served(t, 0);
  await served.report('ready');
  const made = run('mkdir', [join(served.mountpoint, 'slow')], 0);
  await served.report('hanging');
  // The kernel wants the lock of the directory for it, which mkdir has.
  await served.order({ type: 'invalidate', name: 'other' });
  served.tell({ type: 'exit' });
  await served.exited;
  t.match(await made, /^1: /);
});

t.test('no page is older than what was written past the page cache', { skip }, async (t) => {
  const served = new Served(t, 0);
  await served.report('ready');
  const file = join(served.mountpoint, 'slow-file');
  await writeFile(file, '');
  await truncate(file, 4096);
  const writer = new OpenFile(t, served.mountpoint);
  await writer.do('open', 'slow-file', 'r');
  const written = writer.do('writeDirectly', 'new');
  await served.report('hanging');
  t.equal((await readFile(file, 'latin1')).slice(0, 3), '\0\0\0');
  await served.order({ type: 'proceed' });
  await written;
  t.equal((await writer.do('read')).slice(0, 3), 'new');
  await writer.close();
  await served.unmount();
});
