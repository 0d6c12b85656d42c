/*
 * What a program does with locks, in Perl, which every Debian has: fcntl(2), open file descriptions' locks and flock(2), and
 * signals that interrupt (node installs its handlers so that calls begin again).
 */

/**
 * Words for lines of Perl that follow:
 * posix($fh, TYPE, START, LENGTH, WAIT), ofd(...) likewise, flocked($fh, TYPE, WAIT): 'ok' or the name of the error; TYPE is
 * 'r', 'w' or 'u'. found($fh, TYPE, START, LENGTH): 'free', or what is in the way: 'TYPE START LENGTH PID'.
 */
export const LOCK_WORDS = String.raw`
use strict; use warnings; use Fcntl; use Errno; use POSIX ();
my %types = (r => F_RDLCK, w => F_WRLCK, u => F_UNLCK);
my %names = reverse %types;
sub outcome { return 'ok' if $_[0]; my ($name) = grep { $!{$_} } qw(EAGAIN EDEADLK EINTR EIO ENOLCK EBADF ETIMEDOUT); $name // 0 + $! }
sub record { my ($type, $start, $length) = @_; pack 's s x4 q q i x4', $types{$type}, 0, $start, $length, 0 }
sub ranged { my ($set, $wait, $fh, $type, $start, $length, $waits) = @_;
  my $lock = record($type, $start, $length); outcome(fcntl($fh, $waits ? $wait : $set, $lock)) }
sub posix { ranged(F_SETLK, F_SETLKW, @_) }
sub ofd { ranged(37, 38, @_) }
sub flocked { my ($fh, $type, $waits) = @_; my %flags = (r => 1, w => 2, u => 8);
  outcome(flock($fh, $flags{$type} | ($waits ? 0 : 4))) }
sub found { my ($fh, $type, $start, $length) = @_; my $lock = record($type, $start, $length);
  fcntl($fh, F_GETLK, $lock) or return outcome(0);
  my ($is, undef, $from, $long, $pid) = unpack 's s x4 q q i', $lock;
  $is == F_UNLCK ? 'free' : "$names{$is} $from $long $pid" }
sub opened { my ($file, $flags) = @_; sysopen(my $fh, $file, $flags // (O_RDWR | O_CREAT), 0644) or die "$file: $!"; $fh }
`;
