#!/bin/sh
# A delivery client for `fleetmark run`: a shell and curl. It can push and verify, one at a time.
# It takes values out of the JSON by their names, which is enough for this protocol's lines as long
# as no value has a quotation mark in it; jq takes them out of any.

text() { printf %s "$line" | sed -n 's/.*"'"$1"'":"\([^"]*\)".*/\1/p'; }
number() { printf %s "$line" | sed -n 's/.*"'"$1"'":\([0-9][0-9]*\).*/\1/p'; }
fail() { echo "{\"id\":$id,\"error\":{\"class\":\"$1\",\"message\":\"$2\",\"status\":${3:-0}}}"; }

read -r line
ca=$(text ca_file) timeout=$(number total_timeout_ms)
timeout=${timeout:-10000}
# Header fields, which may be secrets, go to curl on its standard input: everybody can read arguments.
headers=$(printf %s "$line" | sed -n 's/.*"headers":{\([^}]*\)}.*/\1/p' | sed 's/"\],"/"]\
"/g' | sed 's/^"\([^"]*\)":\["\([^"]*\)"\]$/\1: \2/')
seconds=$(printf '%d.%03d' $((timeout / 1000)) $((timeout % 1000)))
echo '{"protocol":1,"version":"1.0","operations":["push","verify"]}'

while read -r line; do
  id=$(number id) address=$(text address) version=$(text version) sha=$(text sha256)
  set -- --silent --max-time "$seconds" --header @- --output - --write-out '\n%{http_code}'
  [ -n "$ca" ] && set -- "$@" --cacert "$ca"
  if [ "$(text operation)" = push ]; then
    set -- "$@" --header "X-Update-Version: $version" --header 'Content-Type: application/octet-stream' \
      --header 'Expect:' --data-binary "@$(text path)" "$address/update"
    want='"success": *true'
  else
    set -- "$@" "$address/version"
    # The members in the order in which Fleetmark's devices write them. Another device may use another.
    want="\"device_id\": *\"$(text id)\".*\"digest\": *\"$sha\".*\"state\": *\"idle\""
  fi
  answer=$(printf '%s\n' "$headers" | curl "$@") || { fail connection "curl: exit status $?"; continue; }
  status=${answer##*
}
  case $status in
    200 | 202) ;;
    *) fail refused "status $status" "$status"; continue ;;
  esac
  if printf %s "$answer" | grep -q "$want"; then
    echo "{\"id\":$id,\"ok\":true}"
  else
    fail refused "the device does not run $version"
  fi
done
