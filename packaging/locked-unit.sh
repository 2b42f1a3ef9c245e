#!/bin/sh
# Called by: understudy lock --unit, in the unit of the lock, as root: a unit of systemd is what runs under the lock.
# argv: UNIT, or --end UNIT when the lock may be somebody else's soon, however it ended. stdin: nothing.
# In the environment: UNDERSTUDY_LOCK_EPOCH.
# Exit codes: 0 the unit has ended, else it has failed, or systemd has not started it.
if [ "$1" = --help ]; then
  echo 'locked-unit: runs a unit of systemd under a lock; with --end kills it.'
  exit 0
fi
if [ "$1" = --dry-run ]; then
  echo '{"do":"start","why":"the lock is held"}'
  exit 0
fi
end() {
  # First: with this file gone, what systemd restarts by itself is not started any more.
  rm -f "/run/understudy/locked/$1"
  systemctl kill --signal=KILL "$1"
  systemctl stop --no-block "$1"
}
if [ "$1" = --end ]; then
  end "$2"
  exit
fi
unit=$1
stop() {
  rm -f "/run/understudy/locked/$unit"
  systemctl stop "$unit"
}
trap stop TERM INT HUP
# What runs of it now does so without the lock.
systemctl stop "$unit"
echo "UNDERSTUDY_LOCK_EPOCH=$UNDERSTUDY_LOCK_EPOCH" >"/run/understudy/locked/$unit"
systemctl start --wait "$unit" &
# A signal ends the wait, not what is waited for.
until wait $!; status=$?; [ "$status" -lt 128 ]; do :; done
stop
exit "$status"
