/*
 * A real ftpmount and a server that lies to it. Whatever it answers, operations on the mount end, nothing of this machine
 * shows in it, and it can be unmounted.
 */
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import path from 'node:path';
import t, { type Test } from 'tap';
import { MAX_DATA } from '../../protocol/limits.js';
import {
  attributesOf,
  DIRECTORY,
  EvilServer,
  FILE,
  listing,
  notify,
  pathOf,
  ROOT,
  SYMLINK,
  type Lie,
} from '../lib/evil-server.js';
import { forceUnmount, mountAt, untilMounted } from '../lib/mounts.js';
import { programs } from '../lib/programs.js';
import { run } from '../lib/run.js';
import { PATIENCE_MS, Service } from '../lib/service.js';

function isRoot(params: readonly unknown[]): boolean {
  return pathOf(params[0]) === '';
}

/** A mount of an evil server that ends with the test, whatever state it is in. */
async function mountOf(
  t: Test,
  server: EvilServer,
  port = server.port,
): Promise<{ mountpoint: string; service: Service }> {
  const mountpoint = path.join(server.directory, 'mnt');
  mkdirSync(mountpoint);
  const service = new Service(
    t,
    process.execPath,
    [programs.ftpmount, server.at(), mountpoint, '-f', '-o', 'soft=1', ...server.login, '-p', String(port)],
    { env: server.env, mountpoint, cwd: '/' },
  );
  t.teardown(() => forceUnmount(mountpoint));
  if (!(await untilMounted(mountpoint, () => service.ended, PATIENCE_MS))) throw new Error(service.output);
  return { mountpoint, service };
}

t.test('a mount of a server that lies', async (t) => {
  const dir = (name: string, ino: number): unknown => [Buffer.from(name), attributesOf(DIRECTORY, ino), null];
  let flips = 0;
  const cases: Record<string, Record<string, Lie>> = {
    'a directory that is its own parent': {
      getattr: () => ROOT,
      lookup: () => [ROOT, null],
      list: () => listing(ROOT, [[Buffer.from('sub'), ROOT, null]]),
    },
    'a directory that is in itself': {
      getattr: ({ params }) => (isRoot(params) ? ROOT : attributesOf(DIRECTORY, 20)),
      lookup: () => [attributesOf(DIRECTORY, 20), null],
      list: ({ params }) => listing(isRoot(params) ? ROOT : attributesOf(DIRECTORY, 20), [dir('sub', 20)]),
    },
    'names that are there twice': {
      list: () =>
        listing(ROOT, [
          [Buffer.from('plain'), attributesOf(FILE), null],
          [Buffer.from('plain'), attributesOf(DIRECTORY, 30), null],
          [Buffer.from('plain'), attributesOf(SYMLINK, 31), Buffer.from('/etc/passwd')],
        ]),
    },
    'a type that changes all the time': {
      getattr: ({ params }) =>
        isRoot(params) ? ROOT : attributesOf(flips++ % 2 === 0 ? DIRECTORY : FILE, 40),
      lookup: () => [attributesOf(flips++ % 2 === 0 ? DIRECTORY : FILE, 40), null],
    },
    'a root that becomes a file': {
      getattr: ({ params }) => (isRoot(params) ? [...ROOT].with(2, FILE) : attributesOf(FILE)),
      list: () => listing([...ROOT].with(2, FILE), []),
    },
    'names that lead elsewhere': {
      list: () => listing(ROOT, [[Buffer.from('../../etc'), attributesOf(DIRECTORY, 50), null]]),
    },
    'more data than asked for': {
      read: () => Buffer.alloc(MAX_DATA),
      fetch: ({ params }) => (params[0] as unknown[]).map(() => [attributesOf(FILE), Buffer.alloc(MAX_DATA)]),
    },
    'sizes beyond all measure': {
      getattr: ({ params }) => (isRoot(params) ? ROOT : attributesOf(FILE, 60, 2 ** 53 - 1)),
      lookup: () => [attributesOf(FILE, 60, 2 ** 53 - 1), null],
    },
    'changes that leave nothing': { change: () => [] },
    'changes that make another thing': { change: () => [attributesOf(SYMLINK, 7), attributesOf(FILE, 7)] },
    'leases of what there is not, and recalls of what was not leased': {
      lookup: ({ params }, channel) => {
        notify(channel, 'lease', [
          [
            [2 ** 52, 2],
            [20, 1],
          ],
        ]);
        notify(channel, 'recall', [
          [
            [2 ** 51, 0],
            [20, 2],
            [7, 0],
          ],
        ]);
        return [attributesOf(FILE, params.length), null];
      },
    },
  };
  await Promise.all(
    Object.entries(cases).map(async ([name, lies]) => {
      const server = await EvilServer.start(t, lies);
      const { mountpoint, service } = await mountOf(t, server);
      const look =
        'ls -la . sub sub/sub plain; cat plain; stat sub/sub/sub; ls -la sub; cat plain >/dev/null; head -c 10 plain; cp plain /dev/null; find . -maxdepth 5 | head -50; ' +
        'mkdir made; touch made/x plain; ln -s a link; mv plain other; rm -rf sub other; true';
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

t.test('another key when it connects again', async (t) => {
  const [first, second] = await Promise.all([EvilServer.start(t, {}), EvilServer.start(t, {})]);
  const connections = new Set<Socket>();
  let { port } = first;
  const forwarder = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    for (const socket of [near, far]) {
      connections.add(socket);
      socket.on('error', () => undefined);
    }
    near.pipe(far).pipe(near);
  });
  forwarder.listen(0, '127.0.0.1');
  await once(forwarder, 'listening');
  const endConnections = (): void => {
    for (const socket of connections) socket.destroy();
  };
  t.teardown(() => {
    forwarder.close();
    endConnections();
  });
  const { mountpoint, service } = await mountOf(t, first, (forwarder.address() as AddressInfo).port);
  t.equal((await run('ls', [mountpoint])).stdout, 'plain\n');
  ({ port } = second);
  endConnections();
  await service.says(/HAS CHANGED/);
  t.not((await run('timeout', ['-s', 'KILL', '15', 'cat', `${mountpoint}/plain`])).code, 0);
  t.equal((await run('umount', [mountpoint])).code, 0);
  await service.ends();
});
