/* The daemon on a socket that its service manager listens on; here that is a program that becomes the daemon. */
import t from 'tap';
import { Daemon } from '../lib/daemon.js';
import { temporaryDirectory } from '../lib/directory.js';
import { programs } from '../lib/programs.js';
import { run } from '../lib/run.js';

/* $ARGV[0]: which sockets to hand over, from descriptor 3 on; the rest is the command. */
const MANAGER = `
  use Socket; use POSIX ();
  $^F = 9; # what is opened stays open over exec
  my @kinds = split /,/, shift;
  for my $i (0..$#kinds) {
    if ($kinds[$i] eq 'tcp') {
      socket(S, AF_INET, SOCK_STREAM, 0) && bind(S, pack_sockaddr_in(0, INADDR_LOOPBACK)) && listen(S, 5) or die $!;
      print STDERR 'port ', (sockaddr_in getsockname S)[0], "\n";
    } else {
      socketpair(S, T, AF_UNIX, SOCK_STREAM, 0) or die $!;
    }
    POSIX::dup2(fileno(S), 3 + $i) // die $!;
  }
  $ENV{LISTEN_FDS} = @kinds;
  $ENV{LISTEN_PID} = $$;
  exec @ARGV;`;

function activated(...sockets: string[]): readonly string[] {
  return ['perl', '-e', MANAGER, sockets.join(',')];
}

t.test('it serves on the socket that it was given', async (t) => {
  const daemon = new Daemon(t, { within: activated('tcp') });
  await daemon.addUser('alice', { quota: '0' });
  await daemon.start();
  await daemon.service.says(new RegExp(`^port ${daemon.port}$`, 'm'));
  t.match(await daemon.ftpctl(['ls', ...daemon.login('alice'), daemon.at('alice')]), { code: 0 });
  t.match(await daemon.stop(), { code: 0 });
});

t.test('what it cannot serve on', async (t) => {
  for (const [sockets, message] of [
    [['unix'], /no TCP socket: ListenStream= a port/],
    [['tcp', 'tcp'], /listens on 2 sockets/],
  ] as const) {
    const [command = '', ...args] = [...activated(...sockets), process.execPath, programs.ftpmountd];
    const directory = temporaryDirectory(t);
    const places = ['--state', `${directory}/state`, '--home', `${directory}/homes`];
    t.match(await run(command, [...args, ...places]), { code: 2, stderr: message });
  }
});
