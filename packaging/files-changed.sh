#!/bin/sh
# Called by: Consul's watch on `syncthing/`, as consul.
# stdin: the watch's JSON, ignored: an event only says "look again".
# Exit codes (Consul only logs them): 0 done; else the last run of the unit failed.
if [ "$1" = --help ]; then
  echo 'files-changed: starts the unit that gives Syncthing the devices and folders of the cluster.'
  exit 0
fi
if [ "$1" = --dry-run ]; then
  echo '{"do":"start","why":"members or folders have changed"}'
  exit 0
fi
# A run that was about to end may have missed the event, and systemd starts no second run beside it: wait for it first.
systemctl start understudy-files.service
systemctl start understudy-files.service
