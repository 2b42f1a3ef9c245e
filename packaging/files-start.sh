#!/bin/sh
# Called by: understudy-syncthing.service, as root, in a mount namespace of its own in which the machine's mounts do not appear.
# Becomes Syncthing, as its own user.
# argv: none. stdin: nothing.
# Exit codes: those of Syncthing, or not 0: it must not start.
if [ "$1" = --help ]; then
  echo 'files-start: starts Syncthing where it sees nothing that is mounted inside a folder.'
  exit 0
fi
systemd-cat --identifier=understudy /usr/lib/understudy/handlers/files-view || exit
capabilities=-all,+chown,+dac_override,+fowner
exec setpriv --reuid=understudy-syncthing --regid=understudy-syncthing --init-groups --inh-caps=$capabilities \
  --ambient-caps=$capabilities --bounding-set=$capabilities \
  /usr/bin/syncthing serve --home=/var/lib/understudy/syncthing --no-browser --no-restart
