import type { JsonReadOptions, JsonWriteOptions, Registry } from "@bufbuild/protobuf";
import { base64Decode } from "@bufbuild/protobuf/wire";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type Interceptor, type MethodImplSpec } from "@connectrpc/connect";
import * as connectTypes from "@connectrpc/connect/protocol-connect";
import * as grpcWebTypes from "@connectrpc/connect/protocol-grpc-web";
import { untilAborted } from "../call/abort.ts";
import { beginCall, type Call } from "../call/call-context.ts";
import { clientConnection } from "../call/cancellation.ts";
import { invokeUnary } from "../call/invoke.ts";
import { abortReason, withoutDetails } from "../errors.ts";
import { jsonFieldNames, withFieldNames } from "../fields/field-names.ts";
import { bodyTooLarge, decodeBody } from "../http/body/content-encoding.ts";
import { bodyOfSameTurn, type Request, type Response } from "../http/body/request.ts";
import { readRaw } from "../http/body/whole-body.ts";
import { sendFailure } from "../http/listener/last-resort.ts";
import { defaultMaxBodyBytes, type RestOptions } from "../rest/options.ts";
import type { RpcCodec } from "./method-codec.ts";
import {
  type RpcWire,
  sendConnectError,
  sendConnectResponse,
  sendGrpcWebError,
  sendGrpcWebResponse,
} from "./unary-response.ts";

/**
 * Serves a unary Connect or gRPC-Web call, or declines it.
 *
 * @returns false for a request outside the fast path, of which nothing has been consumed.
 */
export type UnaryRpc = (request: Request, response: Response) => boolean;

/** Options for serving RPCs: those of REST, and a meter shared by all methods. */
export type RpcOptions = RestOptions & Required<Pick<RestOptions, "meter">>;

/** Passes a request whose body was already read to connect-node's handlers. */
export type Fallback = (request: Request, response: Response, body: Uint8Array) => void;

/** The wire of a request, by its content type, or for GET by its query; undefined if unsupported. */
function wireOf(request: Request, query: URLSearchParams | undefined): RpcWire | undefined {
  if (query !== undefined) {
    const encoding = query.get("encoding");
    return encoding === "json" || encoding === "proto"
      ? { protocol: "connect", binary: encoding === "proto" }
      : undefined;
  }
  const type = request.headers["content-type"] ?? "";
  const connect = connectTypes.parseContentType(type);
  if (connect !== undefined) return connect.stream ? undefined : { protocol: "connect", binary: connect.binary };
  const web = grpcWebTypes.parseContentType(type);
  return web === undefined || web.text ? undefined : { protocol: "grpc-web", binary: web.binary };
}

/** A request as described by its head. `query` is that of a GET. */
interface UnaryRequest {
  readonly wire: RpcWire;
  readonly timeoutMs: number | undefined;
  readonly query: URLSearchParams | undefined;
}

/**
 * The fast path for a unary method: no streams, no iterators, compiled codecs, and lazy contexts. Requests that are not
 * one whole message, or that violate the protocol, fall back to connect-node's handlers.
 */
export function createUnaryRpc(
  spec: MethodImplSpec & { kind: "unary" },
  codec: RpcCodec,
  interceptors: readonly Interceptor[],
  options: RpcOptions,
  fallback: Fallback,
): UnaryRpc {
  const { method } = spec;
  const maxBytes = options.maxBodyBytes ?? defaultMaxBodyBytes;
  const jsonOptions = jsonOptionsOf(options.registry);
  const fieldNames = jsonFieldNames(method.input);
  const allowsGet = method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS;

  const readBody = (request: Request, wire: RpcWire): Promise<Buffer> =>
    readRaw(request, { maxBytes: maxBytes + (wire.protocol === "connect" ? 0 : messageHead), meter: options.meter });

  return (request, response) => {
    const { headers } = request;
    const query = request.method === "GET" && allowsGet ? queryOf(request) : undefined;
    if (request.method !== "POST" && query === undefined) return false;
    const wire = wireOf(request, query);
    if (wire === undefined || !isKnownEncoding(encodingOf(headers, wire, query))) return false;
    const timeout = wire.protocol === "connect" ? headers["connect-timeout-ms"] : headers["grpc-timeout"];
    const timeoutMs = timeout === undefined ? undefined : timeoutOf(wire, String(timeout));
    if (timeout !== undefined && (timeoutMs === undefined || timeoutMs > (options.maxTimeoutMs ?? Infinity)))
      return false;
    serve(request, response, { wire, timeoutMs, query }).catch((error: unknown) => {
      options.onError?.(error, request);
      sendFailure(request, response, "rpc");
    });
    return true;
  };

  async function serve(request: Request, response: Response, { wire, timeoutMs, query }: UnaryRequest): Promise<void> {
    const call = beginCall(method, {
      protocolName: wire.protocol,
      requestMethod: query === undefined ? "POST" : "GET",
      url: absoluteUrl(request),
      requestHeader: () => headersOf(request),
      timeoutMs,
      cancellation: clientConnection(response, options.shutdownSignal),
      values: options.contextValues?.(request),
    });
    try {
      const admitted = options.admit?.(call);
      if (admitted !== undefined) await untilAborted(admitted, call.signal, abortReason);
      const encoding = encodingOf(request.headers, wire, query);
      const body = query === undefined ? await readBody(request, wire) : messageOf(query, maxBytes);
      const first =
        wire.protocol === "connect"
          ? { data: body, isCompressed: encoding !== undefined, isAlone: true }
          : firstMessage(body, encoding);
      if (first?.isAlone !== true) {
        call.finish();
        fallback(request, response, body);
        return;
      }
      const { data, isCompressed } = first;
      const plain = isCompressed ? await decodeBody(data, encoding ?? "", maxBytes, options.decodeBudget) : data;
      const input = codec.decode(plain, wire.binary);
      const answer = invokeUnary(spec, call, input, interceptors);
      const message =
        timeoutMs === undefined ? await answer : await untilAborted(Promise.resolve(answer), call.signal, abortReason);
      const output = codec.encode(message, wire.binary);
      if (wire.protocol === "connect") await sendConnectResponse(request, response, call, wire, output);
      else await sendGrpcWebResponse(request, response, call, wire, output);
    } catch (thrown) {
      const error = errorOf(thrown, call);
      if (error.code === Code.Internal) options.onError?.(thrown, request);
      await bodyOfSameTurn(request);
      if (response.headersSent || response.destroyed) return;
      if (wire.protocol !== "connect") sendGrpcWebError(response, call, wire, error);
      else sendConnectError(response, call, wire.binary ? error : withFieldNames(error, fieldNames), jsonOptions);
    } finally {
      call.finish();
    }
  }
}

