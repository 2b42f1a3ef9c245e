#!/bin/sh
# Called by: Consul's watches on `postgresql/leader`, as consul. A shell script, because every failover waits for it and it starts
# in a tenth of the time.
# argv: --early from the watch that asks Consul's leader, which is the first to know: it does only what a failover waits for. The
# leader may be what is gone, so the watch that asks this machine's agent does all.
# stdin: the watch's JSON: the key with its Session while it is held, or null.
# Exit codes (Consul only logs them): 0 done, or the lock is held; else the unit could not be started.
if [ "$1" = --help ]; then
  echo 'leader-released: if the lock of the primary is free, starts the failover unit and holds clients back.'
  exit 0
fi
# Input that never ends counts as an event: an extra run does no harm.
timeout 5 grep -q '"Session":"[^"]' && exit 0
if [ "$1" = --dry-run ]; then
  echo '{"do":"start","why":"the lock was released"}'
  exit 0
fi
/usr/lib/understudy/handlers/silent-primary &
[ "$1" = --early ] && exec systemctl start --no-block understudy-failover.service
systemctl start --no-block understudy-failover.service
# With a lower priority than Consul and the failover. This script has inherited that of Consul, and that of its session.
setsid nice -n 10 flock --wait 10 /run/understudy/lock/lead-changed /usr/lib/understudy/handlers/lead-changed &
# A run that was about to end may have missed the event, and systemd starts no second run beside it.
sleep 1
systemctl start --no-block understudy-failover.service
# The handler goes on: while this script runs, Consul does not tell it that the lock was released again.
