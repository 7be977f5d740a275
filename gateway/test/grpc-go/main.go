// A gRPC server for any method, with grpc-go's default keepalive enforcement. It reads all requests of a call, then
// sends one empty message; Wait and WatchBooks send nothing until the call ends. The request metadata x-behavior selects
// another response: echo (each message at once), join (all messages as one) or fail (an error with details). It reports
// how each call's requests ended as a line of JSON on standard output.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"example.com/grpc-go/rawmessage"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	_ "google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

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

// answerMetadata returns the request's x-sent and x-sent-bin as headers with the time left, and x-sent as a trailer too.
func answerMetadata(stream grpc.ServerStream) error {
	incoming, _ := metadata.FromIncomingContext(stream.Context())
	header := metadata.MD{}
	header.Append("x-sent", incoming.Get("x-sent")...)
	header.Append("x-sent-bin", incoming.Get("x-sent-bin")...)
	if deadline, ok := stream.Context().Deadline(); ok {
		header.Set("x-milliseconds-left", strconv.FormatInt(time.Until(deadline).Milliseconds(), 10))
	}
	trailer := metadata.MD{}
	trailer.Append("x-sent", incoming.Get("x-sent")...)
	stream.SetTrailer(trailer)
	return stream.SetHeader(header)
}

func failure() error {
	failed, err := status.New(codes.NotFound, "gone: 100 %, ü").WithDetails(&errdetails.ErrorInfo{Reason: "WHY", Domain: "test"})
	if err != nil {
		log.Fatal(err)
	}
	return failed.Err()
}

func serve(_ any, stream grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(stream)
	behavior := strings.Join(metadata.ValueFromIncomingContext(stream.Context(), "x-behavior"), "")
	end := ending{Method: method}
	if err := answerMetadata(stream); err != nil {
		return err
	}
	joined := []byte{}
	for {
		var message []byte
		err := stream.RecvMsg(&message)
		if err == io.EOF {
			end.End = "EOF"
			break
		}
		if err == nil {
			end.Messages++
			report(ending{Method: method, Messages: end.Messages})
			if behavior == "echo" {
				err = stream.SendMsg(&message)
			}
		}
		if err != nil {
			end.End = status.Code(err).String()
			report(end)
			return err
		}
		if behavior == "join" {
			joined = append(joined, message...)
		}
	}
	report(end)
	switch {
	case behavior == "echo":
		return nil
	case behavior == "fail":
		return failure()
	case strings.HasSuffix(method, "/Wait") || strings.HasSuffix(method, "/WatchBooks"):
		<-stream.Context().Done()
		return stream.Context().Err()
	}
	return stream.SendMsg(&joined)
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(listener.Addr())
	server := grpc.NewServer(grpc.UnknownServiceHandler(serve), grpc.ForceServerCodecV2(rawmessage.Codec{}),
		grpc.MaxRecvMsgSize(64<<20))
	log.Fatal(server.Serve(listener))
}