function jsonOptionsOf(
  registry: Registry | undefined,
): Partial<JsonReadOptions & JsonWriteOptions> & { registry?: Registry } {
  return { ignoreUnknownFields: true, ...(registry === undefined ? {} : { registry }) };
}

/** The compression of the message, or the one that its envelope may select. */
function encodingOf(
  headers: Request["headers"],
  wire: RpcWire,
  query: URLSearchParams | undefined,
): string | undefined {
  const header = headers[wire.protocol === "connect" ? "content-encoding" : "grpc-encoding"];
  const encoding = query === undefined ? header : (query.get("compression") ?? undefined);
  return encoding === undefined || encoding === "identity" || encoding === "" ? undefined : String(encoding);
}

function isKnownEncoding(encoding: string | undefined): boolean {
  return encoding === undefined || encoding === "gzip" || encoding === "br";
}

function queryOf({ url = "" }: Request): URLSearchParams {
  const question = url.indexOf("?");
  return new URLSearchParams(question === -1 ? "" : url.slice(question + 1));
}

/** The message in the query of a GET. @throws ConnectError for invalid base64 and for too many bytes. */
function messageOf(query: URLSearchParams, maxBytes: number): Buffer {
  const text = query.get("message") ?? "";
  let message: Buffer;
  try {
    message = Buffer.from(query.get("base64") === "1" ? base64Decode(text) : text);
  } catch (error) {
    throw new ConnectError("the message is not base64", Code.InvalidArgument, undefined, undefined, error);
  }
  if (message.length > maxBytes) throw bodyTooLarge(maxBytes);
  return message;
}

const units: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };

function timeoutOf(wire: RpcWire, value: string): number | undefined {
  if (wire.protocol === "connect") return /^\d{1,10}$/.test(value) ? Number(value) : undefined;
  const match = /^(\d{1,8})([HMSmun])$/.exec(value);
  return match === null ? undefined : Number(match[1]) * (units[match[2] ?? ""] ?? 1);
}

function absoluteUrl(request: Request): string {
  const encrypted = "encrypted" in request.socket && request.socket.encrypted === true;
  const authority = ("authority" in request ? request.authority : request.headers.host) ?? "localhost";
  return `${encrypted ? "https" : "http"}://${authority}${request.url ?? ""}`;
}

function headersOf(request: Request): Headers {
  const headers = new Headers();
  for (const name in request.headers) {
    const value = request.headers[name];
    if (value === undefined || name.startsWith(":")) continue;
    if (typeof value === "string") headers.append(name, value);
    else for (const each of value) headers.append(name, each);
  }
  return headers;
}

/** Length of the prefix of each gRPC-Web message: flags and length. */
const messageHead = 5;

interface FirstMessage {
  readonly data: Buffer;
  readonly isCompressed: boolean;
  /** True if no bytes follow the message. */
  readonly isAlone: boolean;
}

/** The first message of a gRPC-Web request; undefined if it is incomplete or has invalid flags. */
function firstMessage(body: Buffer, encoding: string | undefined): FirstMessage | undefined {
  if (body.length < messageHead) return undefined;
  const isCompressed = body[0] === 1 && encoding !== undefined;
  const end = messageHead + body.readUInt32BE(1);
  if ((body[0] !== 0 && !isCompressed) || end > body.length) return undefined;
  return { data: body.subarray(messageHead, end), isCompressed, isAlone: end === body.length };
}

function errorOf(thrown: unknown, call: Call): ConnectError {
  if (thrown instanceof ConnectError) return withoutDetails(thrown);
  const reason = call.aborted();
  if (reason instanceof ConnectError) return reason;
  return new ConnectError("internal error", Code.Internal, undefined, undefined, thrown);
}
