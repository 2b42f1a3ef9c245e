#!/usr/bin/perl
# Called by: Consul's service check `postgresql` 1.5 s after its last run, as consul. The lock of the primary depends on its result. Most of
# what it costs is its own start, so it looks several times while nothing changes. A login costs PostgreSQL more than everything else
# here, so it is only tried where anything may be wrong (docs/adr/0045-what-was-in-order-is-asked-again.md).
# argv: the database's unit, its data directory, --port=N. stdout: constant while nothing changes.
# Exit codes, as Consul understands them: 0 passing, 1 warning: it is being restarted in place, 2 critical.
use strict;

BEGIN { require '/usr/lib/understudy/ask.pl' }

# How often one run looks.
my $LOOKS = 3;
# Between two looks: as long as Consul waits between two runs.
my $APART_S = 1.5;
# How long a login may take. A busy machine answers later than that: before the check fails, it is asked twice.
my $LOOK_S = 1;
# Between the two logins: a busy machine may accept connections again a moment later.
my $LOOK_AGAIN_S = 0.5;
# How long a login tells that another one would succeed, while PostgreSQL's processes are as they were. A moment longer than quick-check
# waits between its own logins, which count here.
my $TRUST_S = 16;
# A database whose disk is full still answers, but takes no more writes: it needs room for two segments of WAL.
my $ROOM = 33554432;

my ($unit, $data, $option) = @ARGV;
my ($port) = $option =~ /^--port=(\d+)$/;
my ($cluster) = $unit =~ /\@(.+)\.service$/;
my $log = "/var/log/postgresql/postgresql-$cluster.log";

# Once in a run: an agent that hangs does not end what it has started.
heartbeat();
for my $look (1 .. $LOOKS) {
  my $now = uptime();
  # Before a login: what is logged during it is news.
  my $size = -s $log || 0;
  my $same = is_as_seen($now, $size);
  if (!$same and !accepts($now, $size)) {
    end(1, 'PostgreSQL is being restarted') if is_restarting($now);
    select undef, undef, undef, $LOOK_AGAIN_S;
    end(2, 'PostgreSQL does not accept connections') if !accepts($now, $size);
  }
  # The periodic check has seen that no commit ends. Before anything touches that disk.
  end(2, "the disk of $data hangs") if -e '/run/understudy/check/disk-hangs';
  my $free = free();
  end(2, "the disk of $data is full") if defined $free and $free < $ROOM;
  # Consul may have been told something else before.
  last if !$same or $look == $LOOKS;
  select undef, undef, undef, $APART_S;
}
end(0, 'PostgreSQL accepts connections');

# Is everything as at the last login? The postmaster sleeps, its processes are the same, it has logged nothing, and no connection waits.
# After a crash it has other processes, and at a shutdown fewer. What it is told to do it logs, unless its log is elsewhere. Where a
# connection waits, it may hang: repmgrd comes every two seconds.
sub is_as_seen {
  my ($now, $size) = @_;
  my (undef, $since, $logged, @processes) = split ' ', text($main::LOGIN);
  my ($postmaster, %started) = ($processes[0], @processes);
  return 0 if !%started or $now - $since >= $TRUST_S or postmaster() != $postmaster or $size != $logged;
  return 0 if (process($postmaster))[0] ne 'S' or grep { (process($_))[1] != $started{$_} } keys %started;
  return !somebody_waits();
}

