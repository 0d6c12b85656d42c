/*
 * What a program in the mount notices of a server that dies, or a network that breaks, while it works: that it took
 * longer. And a mount whose server is gone for good can still be unmounted.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { startProxy } from '../../bench/proxy.js';
import { startDaemon } from '../lib/daemon.js';
import { temporaryDirectory } from '../lib/directory.js';
import { mountHome } from '../lib/mounted.js';
import { mountAt } from '../lib/mounts.js';
import { PATIENCE_MS } from '../lib/service.js';
import { makeTree } from '../lib/tree.js';

const MiB = 1024 * 1024;

/** Waits for what a running command does on the server: that has no event. */
async function until(condition: () => boolean): Promise<void> {
  for (const end = Date.now() + PATIENCE_MS; !condition(); await delay(2)) {
    if (Date.now() > end) throw new Error(`never came true: ${condition.toString()}`);
  }
}

const sizeOf = (file: string): number => (existsSync(file) ? statSync(file).size : 0);

t.test('the daemon is killed and started again while files are copied', async (t) => {
  const daemon = await startDaemon(t, { users: { alice: { quota: '1G' } } });
  const mounted = await mountHome(t, daemon, 'alice');
  const local = temporaryDirectory(t);
  const big = path.join(local, 'big');
  const content = randomBytes(24 * MiB);
  writeFileSync(big, content);
  const tree = path.join(local, 'tree');
  makeTree(tree);

  const copy = mounted.succeed('cp', [big, 'big']);
  await until(() => sizeOf(`${daemon.home('alice')}/big`) > 4 * MiB);
  await daemon.kill();
  await daemon.start();
  await copy;
  await mounted.synced();
  t.ok(readFileSync(`${daemon.home('alice')}/big`).equals(content));

  const copies = mounted.succeed('cp', ['-a', tree, 'tree']);
  await until(() => existsSync(`${daemon.home('alice')}/tree/part 2`));
  await daemon.kill();
  await daemon.start();
  await copies;
  await mounted.synced();
  await mounted.succeed('diff', ['-r', '--no-dereference', tree, 'tree']);
  await mounted.succeed('diff', ['-r', '--no-dereference', tree, `${daemon.home('alice')}/tree`]);

  const removal = mounted.succeed('rm', ['-r', 'tree']);
  await until(() => readdirSync(`${daemon.home('alice')}/tree`).length < 4);
  await daemon.kill();
  await daemon.start();
  await removal;
  await mounted.synced();
  t.notOk(existsSync(`${daemon.home('alice')}/tree`));
  const check = await daemon.ftpctl(['quota', 'check', 'alice']);
  t.match(check.stdout, /right/, 'what is charged is what is there');
});

t.test('the connection breaks again and again: nothing is done twice, nothing is left out', async (t) => {
  const daemon = await startDaemon(t, { users: { alice: { quota: '1G' } } });
  const proxy = await startProxy(t, daemon.port);
  const mounted = await mountHome(t, daemon, 'alice', { port: proxy.port });
  const home = daemon.home('alice');
  // Each step fails when it is done twice or not at all.
  const work = mounted.succeed('sh', [
    '-ec',
    `for i in $(seq 30); do
       mkdir d$i; echo $i > d$i/new; mv d$i/new d$i/file; ln d$i/file d$i/link; echo line $i >> log
       if [ $((i % 2)) = 0 ]; then rm d$i/file d$i/link; rmdir d$i; fi
     done`,
  ]);
  for (const reached of ['d5', 'd11', 'd17', 'd23']) {
    await until(() => existsSync(`${home}/${reached}`));
    await proxy.cut();
  }
  await work;
  await mounted.synced();
  t.same(
    readFileSync(`${home}/log`, 'utf8').trimEnd().split('\n'),
    Array.from({ length: 30 }, (_, i) => `line ${i + 1}`),
  );
  t.equal(readdirSync(home).filter((name) => /^d\d+$/.test(name)).length, 15);
});

t.test('a mount whose server is gone can be unmounted', async (t) => {
  const daemon = await startDaemon(t, { users: { alice: { quota: '1G' } } });
  const mounted = await mountHome(t, daemon, 'alice');
  await mounted.succeed('ls');
  await daemon.kill();
  t.match(await mounted.unmount(), { code: 0 });
  t.equal(mountAt(mounted.mountpoint), undefined);
});

t.test('another server answers at the address for a while', async (t) => {
  const daemon = await startDaemon(t, { users: { alice: { quota: '1M' } } });
  const mounted = await mountHome(t, daemon, 'alice');
  await daemon.stop();
  const impostor = await startDaemon(t, {
    users: { alice: { quota: '1M' } },
    args: ['--listen', `127.0.0.1:${daemon.port}`],
  });
  await impostor.service.says(/handshake failed/);
  const written = mounted.succeed('sh', ['-c', 'echo kept >f && sync f']);
  await impostor.stop();
  await daemon.start();
  await written;
  t.equal(readFileSync(`${daemon.home('alice')}/f`, 'utf8'), 'kept\n');
  t.notOk(existsSync(`${impostor.home('alice')}`), 'nobody logged in there');
});
