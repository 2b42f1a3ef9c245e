#!/bin/sh
# Called by: Consul's service check `postgresql` every second, as consul. The lock of the primary hangs on it.
# argv: the database's unit, its data directory, then options of pg_isready. stdout: constant while nothing changes.
# Exit codes, as Consul understands them: 0 passing, 1 warning: it is being restarted in place, 2 critical.
unit=$1
data=$2
shift 2

# For the watchdog, which starts no program to see it: Consul runs its checks. Since the boot, in seconds, and never empty (1<>).
read -r now _ </proc/uptime
{ echo "${now%%.*}" 1<>/run/understudy/check/heartbeat; } 2>/dev/null

# Has the database been away for less than 5 s, and is systemd starting it? After that a failover is quicker.
is_restarting() {
  state=$(systemctl show --property=ActiveState,ActiveExitTimestampMonotonic "$unit")
  case $state in *ActiveState=activating* | *ActiveState=deactivating*) ;; *) return 1 ;; esac
  left=${state##*ActiveExitTimestampMonotonic=}
  left=${left%%[!0-9]*}
  [ "${left:-0}" -gt 0 ] && [ $((${now%%.*} - left / 1000000)) -lt 5 ]
}

if ! pg_isready --quiet --timeout=1 --host=/var/run/postgresql --username=understudy_monitor --dbname=postgres "$@"; then
  if is_restarting; then
    echo 'PostgreSQL is being restarted'
    exit 1
  fi
  echo 'PostgreSQL does not accept connections'
  exit 2
fi
# The periodic check has seen that no commit ends. Before anything touches that disk.
if [ -e /run/understudy/check/disk-hangs ]; then
  echo "the disk of $data hangs"
  exit 2
fi
# A database whose disk is full still answers, but takes no more writes: it needs room for two segments of WAL.
if space=$(stat --file-system --format '%a %S' "$data") && [ $((${space% *} * ${space#* })) -lt 33554432 ]; then
  echo "the disk of $data is full"
  exit 2
fi
echo 'PostgreSQL accepts connections'
