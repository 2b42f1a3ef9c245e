#!/bin/sh
# Called by: Consul's watch on `syncthing/`, as consul.
# stdin: the watch's JSON, ignored: an event only says "look again".
# Exit codes (Consul only logs them): 0 done; else the last run of the unit failed.
if [ "$1" = --help ]; then
  echo 'files-changed: starts the unit that brings the replicated folders into line with the cluster.'
  exit 0
fi
if [ "$1" = --dry-run ]; then
  echo '{"do":"start","why":"members or folders have changed"}'
  exit 0
fi
# A run that was just about to end has not seen it, and systemd starts no second one beside it: wait for it first.
systemctl start understudy-files.service
systemctl start understudy-files.service
