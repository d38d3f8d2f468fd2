#!/bin/sh
# Runs the quickstart in a scratch copy, so that the example itself stays clean. usage: demo.sh LUNFORM
set -eu
lunform=$1
example=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cp "$example"/*.lun.hcl "$scratch"
cd "$scratch"

run() {
    printf '\n\033[1m$ lunform %s\033[0m\n' "$*"
    "$lunform" "$@"
}

run init
run plan -out=demo.plan
run apply demo.plan
run state list
run plan -detailed-exitcode
run destroy -auto-approve -allow-data-loss
