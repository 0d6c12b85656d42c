/*
 * One upload by itself: what becomes of it where the disk cannot keep what it had taken.
 */
import { createHash } from 'node:crypto';
import t from 'tap';
import { Call } from '../../../../daemon/home/calls/call.js';
import { Freeing } from '../../../../daemon/home/disk/freeing.js';
import { SequentialHash } from '../../../../daemon/home/transfers/hashing.js';
import { Upload, type UploadHost } from '../../../../daemon/home/transfers/upload.js';
import { remotePath } from '../../../../protocol/ids.js';
import { LEASE_NONE } from '../../../../protocol/methods.js';
import { close } from '../../../../posix/files.js';
import { socketpair } from '../../../../posix/sockets.js';
import { SyncGroup } from '../../../../daemon/home/disk/sync-group.js';
import { Turns } from '../../../../daemon/home/calls/turns.js';
import { kindOf } from '../fixture.js';

const NOTHING = Buffer.alloc(0);

function nothing(): void {}

/** An empty upload to a file that cannot be synced, and what was asked of its host. */
function unsyncable(): { upload: Upload; asked: string[] } {
  const asked: string[] = [];
  const [fd, other] = socketpair();
  close(other);
  const host: Omit<UploadHost, 'account'> = {
    syncs: new SyncGroup({ root: fd, openDirectory: () => fd }),
    turns: new Turns(),
    freeing: new Freeing({ requireDescriptor: nothing, openAt: () => fd }),
    whenRoom: (_owner, _call, attempt) => attempt(),
    whenChangeable: () => Promise.resolve(),
    record: () => Promise.resolve(),
    publish: () => {
      asked.push('publish');
      return Promise.reject(new Error('published'));
    },
    discard: () => asked.push('discard'),
    closed: () => asked.push('closed'),
  };
  const owner = {
    ...({ wants: LEASE_NONE, present: true, ended: false, lastHeard: 0 } as const),
    ...{ lease: nothing, recall: nothing },
  } as const;
  const target = {
    ...{ path: remotePath(Buffer.from('f')), mode: 0o600, mtime: { sec: 1, nsec: 0 } },
    source: { size: 0, fingerprint: Buffer.alloc(32) },
  };
  const options = { owner: { ...owner, leasesLost: nothing }, target, partial: 'partial', fd };
  const upload = new Upload(host as UploadHost, { ...options, hash: new SequentialHash() });
  return { upload, asked };
}

void t.test('what the disk could not keep is thrown away: it would not say so again', async (t) => {
  const { upload, asked } = unsyncable();
  const md5 = createHash('md5').update(NOTHING).digest();
  t.equal(await kindOf(() => upload.finish(md5, [], new Call())), 'EINVAL', 'as a socket says');
  t.strictSame(asked, ['discard', 'closed']);
  t.equal(await kindOf(() => upload.finish(md5, [], new Call())), 'EBADF');
});
