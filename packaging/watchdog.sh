#!/bin/sh
# Called by: understudy-watchdog.timer every 10 s, and systemd where Consul's agent or PostgreSQL has stopped; as root. For a machine
# whose Consul agent is away or hangs, so that nothing else of ours runs there.
# argv: `stopped` from systemd. stdin: nothing.
# Exit codes (systemd only keeps them): 0 done, or nothing to do; else systemd did not do it.
if [ "$1" = --help ]; then
  echo 'watchdog: fences a primary whose Consul agent runs no checks any more, and ends an agent that hangs.'
  echo 'watchdog stopped: gives up the virtual IP where neither PostgreSQL nor the agent runs.'
  exit 0
fi
# A standby that does not claim the virtual IP has nothing to give up.
claims() { [ -r /run/understudy/keepalived/weight ] && read -r weight </run/understudy/keepalived/weight && [ "$weight" = 100 ]; }
# Only a primary has a walwriter.
leads() { pgrep --full '^postgres: .*walwriter' >/dev/null; }

# Whichever of the two stops last: nobody is left here to hear that another machine leads.
if [ "$1" = stopped ]; then
  claims || exit 0
  systemctl is-active --quiet consul.service && exit 0
  leads && exit 0
  exec systemctl start --no-block understudy-withdraw.service
fi

heartbeat=/run/understudy/check/heartbeat
# Since the boot Consul has run no check, and nothing of this machine leads.
[ -s "$heartbeat" ] || exit 0
read -r beat <"$heartbeat"
read -r now _ </proc/uptime
now=${now%%.*}
silent=$((now - beat))
[ "$silent" -ge 10 ] || exit 0

if claims || leads; then
  systemctl start --no-block understudy-fence.service
fi

# An agent that has run for a minute and checked nothing in that time hangs: one that was stopped by a person is left alone.
[ "$silent" -ge 60 ] || exit 0
state=$(systemctl show --property=ActiveState,ActiveEnterTimestampMonotonic consul.service)
case $state in *ActiveState=active*) ;; *) exit 0 ;; esac
since=${state##*ActiveEnterTimestampMonotonic=}
since=${since%%[!0-9]*}
[ $((now - ${since:-0} / 1000000)) -ge 60 ] || exit 0
# After a machine as a whole was frozen, it needs a moment.
sleep 3
read -r again <"$heartbeat"
[ "$again" = "$beat" ] || exit 0
exec systemctl kill --kill-whom=main --signal=KILL consul.service
