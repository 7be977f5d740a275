#!/bin/sh
# Generates and builds the grpc-gateway of main.go, its plugins and modules from the Go module proxy, and the descriptor
# set of the same API for ours. Everything it makes is under .cache/grpc-gateway: `gateway`, `versions`, `api.binpb`.
set -eu
cd "$(dirname "$0")/../.."
here="$PWD/bench/grpc-gateway"
cache="$PWD/.cache/grpc-gateway"
gateway=v2.33.0 grpc=v1.85.0 protobuf=v1.36.12 plugin=v1.6.2
mkdir -p "$cache/proto/bench/v1" "$cache/proto/google/api" "$cache/go"
cp "$here/orders.proto" "$cache/proto/bench/v1/"
cp node_modules/google-proto-files/google/api/annotations.proto node_modules/google-proto-files/google/api/http.proto \
  "$cache/proto/google/api/"
buf build "$cache/proto" --config '{"version":"v2"}' -o "$cache/api.binpb"
command -v go > /dev/null || exit 0
bin="$cache/bin-$gateway-$grpc-$protobuf"
if [ ! -x "$bin/protoc-gen-grpc-gateway" ]; then
  GOBIN="$bin" go install "google.golang.org/protobuf/cmd/protoc-gen-go@$protobuf"
  GOBIN="$bin" go install "google.golang.org/grpc/cmd/protoc-gen-go-grpc@$plugin"
  GOBIN="$bin" go install "github.com/grpc-ecosystem/grpc-gateway/v2/protoc-gen-grpc-gateway@$gateway"
fi
plugins=
for name in go go-grpc grpc-gateway; do
  plugins="$plugins{\"local\":\"$bin/protoc-gen-$name\",\"out\":\"$cache/go/gen\",\"opt\":[\"paths=source_relative\"]},"
done
buf generate "$cache/proto" --path "$cache/proto/bench" --config '{"version":"v2"}' \
  --template "{\"version\":\"v2\",\"plugins\":[${plugins%,}]}"
cp "$here/main.go" "$cache/go/"
cd "$cache/go"
if [ ! -f go.mod ]; then
  go mod init bench
  go get "github.com/grpc-ecosystem/grpc-gateway/v2@$gateway" "google.golang.org/grpc@$grpc" \
    "google.golang.org/protobuf@$protobuf"
fi
go mod tidy
go build -o "$cache/gateway" .
echo "$(go env GOVERSION), grpc-gateway $gateway, grpc-go $grpc, protobuf-go $protobuf" > "$cache/versions"
