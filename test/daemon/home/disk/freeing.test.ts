/*
 * What gives back the blocks of large files: another thread, while others are answered.
 */
import { readdirSync, readlinkSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import t from 'tap';
import { LEASE_WRITE } from '../../../../protocol/methods.js';
import { packOperation } from '../../../../protocol/operations.js';
import { fd as brandFd } from '../../../../posix/fd.js';
import { onDiskThread } from '../../../../daemon/home/disk/disk-threads.js';
import { idOf } from '../../../../daemon/home/disk/file-ids.js';
import { Unfinished } from '../../../../daemon/home/calls/unfinished.js';
import { Failure } from '../../../../protocol/failure.js';
import { ref } from '../../../lib/path-client.js';
import { Place, TestClient } from '../fixture.js';
import { create, partsTest, refTo, rename, setattr, unlink, write } from '../home-parts.js';

const LARGE = Buffer.alloc(2 ** 20, 'x');

/** The former names of files without one that this process has open in a directory, sorted. */
function unnamed(directory: string): string[] {
  const suffix = ' (deleted)';
  return readdirSync('/proc/self/fd')
    .flatMap((fd) => {
      try {
        return [readlinkSync(`/proc/self/fd/${fd}`)];
      } catch {
        return []; // the one that listed them
      }
    })
    .filter((path) => path.startsWith(directory) && path.endsWith(suffix))
    .map((path) => basename(path.slice(0, -suffix.length)))
    .toSorted();
}

// A thread that has started keeps descriptors of its own.
await onDiskThread(t, 'fsync', brandFd(process.stdout.fd)).catch(() => undefined);

partsTest('the blocks of a large file are not given back by who removes its name', {}, async (t, parts) => {
  const client = parts.client();
  const [, , , held] = ['first', 'removed', 'replaced', 'held', 'small'].map((name) => {
    const file = client.changed(create(parts.home, name));
    client.change(write(refTo(file), 0, name === 'small' ? 'small' : LARGE));
    return file;
  });
  if (held === undefined) throw new Error('no file');
  client.held.hold(parts.identities.file(refTo(held)));
  // The others have their turns only when this thread has heard that this one is closed.
  client.change(unlink(parts.home, 'first'));
  client.change(unlink(parts.home, 'removed'));
  client.change(rename([parts.home, 'small'], [parts.home, 'replaced']));
  client.change(unlink(parts.home, 'held'));
  client.held.release(idOf(held));
  client.change(unlink(parts.home, 'replaced'));
  const open = unnamed(parts.directory).filter((name) => name !== 'first');
  t.strictSame(open, ['held', 'removed', 'replaced'], 'but a small one goes at once');
  t.strictSame(parts.quota.used, { bytes: 0, files: 0 }, 'their room is free');
  while (unnamed(parts.directory).length > 0) await nextTurn();
});

partsTest('who meets a full disk waits for what is given back', {}, async (t, parts) => {
  const client = parts.client();
  const { freeing } = parts.held;
  const file = client.changed(create(parts.home, 'large'));
  client.change(write(refTo(file), 0, LARGE));
  const full = new Failure('ENOSPC', 'the disk is full');
  const meet = (failure: Failure): unknown => {
    try {
      return freeing.whenFull(() => {
        throw failure;
      });
    } catch (error) {
      return error;
    }
  };
  t.equal(meet(full), full, 'nothing is given back');
  client.change(unlink(parts.home, 'large'));
  const unfinished = meet(full);
  if (!(unfinished instanceof Unfinished)) throw new Error('it does not wait');
  const other = new Failure('EDQUOT', 'the quota is used up');
  t.equal(meet(other), other);
  await unfinished.until;
  t.strictSame(unnamed(parts.directory), []);
  t.equal(meet(full), full);
});

void t.test('others are answered while a large file is cut, and who changes it comes after', async (t) => {
  const home = await new Place(t).open();
  const one = new TestClient(home);
  const other = new TestClient(home);
  await one.paths.put('f', LARGE);
  const cut = one.paths.setattr('f', { size: 1 });
  const changes = [
    one.paths.write('f', 1, 'yz'),
    other.paths.setattr('f', { mode: 0o600 }),
    other.paths.rename('f', 'g'),
  ];
  let isCut = false;
  void cut.then(() => {
    isCut = true;
  });
  t.equal((await other.paths.stat('f')).size, LARGE.length, 'the size is as it was');
  t.notOk(isCut);
  t.equal((await cut).size, 1);
  await Promise.all(changes);
  t.equal((await one.paths.read('g')).toString(), 'xyz');
  const { ledger, tree } = await home.check(false);
  t.strictSame(ledger, tree);
});

void t.test('a log that cuts a large file goes on behind that', async (t) => {
  const place = new Place(t);
  const home = await place.open();
  const client = new TestClient(home, { wants: LEASE_WRITE });
  await client.paths.put('f', LARGE);
  const file = ref('f');
  const operations = [setattr(file, { size: 0 }), write(file, 0, 'new')];
  const applied = client.call('apply', [1, operations.map(packOperation), null]);
  let isApplied = false;
  void applied.then(() => {
    isApplied = true;
  });
  await client.call('statfs', []);
  t.notOk(isApplied, 'others are answered meanwhile');
  t.match(await applied, [2]);
  t.equal(readFileSync(join(place.directory, 'f'), 'utf8'), 'new');
});
