import t from 'tap';
import { argumentsOfMount, isCalledByMount } from '../../mount/called-by-mount.js';

t.test('known by its name', async (t) => {
  t.ok(isCalledByMount(['/usr/bin/node', '/sbin/mount.ftpmount', 'host:', '/mnt']));
  t.notOk(isCalledByMount(['/usr/bin/node', '/usr/bin/ftpmount', 'host:', '/mnt']));
});

t.test('flags of mount(8) are not those of ftpmount', async (t) => {
  t.strictSame(argumentsOfMount(['host:', '/mnt', '-v', '-sn', '-t', 'ftpmount', '-o', 'rw,port=1']), [
    'host:',
    '/mnt',
    '-o',
    'rw,port=1',
  ]);
  t.equal(argumentsOfMount(['host:', '/mnt', '-f', '-o', 'rw']), undefined, 'mount --fake');
  t.throws(() => argumentsOfMount(['host:', '/mnt', '-x']), {
    name: 'Failure',
    message: "Unknown option '-x': mount.ftpmount is for mount(8)",
  });
});
