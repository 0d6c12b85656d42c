/* The suite on a home that is mounted by the other driver: without what its header says that it cannot. */
import { createRequire } from 'node:module';
import t from 'tap';
import { startDaemon } from '../lib/daemon.js';
import { mountHome } from '../lib/mounted.js';
import { runSuite } from './run-suite.js';
import { suite } from './suite.js';
import { xattrs } from './suite/xattrs.js';

/**
 * libfuse 2 gives each path an inode number of its own, and names that are not UTF-8 do not come through; a directory goes with
 * its name, as do a symlink and a FIFO; a listing is numbered anew; it knows no time of birth. fuse-native takes no time before
 * 1970, and no chown to -1. Extended attributes are not
 * given on.
 */
const CANNOT = new Set([
  'links: hard links are one file',
  'links: a symlink and a FIFO keep their inode number',
  'names: names of any bytes',
  'directories: a removed directory that is open has no link',
  'directories: a removed directory that is open is changed like another one',
  'directories: a file without a name in a removed directory',
  'links: a removed symlink that is open says where it points',
  'special: a removed fifo that is open is changed like another file',
  'directories: seekdir goes back to where telldir was, whatever came and went',
  'attributes: chown to who owns it already moves ctime, and takes the set-id bits of a program',
  'attributes: times before 1970, after 2038 and beyond what a disk can have',
  'attributes: the time of birth is told, and stays',
  'renames: a rename leaves a whiteout',
  // It has no fallocate.
  ...Object.keys(suite['space'] ?? {}).map((name) => `space: ${name}`),
  ...Object.keys(xattrs).map((name) => `xattrs: ${name}`),
]);

function isInstalled(): boolean {
  try {
    createRequire(import.meta.url).resolve('fuse-native');
    return true;
  } catch {
    return false; // an optional dependency
  }
}

if (isInstalled()) {
  const daemon = await startDaemon(t, { users: { alice: { quota: '1G' } } });
  const mounted = await mountHome(t, daemon, 'alice', { args: ['--driver', 'fuse-native'] });
  runSuite(t, mounted.mountpoint, CANNOT);
} else {
  t.test('the suite by fuse-native', { skip: 'fuse-native is not installed' }, () => {});
}
