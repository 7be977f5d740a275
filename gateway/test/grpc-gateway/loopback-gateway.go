// Command loopback-gateway runs grpc-gateway's example gateway at a given address; its own command listens on a
// fixed address on all interfaces. It is built inside a copy of the module: see build.sh.
package main

import (
	"context"
	"log"
	"os"

	"github.com/grpc-ecosystem/grpc-gateway/v2/examples/internal/gateway"
)

func main() {
	listen, upstream := os.Args[1], os.Args[2]
	options := gateway.Options{Addr: listen, GRPCServer: gateway.Endpoint{Network: "tcp", Addr: upstream}}
	log.Fatal(gateway.Run(context.Background(), options))
}
