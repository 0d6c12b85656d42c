/*
 * Syncs that are served together: each is told about its own file.
 */
import { openSync } from 'node:fs';
import t from 'tap';
import { SyncGroup } from '../../../daemon/home/sync-group.js';
import { fd } from '../../../posix/fd.js';
import { close } from '../../../posix/files.js';
import { socketpair } from '../../../posix/sockets.js';
import { temporaryDirectory } from '../../lib/directory.js';
import { kindOf } from './fixture.js';

t.test('one that the disk refuses fails alone, however many are synced together', async (t) => {
  const directory = temporaryDirectory(t);
  const [root, file] = [fd(openSync(directory, 'r')), fd(openSync(`${directory}/f`, 'w'))];
  const [socket, other] = socketpair();
  t.teardown(() => {
    for (const each of [root, file, socket, other]) close(each);
  });
  const kinds = (group: SyncGroup, ...files: (typeof root)[]): Promise<string[]> =>
    Promise.all(files.map((each) => kindOf(() => group.sync(each))));
  const group = new SyncGroup({ root });
  t.same(await kinds(group, socket), ['EINVAL'], 'as a socket says');
  t.same(await kinds(group, file, root), ['no failure', 'no failure']);
  // Nothing can be said of all where all cannot be synced.
  const blind = new SyncGroup({ root: fd(1 << 20) });
  t.same(await kinds(blind, file, socket, root), ['no failure', 'EINVAL', 'no failure']);
});
