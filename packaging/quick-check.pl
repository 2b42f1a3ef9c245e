#!/usr/bin/perl
# Called by: Consul's service check `understudy` every 15 s, as consul. Asks again what the last run of `check` has asked. Where that run
# found nothing to do and every answer is still the same, another one would find the same; else it runs `check`. In Perl, as Node alone
# takes ten times as long to start (docs/adr/0045-what-was-in-order-is-asked-again.md).
# argv: none. stdout and exit codes: those of `check`.
use strict;

BEGIN { require '/usr/lib/understudy/ask.pl' }

# Longer than all answers take on a busy machine. `check` looks at whatever does not answer by then.
my $QUICK_S = 2;
# How long the same answers are enough: they tell everything, and this is for what nobody has thought of.
my $TRUST_S = 600;
my ($CONSUL, $SYNCTHING) = (8500, 8384);

my $check = '/usr/lib/understudy/handlers/check';
my $questions = '/run/understudy/check/questions';
my $answers = '/run/understudy/check/answers';
my $recorded = '/run/understudy/check/recorded';

# Also here: where a hung disk stops database-check, the watchdog must not end the agent.
my $uptime = heartbeat();
my $asked = text($questions);
# Before `check` runs: what changes while it looks is another answer the next time.
my $now = answers($asked);
my ($since, $before) = text($answers) =~ /^(\d+)\n(.*)/s;
if (defined $now and $now eq $before and $uptime - $since < $TRUST_S) {
  print "no problem was found\n";
  exit 0;
}
unlink $answers;
my $status = system $check;
if ($status == 0 and defined $now and text($questions) eq $asked) {
  umask 077;
  open my $file, '>', $answers;
  print $file "$uptime\n$now";
}
exit($status & 127 ? 2 : $status >> 8);

# All answers in one text; nothing where there is no question, or one of them is not answered.
sub answers {
  my ($asked) = @_;
  my %sockets;
  my $said = eval {
    local $SIG{ALRM} = sub { die };
    alarm $QUICK_S;
    join '', map { "$_\n" . answer_to(\%sockets, split /\t/, $_, -1) . "\n" } split /\n/, $asked;
  };
  alarm 0;
  return $said eq '' ? undef : $said;
}

sub answer_to {
  my ($sockets, $kind, @fields) = @_;
  if ($kind eq 'consul') {
    my ($method, $path, $body, $varies) = @fields;
    my $answer = http($CONSUL, $method, $path, $body, '');
    return $varies ? $answer =~ s/$varies//gr : $answer;
  }
  if ($kind eq 'syncthing') {
    my ($method, $path, $body, $counts) = @fields;
    my ($key) = text('/etc/understudy/syncthing.key') =~ /(\S+)/;
    my $answer = http($SYNCTHING, $method, $path, $body, "X-API-Key: $key\r\n");
    return $counts ? join ' ', $answer =~ /$counts/g : $answer;
  }
  if ($kind eq 'database') {
    my ($log, undef, undef, @processes) = split ' ', text($main::LOGIN);
    my ($now, $size) = (uptime(), -s $log || 0);
    my ($socket, @messages) = log_in(@fields);
    $$sockets{"@fields[0 .. 3]"} = $socket;
    my ($type, $body) = @{$messages[-1] // ['']};
    # So that database-check needs no login of its own. It still looks whether these processes are there.
    note_login($log, $now, $size, @processes) if @processes and $fields[2] eq 'understudy_monitor' and $type eq 'Z';
    # An error names the code among what varies, such as the line of the source.
    return $type . ($type eq 'E' ? $body =~ /\0C(\w+)/ : '');
  }
  if ($kind eq 'sql') {
    my ($statement, $columns) = splice @fields, 4;
    return rows($columns, query($$sockets{"@fields"}, $statement));
  }
  if ($kind eq 'record') {
    my ($statement, $transaction) = splice @fields, 4;
    # One row of one column. Where there is none, something has changed, and this dies.
    my $value = unpack 'x6 a*', rows('', query($$sockets{"@fields"}, $statement));
    $transaction =~ s/"VALUE"/"$value"/;
    return '' if $value eq '' or text($recorded) eq $transaction;
    http($CONSUL, 'PUT', '/v1/txn', $transaction, '') =~ /^200 / or die;
    open my $file, '>', $recorded or die;
    print $file $transaction;
    return '';
  }
  if ($kind eq 'process') {
    my ($state, $start) = process(@fields);
    return $state =~ /[TtXZ]/ ? $state : $start;
  }
  if ($kind eq 'file') {
    my ($path, $varies) = @fields;
    my $text = -d $path ? 'directory' : text($path) // "$!";
    return $varies ? $text =~ s/$varies//gr : $text;
  }
  # Such a link is there while a unit is not inactive, and leads to something else after every start.
  return readlink("/run/systemd/units/invocation:$fields[0]") // "$!" if $kind eq 'unit';
  return join ' ', text('/proc/net/fib_trie') =~ /\|-- (\S+)\n +\/32 host LOCAL/g if $kind eq 'addresses';
  die if $kind ne 'renew';
  my ($path, $seconds, $unit) = @fields;
  system('systemctl', 'start', '--no-block', $unit) if time - (stat $path)[9] > $seconds;
  return '';
}

# The rows of an answer; where columns are named, all that differ in these. See RowDescription and DataRow in PostgreSQL's protocol.
sub rows {
  my ($columns, @messages) = @_;
  # An error that stays the same would hide what changes, and so would the end of the session.
  die if !@messages or $messages[-1][0] ne 'Z' or grep { $$_[0] eq 'E' } @messages;
  my @rows = map { $$_[0] eq 'D' ? $$_[1] : () } @messages;
  return join "\n", @rows if $columns eq '';
  my @names = map { $$_[0] eq 'T' ? unpack 'x2 (Z* x18)*', $$_[1] : () } @messages;
  my %different;
  for my $row (@rows) {
    my %value;
    my $at = 2;
    for my $name (@names) {
      my $length = unpack 'l>', substr $row, $at;
      $value{$name} = substr $row, $at + 4, $length if $length > 0;
      $at += 4 + ($length > 0 ? $length : 0);
    }
    $different{join ' ', @value{split / /, $columns}} = 1;
  }
  return join "\n", sort keys %different;
}

# The answer of a service on this machine without its headers, which hold the time.
sub http {
  my ($port, $method, $path, $body, $headers) = @_;
  $body =~ s/"NOW"/sprintf '"%d-%02d-%02dT%02d:%02d:%02d.000Z"', now()/e;
  socket my $socket, $main::AF_INET, $main::SOCK_STREAM, 0 or die;
  connect $socket, pack 'S n C4 x8', $main::AF_INET, $port, 127, 0, 0, 1 or die;
  my $length = length $body;
  syswrite $socket, "$method $path HTTP/1.0\r\nHost: 127.0.0.1\r\n${headers}Content-Length: $length\r\n\r\n$body";
  local $/;
  my ($status, $answer) = readline($socket) =~ /^HTTP\S+ (\d+).*?\r\n\r\n(.*)/s or die;
  return "$status $answer";
}

# Year, month, day, hour, minute and second in UTC.
sub now {
  my ($second, $minute, $hour, $day, $month, $year) = gmtime;
  return ($year + 1900, $month + 1, $day, $hour, $minute, $second);
}
