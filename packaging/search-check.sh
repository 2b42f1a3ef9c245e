#!/bin/sh
# Called by: Consul's check `search` every 10 s, as consul.
# argv: none. stdin: nothing. stdout: one line that Consul keeps.
# Exit codes: 0 the server answers; 1 (warning) it answers that its cluster has no master, or lacks data; 2 it does not answer.
# A server whose replicas have no other machine is yellow for ever, so green is not demanded.
if [ "$1" = --help ]; then
  echo 'search-check: asks the search server of this machine for its health.'
  exit 0
fi
URL='' CA=''
login=/etc/understudy/search.login
# Where the server answers: written by understudy.
. /etc/understudy/search.env || exit 2
# The login is in no argv: curl reads it from its stdin.
said=$(
  {
    [ -z "$CA" ] || echo "cacert = \"$CA\""
    [ ! -e "$login" ] || sed 's/[\\"]/\\&/g; s/.*/user = "&"/; q' "$login"
  } | /usr/bin/curl --silent --show-error --noproxy '*' --max-time 5 --config - --write-out ' %{http_code}' \
    "$URL/_cluster/health?local=true" 2>&1
)
case "$said" in
  *' 200') ;;
  *' 401' | *' 403')
    echo "the server wants another login than that in $login (one line, USER:PASSWORD)"
    exit 2
    ;;
  *)
    echo "$URL does not answer: $said" | head -c 300
    exit 2
    ;;
esac
case "$said" in
  *'"status":"red"'* | *'"discovered_master":false'*)
    echo 'the server answers, but its cluster has no elected master, or data is missing; see its log'
    exit 1
    ;;
esac
echo 'the server answers'