# Has the kernel accepted a connection that PostgreSQL has not? By sock_diag(7), as /proc/net/tcp makes the kernel look at every socket of
# every machine that it runs. Where it does not answer, somebody may wait.
sub somebody_waits {
  my ($AF_NETLINK, $SOCK_RAW, $NETLINK_SOCK_DIAG, $AF_INET, $AF_INET6, $TCP, $LISTENS) = (16, 3, 4, 2, 10, 6, 1 << 10);
  my ($SOCK_DIAG_BY_FAMILY, $REQUEST_DUMP, $NLMSG_ERROR, $NLMSG_DONE) = (20, 0x301, 2, 3);
  socket my $socket, $AF_NETLINK, $SOCK_RAW, $NETLINK_SOCK_DIAG or return 1;
  for my $family ($AF_INET, $AF_INET6) {
    my $request = pack 'C4 L x48', $family, $TCP, 0, 0, $LISTENS;
    syswrite $socket, pack('L S S L L', 16 + length $request, $SOCK_DIAG_BY_FAMILY, $REQUEST_DUMP, 0, 0) . $request;
    my $type = 0;
    until ($type == $NLMSG_DONE) {
      sysread $socket, my $answer, 65536 or return 1;
      while ((my $length, $type) = unpack 'L S', $answer) {
        return 1 if $type == $NLMSG_ERROR;
        last if $type == $NLMSG_DONE;
        my ($listens, $waiting) = unpack 'x20 n x50 L', $answer;
        return 1 if $listens == $port and $waiting;
        $answer = substr $answer, $length;
      }
    }
  }
  return 0;
}

# As pg_isready does, whose start costs several times as much: any answer will do, but for "starting up" and the like (57P03).
sub accepts {
  my ($now, $size) = @_;
  my $accepts = eval {
    local $SIG{ALRM} = sub { die };
    alarm $LOOK_S;
    my ($socket, @messages) = log_in('/var/run/postgresql', $port, 'understudy_monitor', 'postgres');
    my ($type, $body) = @{$messages[-1] // ['']};
    return $type =~ /^[ZR]/ || ($type eq 'E' && $body !~ /\0C57P03\0/);
  };
  alarm 0;
  see($now, $size) if $accepts;
  return $accepts;
}

# Notes what a login has met: the postmaster, and those of its processes that a server has as long as it runs.
sub see {
  my ($now, $size) = @_;
  my $postmaster = postmaster();
  my @children = split ' ', text("/proc/$postmaster/task/$postmaster/children");
  my @known = grep { text("/proc/$_/cmdline") =~ /: (?:checkpointer|walwriter|startup)\b/ } @children;
  note_login($log, $now, $size, map { ($_, (process($_))[1]) } $postmaster, @known) if @known;
}

sub postmaster {
  return int text("/var/run/postgresql/$cluster.pid");
}

# Has the database been away for less than 5 s, and is systemd starting it? After that a failover is quicker.
sub is_restarting {
  my ($now) = @_;
  my $said = said('systemctl', 'show', '--property=ActiveState,ActiveExitTimestampMonotonic', $unit);
  return 0 unless $said =~ /^ActiveState=(?:de)?activating$/m;
  my ($left) = $said =~ /^ActiveExitTimestampMonotonic=(\d+)$/m;
  return $left > 0 && $now - int($left / 1e6) < 5;
}

# Bytes that are free for PostgreSQL on its disk. Another program for it would cost as much as this one, so the system is called by number
# on amd64 and arm64, which a program for them names in its header (elf(5)).
sub free {
  open my $perl, '<', $^X;
  read $perl, my $header, 20;
  my $statfs = { 62 => 137, 183 => 43 }->{unpack 'x18 v', $header};
  my $found = "\0" x 256;
  # struct statfs on 64 bits: free blocks of who is not root, and their size.
  return product((unpack 'q10', $found)[4, 9]) if $statfs and syscall($statfs, $data, $found) == 0;
  return product(split ' ', said('stat', '--file-system', '--format=%a %S', $data));
}

sub product {
  my ($blocks, $size) = @_;
  return $size ? $blocks * $size : undef;
}

# What a program prints, without a shell between.
sub said {
  open my $program, '-|', @_ or return '';
  local $/;
  return readline $program;
}

# After a problem the next run logs in, and tells Consul at once if all is well.
sub end {
  my ($code, $said) = @_;
  unlink $main::LOGIN if $code != 0;
  print "$said\n";
  exit $code;
}
