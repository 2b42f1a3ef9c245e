#!/usr/bin/perl
# Called by: Consul's service check `postgresql` every 1.5 s, as consul. The lock of the primary hangs on it.
# argv: the database's unit, its data directory, --port=N. stdout: constant while nothing changes.
# Exit codes, as Consul understands them: 0 passing, 1 warning: it is being restarted in place, 2 critical.
use strict;

require '/usr/lib/understudy/ask.pl';

# A busy machine answers later than a look waits, or accepts connections again a moment later: before it fails, it is asked twice.
use constant { LOOK_S => 1, LOOK_AGAIN_S => 0.5 };
# A database whose disk is full still answers, but takes no more writes: it needs room for two segments of WAL.
use constant ROOM => 33554432;

my ($unit, $data, $option) = @ARGV;
my ($port) = $option =~ /^--port=(\d+)$/;

# For the watchdog, which starts no program to see it: Consul runs its checks. Since the boot, in seconds, and never empty.
open my $uptime, '<', '/proc/uptime';
my $now = int readline $uptime;
if (open my $heartbeat, '+<', '/run/understudy/check/heartbeat') { syswrite $heartbeat, "$now\n" }

if (!accepts()) {
  end(1, 'PostgreSQL is being restarted') if is_restarting();
  select undef, undef, undef, LOOK_AGAIN_S;
  end(2, 'PostgreSQL does not accept connections') if !accepts();
}
# The periodic check has seen that no commit ends. Before anything touches that disk.
end(2, "the disk of $data hangs") if -e '/run/understudy/check/disk-hangs';
my ($free, $size) = split ' ', said('stat', '--file-system', '--format=%a %S', $data);
end(2, "the disk of $data is full") if $size and $free * $size < ROOM;
end(0, 'PostgreSQL accepts connections');

# As pg_isready does, whose start costs several times as much: any answer will do, but for "starting up" and the like (57P03).
sub accepts {
  my $accepts = eval {
    local $SIG{ALRM} = sub { die };
    alarm LOOK_S;
    my ($socket, @messages) = log_in('/var/run/postgresql', $port, 'understudy_monitor', 'postgres');
    my ($type, $body) = @{$messages[-1] // ['']};
    return $type =~ /^[ZR]/ || ($type eq 'E' && $body !~ /\0C57P03\0/);
  };
  alarm 0;
  return $accepts;
}

# Has the database been away for less than 5 s, and is systemd starting it? After that a failover is quicker.
sub is_restarting {
  my $said = said('systemctl', 'show', '--property=ActiveState,ActiveExitTimestampMonotonic', $unit);
  return 0 unless $said =~ /^ActiveState=(?:de)?activating$/m;
  my ($left) = $said =~ /^ActiveExitTimestampMonotonic=(\d+)$/m;
  return $left > 0 && $now - int($left / 1e6) < 5;
}

# What a program prints, without a shell between.
sub said {
  open my $program, '-|', @_ or return '';
  local $/;
  return readline $program;
}

sub end {
  my ($code, $said) = @_;
  print "$said\n";
  exit $code;
}
