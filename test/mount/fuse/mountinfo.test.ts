import t from 'tap';
import { mountAt, parseMountinfo } from '../../../mount/fuse/mountinfo.js';

t.test('reads the table', async (t) => {
  const text = [
    '22 28 0:20 / /sys rw,nosuid,nodev,noexec,relatime shared:7 - sysfs sysfs rw',
    '36 35 0:51 / /mnt/with\\040space\\134\\011\\303\\251 rw,noatime - fuse.ftpmount alice@host:a\\040b rw,user_id=0',
    '',
    'something else',
  ].join('\n');
  t.strictSame(parseMountinfo(text), [
    { mountpoint: '/sys', type: 'sysfs', source: 'sysfs', device: '0:20', owner: undefined },
    {
      mountpoint: '/mnt/with space\\\t\u00e9',
      type: 'fuse.ftpmount',
      source: 'alice@host:a b',
      device: '0:51',
      owner: 0,
    },
  ]);
});

t.test('knows what is mounted here', async (t) => {
  t.match(mountAt('/proc'), { mountpoint: '/proc', type: 'proc' });
  t.equal(mountAt('/proc/self'), undefined);
});
