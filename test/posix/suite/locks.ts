/* Locks of several processes and open files: fcntl(2), open file descriptions' locks, flock(2). */
import { LOCK_WORDS } from '../../lib/lock-program.js';
import { command, type Operation } from '../operation.js';

/**
 * is(GOT, WANTED); elsewhere { ... }: what a block tells in another process. later { ... }: a process that goes on, whose first
 * answer was told; what it says next is read by its said().
 */
const TESTING = String.raw`
sub is { my ($got, $wanted, $what) = @_; die "$what: $got, not $wanted\n" if $got ne $wanted }
sub later(&) { my ($work) = @_; pipe(my $in, my $out) or die; my $pid = fork // die;
  if ($pid == 0) { close $in; $out->autoflush; eval { $work->(sub { print $out "$_[0]\n" }); 1 } or print $out $@; close $out; POSIX::_exit(0) }
  close $out; return { pid => $pid, in => $in } }
sub said { my $line = readline $_[0]{in}; chomp $line if defined $line; $line // 'nothing' }
sub ended { kill KILL => $_[0]{pid}; waitpid $_[0]{pid}, 0 }
sub elsewhere(&) { my ($work) = @_; my $other = later { my ($say) = @_; $say->($work->()) }; my $told = said($other); waitpid $other->{pid}, 0; $told }
sub waits { my ($pid) = @_; for (1 .. 500) { open my $f, '<', "/proc/$pid/syscall" or return; my $call = readline $f;
  return if defined $call and $call =~ /^(?:72|73|25|32) /; select undef, undef, undef, 0.01 } die "it does not wait\n" }
use IO::Handle;
`;

function perl(script: string): Operation {
  return (directory) => void command(directory, 'perl', '-e', LOCK_WORDS + TESTING + script);
}

