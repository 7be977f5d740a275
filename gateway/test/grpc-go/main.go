// A gRPC server for any method, with grpc-go's default keepalive enforcement. It reads all requests of a call, then
// sends one empty message; Wait and WatchBooks send nothing until the call ends. It reports how each call's requests
// ended as a line of JSON on standard output.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strings"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
)

// anyMessage passes messages through as bytes.
type anyMessage struct{}

func (anyMessage) Name() string { return "proto" }

func (anyMessage) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*v.(*[]byte))}, nil
}

func (anyMessage) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = data.Materialize()
	return nil
}

var _ encoding.CodecV2 = anyMessage{}

type ending struct {
	Method   string `json:"method"`
	Messages int    `json:"messages"`
	End      string `json:"end"`
}

var output sync.Mutex

func report(e ending) {
	output.Lock()
	defer output.Unlock()
	if err := json.NewEncoder(os.Stdout).Encode(e); err != nil {
		log.Fatal(err)
	}
}

func serve(_ any, stream grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(stream)
	end := ending{Method: method}
	for {
		var message []byte
		err := stream.RecvMsg(&message)
		if err == io.EOF {
			end.End = "EOF"
			break
		}
		if err != nil {
			end.End = status.Code(err).String()
			report(end)
			return err
		}
		end.Messages++
		report(ending{Method: method, Messages: end.Messages})
	}
	report(end)
	if strings.HasSuffix(method, "/Wait") || strings.HasSuffix(method, "/WatchBooks") {
		<-stream.Context().Done()
		return stream.Context().Err()
	}
	return stream.SendMsg(&[]byte{})
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(listener.Addr())
	server := grpc.NewServer(grpc.UnknownServiceHandler(serve), grpc.ForceServerCodecV2(anyMessage{}))
	log.Fatal(server.Serve(listener))
}
