#!/bin/sh
# Called by: Consul's watch on `postgresql/leader`, as consul. A shell script, because every failover waits for it and it starts
# in a tenth of the time.
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
systemctl start --no-block understudy-failover.service
# With a lower priority than Consul, which everything waits for and whose priority this script has inherited.
nice -n 10 flock --wait 10 /run/understudy/lock/lead-changed /usr/lib/understudy/handlers/lead-changed &
# A run that was about to end may have missed the event, and systemd starts no second run beside it.
sleep 1
systemctl start --no-block understudy-failover.service
# The handler goes on: while this script runs, Consul does not tell it that the lock was released again.
