/*
 * fusermount3 opens /dev/fuse as the user who calls it, so the device must be open to all, as distributions have it.
 * Where root finds it otherwise, a test program runs in a mount namespace of its own with a device there that is.
 */
import { existsSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { temporaryDirectory } from './directory.js';

const DEVICE = '/dev/fuse';
const SCRIPT = `mknod -m 666 "$1/fuse" c 10 229 && mount --bind "$1/fuse" ${DEVICE} && exec "$2" "$3"`;

/**
 * True where ordinary users can mount, and the program goes on. Else the program is run anew as a subtest in which it
 * is true, or (without the device, or not as root) the reason why it cannot be is the whole plan.
 */
export function deviceIsOpen(moduleUrl: string): boolean {
  if (!existsSync(DEVICE)) {
    t.plan(0, 'needs /dev/fuse');
    return false;
  }
  if ((statSync(DEVICE).mode & 0o006) === 0o006) return true;
  if (process.geteuid?.() !== 0) {
    t.plan(0, 'needs a /dev/fuse that this user may open');
    return false;
  }
  const args = [temporaryDirectory(t), process.execPath, fileURLToPath(moduleUrl)];
  t.spawn('unshare', ['--mount', 'sh', '-ec', SCRIPT, 'sh', ...args], 'with the device open to all');
  return false;
}
