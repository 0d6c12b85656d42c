import t from 'tap';
import { Failure } from '../../protocol/failure.js';
import { atimePolicies, parseMountOptions } from '../../mount/options.js';

t.test('what sshfs users write is understood', async (t) => {
  const options = parseMountOptions([
    'ro,allow_other,uid=1000,gid=100',
    'umask=077,port=2222,default_permissions',
  ]);
  t.match(options, {
    flags: { readOnly: true, allowOther: true },
    uid: 1000,
    gid: 100,
    umask: 0o077,
    port: 2222,
  });
});

t.test('later options win, as in mount(8)', async (t) => {
  t.equal(parseMountOptions(['ro', 'rw']).flags.readOnly, false);
  t.equal(parseMountOptions(['uid=1,uid=2']).uid, 2);
});

t.test('options of fstab and systemd are accepted, those of mount(2) handed on', async (t) => {
  const options = parseMountOptions([
    'defaults,_netdev,noauto,x-systemd.automount,nosuid,nodev,noexec,reconnect',
    'ServerAliveInterval=15,ServerAliveCountMax=3,kernel_cache,idmap=user',
  ]);
  t.match(options.flags, { suid: false, dev: false, noexec: true });
});

t.test('of options about times of access the last one counts', async (t) => {
  for (const [options, files, directories] of [
    ['', 'noatime', 'noatime'],
    ['relatime', 'relatime', 'relatime'],
    ['strictatime,nodiratime', 'strictatime', 'noatime'],
    ['nodiratime', 'relatime', 'noatime'],
    ['strictatime,noatime', 'noatime', 'noatime'],
    ['noatime,relatime', 'relatime', 'relatime'],
    ['relatime,norelatime', 'noatime', 'noatime'],
    ['nodiratime,diratime,strictatime', 'strictatime', 'strictatime'],
    ['noatime,atime', 'noatime', 'noatime'],
    ['strictatime,ro', 'noatime', 'noatime'],
  ] as const) {
    t.strictSame(atimePolicies(parseMountOptions([options])), { files, directories }, options);
  }
  t.equal(parseMountOptions(['noatime,strictatime']).flags.noatime, false, 'the kernel is told, too');
});

t.test('mount(8) says suid and dev whether root has said so or not', async (t) => {
  t.strictSame(parseMountOptions(['rw,noatime,dev,suid']).flags, { readOnly: false, noatime: true });
  t.match(parseMountOptions(['ro,allow_suid,allow_dev,dev,suid']).flags, { suid: true, dev: true });
  t.match(parseMountOptions(['rw,nosuid,nodev']).flags, { suid: false, dev: false });
  t.match(
    parseMountOptions(['allow_other,suid,dev']).flags,
    { suid: true, dev: true },
    'root did say it here',
  );
});

for (const [wrong, says] of [
  ['colour', /unknown mount option 'colour': use accept_new, /],
  ['transform_symlinks', /unknown mount option 'transform_symlinks'/],
  ['uid=alice', /'uid=alice' is wrong: give a number/],
  ['umask=99', /octal/],
  ['port=0', /from 1 to 65535/],
  ['keepalive=0', /'keepalive=0' is wrong: give a number from 1 to 15/],
  ['keepalive=16', /from 1 to 15/],
  ['port', /needs a value/],
  ['ro=1', /takes no value/],
  ['acl,umask=022', /'acl' and 'umask=' contradict/],
] as const) {
  t.test(`-o ${wrong} is refused with what to do`, async (t) => {
    try {
      parseMountOptions([wrong]);
      t.fail('accepted');
    } catch (thrown) {
      t.ok(thrown instanceof Failure);
      t.match(thrown, { kind: 'USAGE', message: says });
    }
  });
}
