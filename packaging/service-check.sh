#!/bin/sh
# Called by: understudy-service-check@.service, as understudy-checks: once for each check of Consul, which asks for http://127.0.0.1:19534/NAME.
# stdin, stdout: the connection. Runs the command of that service.
# Answers: 200 the command has ended with 0, 503 it has not, 404 there is no such service.
if [ "$1" = --help ]; then
  echo 'service-check: runs the command of the check of a service, for an HTTP request on stdin.'
  exit 0
fi
answer() {
  printf 'HTTP/1.0 %s\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n%s\n' "$1" "$2"
  exit 0
}
read -r _ path _
# To its end: what is left unread would break the connection before the answer is read.
while read -r line && [ "${line%?}" != '' ]; do :; done
name=${path#/}
case $name in '' | *[!a-z0-9-]*) answer '404 Not Found' 'there is no such service' ;; esac
command=/var/lib/understudy/services/check/$name
[ -e "$command" ] || answer '404 Not Found' "the service $name has no command"
said=$(timeout --kill-after=0.1 3 sh "$command" </dev/null 2>&1)
status=$?
said=$(printf '%s' "$said" | head -c 1000)
case $status in
  0) answer '200 OK' "$said" ;;
  124) answer '503 Service Unavailable' "the command did not end within 3 s: $said" ;;
  *) answer '503 Service Unavailable' "$said" ;;
esac
