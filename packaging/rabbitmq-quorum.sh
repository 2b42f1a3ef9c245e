#!/bin/sh
# Called by: understudy-rabbitmq-quorum.service when it is stopped, before the broker of this machine is, as rabbitmq.
# argv: none. stdin: nothing.
# Exit codes (systemd only keeps them): 0 every queue keeps a majority without this broker, or it never had one to spare; else the
# broker stops all the same.
if [ "$1" = --help ]; then
  echo 'rabbitmq-quorum: waits up to 30 s until every queue has a majority without the broker of this machine.'
  exit 0
fi
if [ "$1" = --dry-run ]; then
  echo '{"do":"wait","why":"every queue needs a majority without this broker"}'
  exit 0
fi
# One of two brokers is no majority: waiting would not help.
[ "$(grep -c '^{host,' "$ERL_INETRC")" -gt 2 ] || exit 0
exec timeout 30 /usr/lib/rabbitmq/bin/rabbitmq-upgrade await_online_quorum_plus_one
