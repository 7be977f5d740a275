#!/bin/sh
# Builds the official Connect conformance runner through the Go module proxy, takes the suite's protos from the same
# module, and runs it against the gateway. Everything it makes is under .cache/conformance. Arguments go to the runner.
set -eu
cd "$(dirname "$0")/../.."
version=v1.0.5
cache="$PWD/.cache/conformance"
if ! command -v go > /dev/null; then
  echo "conformance: skipped, it needs Go to build the runner"
  exit 0
fi
mkdir -p "$cache"
if [ ! -x "$cache/$version/connectconformance" ]; then
  GOBIN="$cache/$version" go install "connectrpc.com/conformance/cmd/connectconformance@$version"
fi
module="$(go mod download -json "connectrpc.com/conformance@$version" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')"
mkdir -p "$cache/proto"
chmod -R u+w "$cache/proto"
cp -R "$module/proto/." "$cache/proto"
chmod -R u+w "$cache/proto"
buf build "$cache/proto" --config '{"version":"v2"}' -o "$cache/conformance.binpb"
exec "$cache/$version/connectconformance" --mode server --conf gateway/conformance/config.yaml --max-servers 2 "$@" -- \
  node gateway/conformance/server.ts "$cache/conformance.binpb"
