// A grpc-go client that makes one call and prints its outcome as JSON.
//
//	client -address host:port [-ca file] -method /package.Service/Method [-kind unary|server|client|bidi]
//	    [-behavior name] [-timeout duration] [-gzip] [-repeat size] [-cancel] [message ...]
//
// Messages are sent as they are. A bidi call receives a message after each one that it sends. With -repeat, the first
// message is repeated to that many bytes. With -cancel, the call is cancelled once the first response has arrived.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io"
	"log"
	"os"
	"time"

	"example.com/grpc-go/rawmessage"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

type outcome struct {
	Code     string      `json:"code"`
	Message  string      `json:"message"`
	Details  []string    `json:"details"`
	Messages []string    `json:"messages"`
	Bytes    int         `json:"bytes"`
	Header   metadata.MD `json:"header"`
	Trailer  metadata.MD `json:"trailer"`
}

var (
	address  = flag.String("address", "", "")
	ca       = flag.String("ca", "", "")
	method   = flag.String("method", "", "")
	kind     = flag.String("kind", "unary", "")
	behavior = flag.String("behavior", "", "")
	timeout  = flag.Duration("timeout", 30*time.Second, "")
	compress = flag.Bool("gzip", false, "")
	repeat   = flag.Int("repeat", 0, "")
	cancel   = flag.Bool("cancel", false, "")
)

func call(ctx context.Context, stop context.CancelFunc, connection *grpc.ClientConn, messages [][]byte, result *outcome) error {
	desc := &grpc.StreamDesc{ClientStreams: *kind == "client" || *kind == "bidi", ServerStreams: *kind == "server" || *kind == "bidi"}
	options := []grpc.CallOption{grpc.ForceCodecV2(rawmessage.Codec{}), grpc.Trailer(&result.Trailer), grpc.Header(&result.Header)}
	if *compress {
		options = append(options, grpc.UseCompressor(gzip.Name))
	}
	receive := func(message []byte) {
		result.Bytes += len(message)
		if len(message) <= 100 {
			result.Messages = append(result.Messages, string(message))
		}
		if *cancel {
			stop()
		}
	}
	if *kind == "unary" {
		var reply []byte
		if err := connection.Invoke(ctx, *method, &messages[0], &reply, options...); err != nil {
			return err
		}
		receive(reply)
		return nil
	}
	stream, err := connection.NewStream(ctx, desc, *method, options...)
	if err != nil {
		return err
	}
	for _, message := range messages {
		if err := stream.SendMsg(&message); err != nil && err != io.EOF {
			return err
		}
		if *kind != "bidi" {
			continue
		}
		var reply []byte
		if err := stream.RecvMsg(&reply); err != nil {
			return err
		}
		receive(reply)
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	for {
		var reply []byte
		if err := stream.RecvMsg(&reply); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		receive(reply)
		if *kind == "client" {
			return nil
		}
	}
}

func main() {
	flag.Parse()
	security := insecure.NewCredentials()
	if *ca != "" {
		fromFile, err := credentials.NewClientTLSFromFile(*ca, "")
		if err != nil {
			log.Fatal(err)
		}
		security = fromFile
	}
	connection, err := grpc.NewClient(*address, grpc.WithTransportCredentials(security))
	if err != nil {
		log.Fatal(err)
	}
	messages := [][]byte{}
	for _, text := range flag.Args() {
		messages = append(messages, []byte(text))
	}
	if *repeat > 0 {
		messages[0] = bytes.Repeat(messages[0], *repeat/len(messages[0])+1)[:*repeat]
	}
	ctx, stop := context.WithTimeout(context.Background(), *timeout)
	defer stop()
	ctx = metadata.AppendToOutgoingContext(ctx, "x-behavior", *behavior, "x-sent", "a", "x-sent", "b, c", "x-sent-bin", "\x00\xff")
	result := outcome{Details: []string{}, Messages: []string{}}
	err = call(ctx, stop, connection, messages, &result)
	result.Code = status.Code(err).String()
	result.Message = status.Convert(err).Message()
	for _, detail := range status.Convert(err).Proto().GetDetails() {
		result.Details = append(result.Details, detail.GetTypeUrl())
	}
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		log.Fatal(err)
	}
}
