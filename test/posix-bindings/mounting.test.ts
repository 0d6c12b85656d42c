/* mount and umount2: a mount appears and goes where the process may do that, else the kernel's refusal is told. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import t from 'tap';
import { MNT_DETACH, MS_NODEV, MS_NOSUID, UMOUNT_NOFOLLOW } from '../../posix/flags.js';
import { mount, umount2 } from '../../posix/mounting.js';

const CAP_SYS_ADMIN = 1n << 21n;
const capabilities = /^CapEff:\s+([0-9a-f]+)$/m.exec(fs.readFileSync('/proc/self/status', 'utf8'))?.[1];
const mayMount = (BigInt(`0x${capabilities}`) & CAP_SYS_ADMIN) !== 0n;

const target = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'ftpmount-mounting-')));
t.teardown(() => fs.rmSync(target, { recursive: true, force: true }));
const mounted = (): string | undefined =>
  fs
    .readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .find((line) => line.split(' ')[1] === target);

t.test(mayMount ? 'mounts and unmounts' : 'is refused without CAP_SYS_ADMIN', async (t) => {
  if (!mayMount) {
    t.throws(() => mount('none', target, 'tmpfs', 0, ''), { code: 'EPERM', syscall: 'mount' });
    t.equal(mounted(), undefined);
    return;
  }
  mount('ftpmount-test', Buffer.from(target), 'tmpfs', MS_NOSUID | MS_NODEV, 'size=64k,mode=700');
  t.teardown(() => {
    if (mounted() !== undefined) umount2(target, MNT_DETACH);
  });
  t.match(mounted(), /^ftpmount-test \S+ tmpfs rw,nosuid,nodev,\S*size=64k,mode=700/);
  umount2(target, UMOUNT_NOFOLLOW);
  t.equal(mounted(), undefined);
  t.throws(() => umount2(target, 0), { code: 'EINVAL', syscall: 'umount2' });
});

t.test('a NUL is not cut off', async (t) => {
  t.throws(() => umount2(`${target}\0x`, 0), { code: 'EINVAL' });
  t.throws(() => mount('none', `${target}\0x`, 'tmpfs', 0, ''), { code: 'EINVAL' });
});
