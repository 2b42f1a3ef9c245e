# For database-check and quick-check: asks PostgreSQL, or the console of PgBouncer, through its socket on this machine. See
# https://www.postgresql.org/docs/current/protocol-message-formats.html
use strict;

# A peer that goes away while it is asked must not kill us.
$SIG{PIPE} = 'IGNORE';

# Not as constants of Perl, whose module takes as long to load as everything else here.
our ($AF_UNIX, $AF_INET, $SOCK_STREAM, $PROTOCOL_3) = (1, 2, 1, 196608);

# What the last login to PostgreSQL has met.
our $LOGIN = '/run/understudy/check/login';

# Connects and logs in. Gives the socket and what the server answers; nothing where none listens.
sub log_in {
  my ($directory, $port, $user, $database, $options) = @_;
  socket my $socket, $AF_UNIX, $SOCK_STREAM, 0 or return;
  connect $socket, pack 'S a*', $AF_UNIX, "$directory/.s.PGSQL.$port\0" or return;
  syswrite $socket, startup($user, $database, $options);
  return ($socket, answer($socket));
}

# The message that begins a session. Its options win over what the server, the database or the role has as defaults.
sub startup {
  my ($user, $database, $options) = @_;
  my $more = $options eq '' ? '' : "options\0$options\0";
  my $startup = pack('N', $PROTOCOL_3) . "user\0$user\0database\0$database\0$more\0";
  return pack('N', 4 + length $startup) . $startup;
}

# Sends one statement and gives what the server answers.
sub query {
  my ($socket, $statement) = @_;
  syswrite $socket, 'Q' . pack('N', 5 + length $statement) . "$statement\0";
  return answer($socket);
}

# Messages, each [type, body], until the server waits for us. The last one is of type Z, or R where it asks for a password; else it has
# ended the connection.
sub answer {
  my ($socket) = @_;
  my ($buffer, @messages) = ('');
  while (sysread $socket, $buffer, 65536, length $buffer) {
    while (length $buffer >= 5 and (my $length = unpack 'x N', $buffer) < length $buffer) {
      my ($type, $body) = (substr($buffer, 0, 1), substr $buffer, 5, $length - 4);
      $buffer = substr $buffer, 1 + $length;
      push @messages, [$type, $body];
      return @messages if $type eq 'Z' or ($type eq 'R' and unpack('N', $body) != 0);
    }
  }
  return @messages;
}

# A whole file; nothing where it cannot be read.
sub text {
  my ($path) = @_;
  open my $file, '<', $path or return;
  local $/;
  return readline $file;
}

# State and start of a process, see proc_pid_stat(5): the state follows the name in parentheses, the start is the twentieth from there.
sub process {
  my ($id) = @_;
  return (split ' ', text("/proc/$id/stat") =~ s/.*\) //sr)[0, 19];
}

# Seconds since the boot.
sub uptime {
  return (text('/proc/uptime') =~ /^(\d+)/)[0];
}

# Leaves the time for the watchdog, which starts no program to see it: Consul runs its checks. Gives it.
sub heartbeat {
  my $uptime = uptime();
  if (open my $heartbeat, '+<', '/run/understudy/check/heartbeat') { syswrite $heartbeat, "$uptime\n" }
  return $uptime;
}

# Notes a login that has succeeded: the log of the server, when the login began, how long the log was then, and processes with their starts.
sub note_login {
  open my $note, '>', $LOGIN or return;
  print $note "@_";
}

1;
