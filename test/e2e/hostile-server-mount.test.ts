/*
 * A real ftpmount and a server that lies to it. Whatever it answers, operations on the mount end, nothing of this machine
 * shows in it, and it can be unmounted.
 */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { MAX_DATA } from '../../protocol/limits.js';
import { attributesOf, DIRECTORY, EvilServer, FILE, SYMLINK, type Lie } from '../lib/evil-server.js';
import { forceUnmount, mountAt, untilMounted } from '../lib/mounts.js';
import { programs } from '../lib/programs.js';
import { run } from '../lib/run.js';
import { PATIENCE_MS, Service } from '../lib/service.js';

/** A mount of an evil server that ends with the test, whatever state it is in. */
async function mountOf(t: Test, server: EvilServer): Promise<{ mountpoint: string; service: Service }> {
  const mountpoint = path.join(server.directory, 'mnt');
  mkdirSync(mountpoint);
  const service = new Service(
    t,
    process.execPath,
    [programs.ftpmount, server.at(), mountpoint, '-f', '-o', 'soft=1', ...server.login],
    { env: server.env, mountpoint, cwd: '/' },
  );
  t.teardown(() => forceUnmount(mountpoint));
  if (!(await untilMounted(mountpoint, () => service.ended, PATIENCE_MS))) throw new Error(service.output);
  return { mountpoint, service };
}

await t.test('a mount of a server that lies', async (t) => {
  const dir = (name: string, ino: number): unknown => [Buffer.from(name), attributesOf(DIRECTORY, ino)];
  let flips = 0;
  const cases: Record<string, Record<string, Lie>> = {
    'a directory that is its own parent': {
      getattr: () => attributesOf(DIRECTORY, 1),
      readdir: () => [attributesOf(DIRECTORY, 1), [dir('sub', 1)], null],
    },
    'a directory that is in itself': {
      getattr: ({ params }) => attributesOf(DIRECTORY, String(params[0]) === '' ? 1 : 20),
      readdir: () => [attributesOf(DIRECTORY, 20), [dir('sub', 20)], null],
    },
    'names that are there twice': {
      readdir: () => [
        attributesOf(DIRECTORY, 1),
        [
          [Buffer.from('plain'), attributesOf(FILE)],
          [Buffer.from('plain'), attributesOf(DIRECTORY, 30)],
          [Buffer.from('plain'), attributesOf(SYMLINK, 31)],
        ],
        null,
      ],
    },
    'a type that changes all the time': {
      getattr: ({ params }) =>
        attributesOf(
          String(params[0]) === '' || flips++ % 2 === 0 ? DIRECTORY : FILE,
          String(params[0]) === '' ? 1 : 40,
        ),
    },
    'a root that is a file': { getattr: () => attributesOf(FILE, 1) },
    'names that lead elsewhere': {
      readdir: () => [
        attributesOf(DIRECTORY, 1),
        [[Buffer.from('../../etc'), attributesOf(DIRECTORY, 50)]],
        null,
      ],
    },
    'more data than asked for': {
      read: () => Buffer.alloc(MAX_DATA),
      open: () => [1, attributesOf(FILE), Buffer.alloc(131_072)],
    },
    'sizes beyond all measure': {
      getattr: ({ params }) => attributesOf(String(params[0]) === '' ? DIRECTORY : FILE, 60, 2 ** 53 - 1),
    },
  };
  await Promise.all(
    Object.entries(cases).map(async ([name, lies]) => {
      const server = await EvilServer.start(t, lies);
      const { mountpoint, service } = await mountOf(t, server);
      const look =
        'ls -la . sub sub/sub plain; cat plain; stat sub/sub/sub; ls -la sub; cat plain >/dev/null; head -c 10 plain; cp plain /dev/null; find . -maxdepth 5 | head -50; true';
      const looked = await run('timeout', ['-s', 'KILL', '15', 'sh', '-c', look], { cwd: mountpoint });
      t.not(looked.code, 137, `${name}: everything is answered, one way or another`);
      t.notMatch(looked.stdout + looked.stderr, /root:.*:0:0:/, `${name}: nothing of this machine is shown`);
      t.equal(service.ended, false, `${name}: ftpmount goes on\n${service.output.slice(-500)}`);
      t.equal((await run('umount', [mountpoint])).code, 0, `${name}: it can be unmounted`);
      t.equal(
        (await service.ends()).code,
        0,
        `${name}: ftpmount ends in order\n${service.output.slice(-500)}`,
      );
      t.notMatch(service.output, /internal error|TypeError|RangeError|    at /);
      t.equal(mountAt(mountpoint), undefined);
    }),
  );
});
