#!/bin/sh
# Builds the example servers of grpc-gateway, gRPC and REST, through the Go module proxy, and the descriptor set of the
# API that they serve from the protos of the same module. All output is under .cache/grpc-gateway.
set -eu
cd "$(dirname "$0")/../../.."
PATH="$PWD/node_modules/.bin:$PATH:/usr/local/go/bin"
version=v2.33.0
cache=".cache/grpc-gateway/$version"
[ ! -f "$cache/built" ] || exit 0

module="$(go mod download -json "github.com/grpc-ecosystem/grpc-gateway/v2@$version" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')"
rm -rf "$cache"
mkdir -p "$cache/source"
# A copy, because a main package that imports its internal packages must be inside the module.
cp -R "$module/." "$cache/source"
chmod -R u+w "$cache/source"
mkdir "$cache/source/examples/internal/cmd/loopback-gateway"
cp gateway/test/grpc-gateway/loopback-gateway.go "$cache/source/examples/internal/cmd/loopback-gateway/main.go"
bin="$PWD/$cache"
(cd "$cache/source" && go build -o "$bin/" ./examples/internal/cmd/example-grpc-server ./examples/internal/cmd/loopback-gateway)

# The files of the example server's services. The other files have conflicting paths.
examples="$cache/source/examples/internal/proto/examplepb"
google=node_modules/google-proto-files
buf build . -o "$cache/examples.binpb" \
  --config "{\"version\":\"v2\",\"modules\":[{\"path\":\"$cache/source\",\"includes\":[\"$cache/source/examples/internal/proto\",\"$cache/source/protoc-gen-openapiv2/options\"]},{\"path\":\"$google\",\"includes\":[\"$google/google/api\",\"$google/google/rpc\"],\"excludes\":[\"$google/google/api/apikeys\",\"$google/google/api/cloudquotas\",\"$google/google/api/expr\",\"$google/google/api/servicecontrol\",\"$google/google/api/servicemanagement\",\"$google/google/api/serviceusage\",\"$google/google/rpc/context\"]}]}" \
  --path "$examples/a_bit_of_everything.proto" \
  --path "$examples/echo_service.proto" \
  --path "$examples/flow_combination.proto" \
  --path "$examples/non_standard_names.proto" \
  --path "$examples/response_body_service.proto" \
  --path "$examples/stream.proto"
rm -rf "$cache/source"
touch "$cache/built"
