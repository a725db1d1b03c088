#!/bin/sh
# A rollout by curl and xargs: rollout.sh DEVICES ARTIFACT VERSION, where DEVICES is a file with an
# address a line. It exits with another status than 0 if a device did not take the update.
artifact=$2 version=$3
export artifact version
xargs -P 8 -n 1 sh -c 'curl --silent --show-error --fail --max-time 10 --retry 5 --retry-connrefused --retry-delay 1 \
  --output /dev/null --header "X-Update-Version: $version" --header "Content-Type: application/octet-stream" --header Expect: \
  --data-binary "@$artifact" "$0/update"' <"$1"
