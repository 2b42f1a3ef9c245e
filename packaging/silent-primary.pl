#!/usr/bin/perl
# Called by: leader-released, as consul. Asks the published primary at once, while all else that a failover needs is started: it has to be
# silent for a while before another machine is promoted.
# argv, stdin: none. Leaves a note of whom it has asked and when, in seconds since the boot, unless there was an answer of any kind.
# Exit code: 0.
use strict;

BEGIN { require '/usr/lib/understudy/ask.pl' }

# How long it waits for an answer: as long as its note counts.
my $WAIT_S = 2;
my $note = '/run/understudy/check/asked-primary';

# Where PgBouncer points at.
my ($host, $port) = text('/run/understudy/pgbouncer/databases.ini') =~ /\bhost=([\d.]+) port=(\d+)/ or exit;
my ($now) = text('/proc/uptime') =~ /^(\S+)/;
# Both watches on the lock call it. The first question counts.
my ($since) = text($note) =~ /^\Q$host $port\E (\S+)/;
exit if defined $since && $now >= $since && $now - $since < $WAIT_S;
open my $file, '>', $note or exit;
syswrite $file, "$host $port $now\n";
my $isSilent = 0;
eval {
  local $SIG{ALRM} = sub { $isSilent = 1; die };
  alarm $WAIT_S;
  socket my $socket, $main::AF_INET, $main::SOCK_STREAM, 0 or die;
  connect $socket, pack 'S n C4 x8', $main::AF_INET, $port, split /\./, $host or die;
  syswrite $socket, startup('understudy_monitor', 'postgres');
  sysread $socket, my $answer, 1;
};
alarm 0;
unlink $note unless $isSilent;
