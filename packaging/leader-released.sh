#!/bin/sh
# Called by: Consul's watch on `postgresql/leader`, as consul. A shell script, because it is on the way of every failover and
# starts in a tenth of the time.
# stdin: the watch's JSON: the key with its Session while it is held, or null.
# Exit codes (Consul only logs them): 0 done, or the lock is held; else the unit could not be started.
if [ "$1" = --help ]; then
  echo 'leader-released: where the lock of the primary is free, starts the failover unit and holds clients back.'
  exit 0
fi
# Input that never ends counts as an event: looking once more does no harm.
timeout 5 grep -q '"Session":"[^"]' && exit 0
if [ "$1" = --dry-run ]; then
  echo '{"do":"start","why":"the lock was released"}'
  exit 0
fi
systemctl start --no-block understudy-failover.service
# Not before Consul, whose nice it has inherited, and which everything waits for.
nice -n 10 flock --wait 10 /run/understudy/lock/lead-changed /usr/lib/understudy/handlers/lead-changed &
# A run that was just about to end has not seen it, and systemd starts no second one beside it.
sleep 1
systemctl start --no-block understudy-failover.service
wait
