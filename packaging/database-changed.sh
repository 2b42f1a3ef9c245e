#!/bin/sh
# Called by: Consul's watch on the service `postgresql`, as consul. A shell script for the same reason as leader-released: the
# start of a Node process on every machine would slow down the restart of a primary in place.
# stdin: the watch's JSON: every member's database with its checks.
# Exit codes (Consul only logs them): 0 done, or nothing to decide; else the unit could not be started.
if [ "$1" = --help ]; then
  echo 'database-changed: starts the failover unit, unless a database is only being restarted in place.'
  exit 0
fi
# Input that never ends counts as an event: an extra run does no harm.
case $(timeout 5 cat) in
  *'"Status":"critical"'*) ;;
  # Whoever holds the lock keeps it; the end of the warning is an event as well.
  *'"Status":"warning"'*) exit 0 ;;
esac
if [ "$1" = --dry-run ]; then
  echo '{"do":"start","why":"a database has changed"}'
  exit 0
fi
exec systemctl start --no-block understudy-failover.service
