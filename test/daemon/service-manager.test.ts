/* What a service manager hears from the daemon that it started; here it is a program that prints the datagrams it gets. */
import path from 'node:path';
import t, { type Test } from 'tap';
import { Daemon } from '../lib/daemon.js';
import { temporaryDirectory } from '../lib/directory.js';
import { Service } from '../lib/service.js';

const WATCHDOG_MICROSECONDS = 60_000;

/* $ARGV[0]: a path, or a name behind an @. */
const MANAGER = `
  use Socket; $| = 1; (my $name = $ARGV[0]) =~ s/^\\@/\\0/;
  socket(S, AF_UNIX, SOCK_DGRAM, 0) && bind(S, pack_sockaddr_un($name)) or die $!;
  print "bound\\n";
  print "$_\\n" while defined recv(S, $_, 4096, 0);`;

async function startManager(t: Test, address: string): Promise<Service> {
  const manager = new Service(t, 'perl', ['-e', MANAGER, address]);
  await manager.says(/^bound$/m);
  return manager;
}

t.test('it listens, it turns, it stops', async (t) => {
  const address = path.join(temporaryDirectory(t), 'notify');
  const manager = await startManager(t, address);
  const daemon = new Daemon(t, {
    within: ['env', `NOTIFY_SOCKET=${address}`, `WATCHDOG_USEC=${WATCHDOG_MICROSECONDS}`],
  });
  await daemon.start();
  await manager.says(/^bound\nREADY=1\n(?:WATCHDOG=1\n){3}/);
  t.match(await daemon.stop(), { code: 0 });
  await manager.says(/^STOPPING=1$/m);
});

t.test('a manager with an abstract name, which watches another process', async (t) => {
  const address = `@ftpmount-test-${process.pid}`;
  const manager = await startManager(t, address);
  const daemon = new Daemon(t, {
    within: ['env', `NOTIFY_SOCKET=${address}`, `WATCHDOG_USEC=${WATCHDOG_MICROSECONDS}`, 'WATCHDOG_PID=1'],
  });
  await daemon.start();
  t.match(await daemon.stop(), { code: 0 });
  await manager.says(/^bound\nREADY=1\nSTOPPING=1\n/);
});

t.test('a manager that is not there is no reason not to serve', async (t) => {
  const daemon = new Daemon(t, { within: ['env', `NOTIFY_SOCKET=${temporaryDirectory(t)}/none`] });
  await daemon.start();
  await daemon.service.says(/the service manager could not be told/);
  t.match(await daemon.stop(), { code: 0 });
});
