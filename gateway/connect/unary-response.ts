import type { OutgoingHttpHeaders } from "node:http";
import type { JsonWriteOptions } from "@bufbuild/protobuf";
import type { ConnectError } from "@connectrpc/connect";
import { type Compression, compressionNegotiate } from "@connectrpc/connect/protocol";
import { codeToHttpStatus, errorToJsonBytes } from "@connectrpc/connect/protocol-connect";
import { setTrailerStatus, trailerSerialize } from "@connectrpc/connect/protocol-grpc-web";
import { compressionBrotli, compressionGzip } from "@connectrpc/connect-node";
import type { Call } from "../call/call-context.ts";
import type { Request, Response } from "../http/body/request.ts";
import { sendResponse } from "../http/body/response.ts";

/** The protocol, codec and compression of a unary call. */
export interface RpcWire {
  readonly protocol: "connect" | "grpc-web";
  readonly binary: boolean;
}

const compressions: Compression[] = [compressionGzip, compressionBrotli];
const compressMinBytes = 1024;

function setHeaders(headers: OutgoingHttpHeaders, from: Headers | undefined, prefix = ""): void {
  from?.forEach((value, name) => {
    if (name !== "set-cookie") headers[prefix + name] = value;
  });
  const cookies = from?.getSetCookie() ?? [];
  if (cookies.length > 0) headers[`${prefix}set-cookie`] = cookies;
}

/** Sends a unary Connect response, compressed if the client accepts it and the size justifies it. */
export async function sendConnectResponse(
  request: Request,
  response: Response,
  call: Call,
  wire: RpcWire,
  bytes: Buffer,
): Promise<void> {
  const headers: OutgoingHttpHeaders = { "content-type": wire.binary ? "application/proto" : "application/json" };
  setHeaders(headers, call.touchedHeader());
  setHeaders(headers, call.touchedTrailer(), "trailer-");
  let body: Uint8Array = bytes;
  if (bytes.length >= compressMinBytes) {
    const accepted = request.headers["accept-encoding"];
    const compression = negotiate(accepted);
    if (compression !== undefined) {
      body = await compression.compress(bytes);
      headers["content-encoding"] = compression.name;
    }
  }
  sendResponse(response, 200, headers, body);
}

/** Sends a unary Connect error, which is JSON whatever the codec. */
export function sendConnectError(
  response: Response,
  call: Call,
  error: ConnectError,
  jsonOptions: Partial<JsonWriteOptions>,
): void {
  const headers: OutgoingHttpHeaders = { "content-type": "application/json" };
  setHeaders(headers, call.touchedHeader());
  setHeaders(headers, call.touchedTrailer(), "trailer-");
  headers["content-type"] = "application/json";
  if (!error.isWireError) setMetadata(headers, error);
  const body = errorToJsonBytes(error, jsonOptions);
  sendResponse(response, codeToHttpStatus(error.code), headers, body);
}

/** Copies the metadata of an error, except protocol headers. */
function setMetadata(headers: OutgoingHttpHeaders, error: ConnectError): void {
  error.metadata.forEach((value, name) => {
    if (!/^(content-|connect-|grpc-|accept|connection$|trailer|transfer-encoding$|te$|host$)/.test(name))
      headers[name] = value;
  });
}

/** Sends a unary gRPC-Web response: the message and the trailers are the two frames of the body. */
export async function sendGrpcWebResponse(
  request: Request,
  response: Response,
  call: Call,
  wire: RpcWire,
  bytes: Buffer,
): Promise<void> {
  const headers = grpcWebHead(call, wire);
  const compression = negotiate(request.headers["grpc-accept-encoding"]);
  let data: Uint8Array = bytes;
  let flags = 0;
  if (compression !== undefined) headers["grpc-encoding"] = compression.name;
  if (compression !== undefined && bytes.length >= compressMinBytes) {
    data = await compression.compress(bytes);
    flags = 1;
  }
  const trailer = new Headers(call.touchedTrailer());
  trailer.set("grpc-status", "0");
  const body = Buffer.concat([envelope(flags, data.length), data, trailerFrame(trailer)]);
  sendResponse(response, 200, headers, body);
}

/** Sends a unary gRPC-Web error: trailers only. */
export function sendGrpcWebError(response: Response, call: Call, wire: RpcWire, error: ConnectError): void {
  const headers = grpcWebHead(call, wire);
  const trailer = new Headers(call.touchedTrailer());
  setTrailerStatus(trailer, error);
  const body = trailerFrame(trailer);
  sendResponse(response, 200, headers, body);
}

function grpcWebHead(call: Call, wire: RpcWire): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = {
    "content-type": wire.binary ? "application/grpc-web+proto" : "application/grpc-web+json",
  };
  setHeaders(headers, call.touchedHeader());
  return headers;
}

function negotiate(accepted: string | string[] | undefined): Compression | undefined {
  if (accepted === undefined) return undefined;
  return compressionNegotiate(compressions, null, String(accepted), "").response ?? undefined;
}

function trailerFrame(trailer: Headers): Buffer {
  const data = trailerSerialize(trailer);
  return Buffer.concat([envelope(0x80, data.length), data]);
}

function envelope(flags: number, length: number): Buffer {
  const head = Buffer.allocUnsafe(5);
  head[0] = flags;
  head.writeUInt32BE(length, 1);
  return head;
}
