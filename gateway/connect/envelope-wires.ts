import type { JsonWriteOptions } from "@bufbuild/protobuf";
import type { ConnectError } from "@connectrpc/connect";
import * as connect from "@connectrpc/connect/protocol-connect";
import * as grpc from "@connectrpc/connect/protocol-grpc";
import * as grpcWeb from "@connectrpc/connect/protocol-grpc-web";

/** The differences between the protocols with enveloped messages. */
export interface EnvelopeWire {
  readonly protocol: "connect" | "grpc" | "grpc-web";
  readonly contentTypes: RegExp;
  parseContentType(type: string | null): { readonly binary: boolean } | undefined;
  contentTypeOf(binary: boolean): string;
  readonly timeoutHeader: string;
  readonly encodingHeader: string;
  readonly acceptEncodingHeader: string;
  readonly parseTimeout: typeof grpc.parseTimeout;
  /** Trailer entries of a successful call. */
  readonly trailer: Readonly<Record<string, string>>;
  /** Flags of the envelope that ends a stream; undefined if the protocol uses HTTP trailers. */
  readonly endFlag: number | undefined;
  /** Writes the outcome of the call to the trailer, and returns the last envelope if the protocol has one. */
  end(trailer: Headers, error: ConnectError | undefined): Uint8Array | undefined;
}

const grpcHeaders = {
  timeoutHeader: "grpc-timeout",
  encodingHeader: "grpc-encoding",
  acceptEncodingHeader: "grpc-accept-encoding",
  trailer: { "grpc-status": grpc.grpcStatusOk },
  parseTimeout: grpc.parseTimeout,
};

/** gRPC over HTTP/2. */
export const grpcWire: EnvelopeWire = {
  ...grpcHeaders,
  protocol: "grpc",
  contentTypes: grpc.contentTypeRegExp,
  parseContentType: (type) => grpc.parseContentType(type),
  contentTypeOf: (binary) => (binary ? grpc.contentTypeProto : grpc.contentTypeJson),
  endFlag: undefined,
  end(trailer, error) {
    if (error !== undefined) grpc.setTrailerStatus(trailer, error);
    return undefined;
  },
};

/** gRPC-Web, whose trailer is the last envelope. */
export const grpcWebWire: EnvelopeWire = {
  ...grpcHeaders,
  protocol: "grpc-web",
  contentTypes: grpcWeb.contentTypeRegExp,
  parseContentType(type) {
    const parsed = grpcWeb.parseContentType(type);
    return parsed?.text === true ? undefined : parsed;
  },
  contentTypeOf: (binary) => (binary ? grpcWeb.contentTypeProto : grpcWeb.contentTypeJson),
  endFlag: grpcWeb.trailerFlag,
  end(trailer, error) {
    if (error !== undefined) grpc.setTrailerStatus(trailer, error);
    return grpcWeb.trailerSerialize(trailer);
  },
};

/** Streams of Connect, whose last envelope is JSON. Its unary calls have no envelopes. */
export function connectStreamWire(jsonOptions: Partial<JsonWriteOptions>): EnvelopeWire {
  const lastEnvelope = connect.createEndStreamSerialization(jsonOptions);
  return {
    protocol: "connect",
    contentTypes: connect.contentTypeStreamRegExp,
    parseContentType(type) {
      const parsed = connect.parseContentType(type);
      return parsed?.stream === true ? parsed : undefined;
    },
    contentTypeOf: (binary) => (binary ? connect.contentTypeStreamProto : connect.contentTypeStreamJson),
    timeoutHeader: "connect-timeout-ms",
    encodingHeader: "connect-content-encoding",
    acceptEncodingHeader: "connect-accept-encoding",
    parseTimeout: connect.parseTimeout,
    trailer: {},
    endFlag: connect.endStreamFlag,
    end: (metadata, error) => lastEnvelope.serialize({ metadata, ...(error !== undefined && { error }) }),
  };
}