export const locks: Record<string, Operation> = {
  'fcntl: ranges are split, upgraded and joined': perl(String.raw`
    my $fh = opened('f');
    is posix($fh, 'r', 0, 100), 'ok', 'read';
    is posix($fh, 'w', 10, 10), 'ok', 'upgrade';
    is elsewhere { my $own = opened('f'); join ', ', found($own, 'w', 0, 0), found($own, 'r', 0, 0), posix($own, 'r', 0, 10) },
      "r 0 10 $$, w 10 10 $$, ok", 'split';
    is posix($fh, 'r', 10, 10), 'ok', 'downgrade';
    is elsewhere { found(opened('f'), 'w', 0, 0) }, "r 0 100 $$", 'joined';
    is posix($fh, 'u', 0, 0), 'ok', 'unlock';
    is elsewhere { found(opened('f'), 'w', 0, 0) }, 'free', 'unlocked';
  `),
  'fcntl: a lock is refused while another process has it, and goes with that process': perl(String.raw`
    my $other = later { my ($say) = @_; my $fh = opened('f'); $say->(posix($fh, 'w', 0, 0)); sleep 100 };
    is said($other), 'ok', 'taken';
    my $fh = opened('f');
    is posix($fh, 'r', 5, 1), 'EAGAIN', 'refused';
    is found($fh, 'r', 5, 1), "w 0 0 $other->{pid}", 'told';
    ended($other);
    is posix($fh, 'r', 5, 1, 1), 'ok', 'free';
  `),
  'fcntl: closing any descriptor of the file gives all up': perl(String.raw`
    my $fh = opened('f'); my $second = opened('f');
    is posix($fh, 'w', 0, 0), 'ok', 'taken';
    is elsewhere { posix(opened('f'), 'w', 0, 0) }, 'EAGAIN', 'refused';
    close $second;
    is elsewhere { posix(opened('f'), 'w', 0, 0) }, 'ok', 'given up';
  `),
  'fcntl: by a descriptor for reading': perl(String.raw`
    opened('f');
    my $fh = opened('f', O_RDONLY);
    is posix($fh, 'r', 0, 0), 'ok', 'taken';
    is posix($fh, 'w', 0, 0), 'EBADF', 'not for writing';
    is elsewhere { posix(opened('f'), 'w', 0, 0) }, 'EAGAIN', 'refused';
    close $fh;
    is elsewhere { posix(opened('f'), 'w', 0, 0, 1) }, 'ok', 'given up';
  `),
  'fcntl: so does closing one that only reads, opened before, copied, or left to a child': perl(String.raw`
    my $fh = opened('f'); my $reader = opened('f', O_RDONLY);
    is posix($fh, 'w', 0, 0), 'ok', 'taken';
    close $reader;
    is elsewhere { posix(opened('f'), 'w', 0, 0) }, 'ok', 'given up';
    close $fh;
    $reader = opened('f', O_RDONLY); open my $copy, '<&', $reader or die;
    is posix($reader, 'r', 0, 0), 'ok', 'taken for reading';
    close $reader;
    is elsewhere { posix(opened('f'), 'w', 0, 0) }, 'ok', 'a copy is left';
    is posix($copy, 'r', 0, 0), 'ok', 'taken by the copy';
    my $child = later { my ($say) = @_; $say->('begins'); sleep 100 };
    is said($child), 'begins', 'a child that has it open';
    close $copy;
    is elsewhere { posix(opened('f'), 'w', 0, 0) }, 'ok', 'the child keeps nothing';
    ended($child);
  `),
  'fcntl: who waits is woken': perl(String.raw`
    my $fh = opened('f');
    is posix($fh, 'w', 0, 0), 'ok', 'taken';
    my $other = later { my ($say) = @_; my $own = opened('f'); $say->('begins'); $say->(posix($own, 'w', 0, 0, 1)); sleep 100 };
    is said($other), 'begins', 'it';
    waits($other->{pid});
    is posix($fh, 'u', 0, 0), 'ok', 'unlock';
    is said($other), 'ok', 'woken';
    is posix($fh, 'r', 0, 1), 'EAGAIN', 'it has it';
    ended($other);
  `),
  'fcntl: two that would wait for each other': perl(String.raw`
    my ($f, $g) = (opened('f'), opened('g'));
    is posix($f, 'w', 0, 0), 'ok', 'taken';
    my $other = later { my ($say) = @_; my ($f, $g) = (opened('f'), opened('g'));
      $say->(posix($g, 'w', 0, 0)); $say->(posix($f, 'w', 0, 0, 1)); sleep 100 };
    is said($other), 'ok', 'the other one';
    waits($other->{pid});
    is posix($g, 'w', 0, 0, 1), 'EDEADLK', 'a circle';
    is posix($f, 'u', 0, 0), 'ok', 'unlock';
    is said($other), 'ok', 'goes on';
    ended($other);
  `),
  'fcntl: a signal interrupts who waits, where its handler wants that': perl(String.raw`
    my $fh = opened('f');
    is posix($fh, 'w', 0, 0), 'ok', 'taken';
    for my $restarts (0, 1) {
      my $other = later { my ($say) = @_; my $own = opened('f'); my $flags = $restarts ? POSIX::SA_RESTART() : 0;
        POSIX::sigaction(POSIX::SIGUSR1(), POSIX::SigAction->new(sub {}, POSIX::SigSet->new, $flags));
        $say->('begins'); $say->(posix($own, 'w', 0, 0, 1)); sleep 100 };
      is said($other), 'begins', 'it';
      waits($other->{pid});
      kill USR1 => $other->{pid};
      if ($restarts) { select undef, undef, undef, 0.05; waits($other->{pid}); is posix($fh, 'u', 0, 0), 'ok', 'unlock' }
      is said($other), $restarts ? 'ok' : 'EINTR', 'a signal';
      ended($other);
    }
  `),
  'fcntl: who waits can be killed': perl(String.raw`
    my $fh = opened('f');
    is posix($fh, 'w', 0, 0), 'ok', 'taken';
    my $other = later { my ($say) = @_; my $own = opened('f'); $say->('begins'); posix($own, 'w', 0, 0, 1) };
    is said($other), 'begins', 'it';
    waits($other->{pid});
    ended($other);
    is posix($fh, 'u', 0, 0), 'ok', 'unlock';
    is elsewhere { posix(opened('f'), 'w', 0, 0) }, 'ok', 'it did not get it';
  `),
  "open file descriptions: two of one process meet, and a child has its parent's": perl(String.raw`
    my ($one, $two) = (opened('f'), opened('f'));
    is ofd($one, 'w', 0, 10), 'ok', 'taken';
    is ofd($two, 'r', 0, 10), 'EAGAIN', 'refused';
    is elsewhere { ofd($one, 'w', 0, 10) }, 'ok', 'of the child';
    is elsewhere { posix(opened('f'), 'w', 5, 1) }, 'EAGAIN', 'they meet the others';
    close $two;
    is elsewhere { ofd(opened('f'), 'w', 0, 10) }, 'EAGAIN', 'another descriptor gives nothing up';
    close $one;
    is elsewhere { ofd(opened('f'), 'w', 0, 10, 1) }, 'ok', 'the last one does';
  `),
  "flock: shared by readers, one writer, and a child has its parent's": perl(String.raw`
    my ($one, $two) = (opened('f'), opened('f', O_RDONLY));
    is flocked($one, 'r'), 'ok', 'shared';
    is flocked($two, 'r'), 'ok', 'shared';
    is flocked($one, 'w'), 'EAGAIN', 'not alone';
    is flocked($two, 'w'), 'ok', 'the other one gave its own up';
    is elsewhere { close $two; flocked(opened('f'), 'r') }, 'EAGAIN', 'a child closes its own descriptor only';
    is posix($one, 'w', 0, 0), 'ok', 'it does not meet fcntl';
    my $other = later { my ($say) = @_; my $own = opened('f'); close $two; $say->('begins'); $say->(flocked($own, 'w', 1)); sleep 100 };
    is said($other), 'begins', 'it';
    waits($other->{pid});
    close $two;
    is said($other), 'ok', 'the last descriptor gives it up';
    ended($other);
  `),
};
