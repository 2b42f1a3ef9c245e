#!/bin/sh
# Called by: Consul's watches on `rabbitmq/nodes/` and on the service `rabbitmq`, as consul.
# stdin: the watch's JSON, ignored: an event only says "look again".
# Exit codes (Consul only logs them): 0 done; else the last run of the unit failed.
if [ "$1" = --help ]; then
  echo 'rabbitmq-changed: starts the unit that makes the broker of this machine a member.'
  exit 0
fi
if [ "$1" = --dry-run ]; then
  echo '{"do":"start","why":"a broker joins, is away or is back"}'
  exit 0
fi
systemctl start --no-block understudy-rabbitmq.service
