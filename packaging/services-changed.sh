#!/bin/sh
# Called by: Consul's watch on `services`, as consul.
# stdin: the watch's JSON: null where the cluster has never had a service.
# Exit codes (Consul only logs them): 0 done; else the last run of the unit failed.
if [ "$1" = --help ]; then
  echo "services-changed: starts the unit that starts, stops and registers the operator's services."
  exit 0
fi
if [ "$(timeout 5 cat)" = null ] && [ ! -e /var/lib/understudy/services/applied.json ]; then
  exit 0
fi
if [ "$1" = --dry-run ]; then
  echo '{"do":"start","why":"the services have changed"}'
  exit 0
fi
# A run that was about to end may have missed the event, and systemd starts no second run beside it: wait for it first.
systemctl start understudy-services.service
systemctl start understudy-services.service
