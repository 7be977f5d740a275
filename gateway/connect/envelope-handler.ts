import type { Message } from "@bufbuild/protobuf";
import { Code, ConnectError, type HandlerContext, type MethodImplSpec } from "@connectrpc/connect";
import {
  compressionNegotiate,
  contentTypeMatcher,
  createMethodUrl,
  type EnvelopedMessage,
  type ProtocolHandlerFactory,
  pipe,
  type Serialization,
  transformCatchFinally,
  transformCompressEnvelope,
  transformDecompressEnvelope,
  transformJoinEnvelopes,
  transformParseEnvelope,
  transformPrepend,
  transformSerializeEnvelope,
  transformSplitEnvelope,
  type UniversalHandlerOptions,
  type UniversalServerRequest,
  type UniversalServerResponse,
  untilFirst,
  uResponseMethodNotAllowed,
  uResponseOk,
  uResponseUnsupportedMediaType,
  validateUniversalHandlerOptions,
} from "@connectrpc/connect/protocol";
import { beginCall, type Call } from "../call/call-context.ts";
import { signalsOf } from "../call/cancellation.ts";
import { responsesOf } from "../call/invoke.ts";
import { withoutDetails } from "../errors.ts";
import type { EnvelopeWire } from "./envelope-wires.ts";
import type { RpcCodec } from "./method-codec.ts";

/**
 * Serves methods on wires with enveloped messages, using our codec within connect-node's steps: its own handlers are
 * bound to the library's JSON.
 */
export function createEnvelopeFactory(
  wire: EnvelopeWire,
  codecOf: (spec: MethodImplSpec) => RpcCodec,
  given: Partial<UniversalHandlerOptions>,
): ProtocolHandlerFactory {
  const options = validateUniversalHandlerOptions(given);
  const factory = (spec: MethodImplSpec) =>
    Object.assign((request: UniversalServerRequest) => serve(wire, spec, codecOf(spec), options, request), {
      protocolNames: [wire.protocol],
      allowedMethods: ["POST"],
      supportedContentType: contentTypeMatcher(wire.contentTypes),
      requestPath: createMethodUrl("/", spec.method),
      service: spec.method.parent,
      method: spec.method,
    });
  return Object.assign(factory, { protocolName: wire.protocol });
}

async function serve(
  wire: EnvelopeWire,
  spec: MethodImplSpec,
  codec: RpcCodec,
  options: UniversalHandlerOptions,
  request: UniversalServerRequest,
): Promise<UniversalServerResponse> {
  const { header } = request;
  const type = wire.parseContentType(header.get("content-type"));
  if (type === undefined) return uResponseUnsupportedMediaType;
  if (request.method !== "POST") return uResponseMethodNotAllowed;
  const { binary } = type;
  const timeout = wire.parseTimeout(header.get(wire.timeoutHeader), options.maxTimeoutMs);
  const call = beginCall(spec.method, {
    protocolName: wire.protocol,
    requestMethod: request.method,
    url: request.url,
    requestHeader: () => header,
    timeoutMs: timeout.timeoutMs,
    cancellation: signalsOf([request.signal, options.shutdownSignal]),
    values: request.contextValues,
  });
  call.responseHeader.set("content-type", wire.contentTypeOf(binary));
  for (const [name, value] of Object.entries(wire.trailer)) call.responseTrailer.set(name, value);
  const compression = compressionNegotiate(
    options.acceptCompression,
    header.get(wire.encodingHeader),
    header.get(wire.acceptEncodingHeader),
    wire.acceptEncodingHeader,
  );
  if (compression.response !== null) call.responseHeader.set(wire.encodingHeader, compression.response.name);

  const serialization: Serialization<Message> = {
    parse: (data) => decode(codec, data, binary),
    serialize: (message) => codec.encode(message, binary) as Buffer<ArrayBuffer>,
  };
  const requests = pipe(
    request.body as AsyncIterable<Uint8Array>,
    transformPrepend<Uint8Array>(() => {
      const error = compression.error ?? timeout.error;
      if (error !== undefined) throw error;
      return undefined;
    }),
    transformSplitEnvelope(options.readMaxBytes),
    transformDecompressEnvelope(compression.request, options.readMaxBytes),
    // Connect clients may end a stream with an end-of-stream envelope, which carries no information.
    wire.endFlag === undefined
      ? transformParseEnvelope(serialization)
      : transformParseEnvelope(serialization, wire.endFlag),
  );
  const responses = await admitted(call, options, () => responsesOf(spec, call, requests, options.interceptors));
  const messages = pipe(
    aborting(responses, call),
    transformSerializeEnvelope(serialization),
    // Otherwise, after a disconnect, the implementation would stay suspended at its `yield` and keep its resources.
    { propagateDownStreamError: true },
  );
  const finish = (reason: unknown): ConnectError | undefined => {
    if (reason === undefined) call.finish();
    else call.abort(reason);
    if (reason === undefined || reason instanceof ConnectError) return reason;
    return new ConnectError("internal error", Code.Internal, undefined, undefined, reason);
  };
  const { end, endFlag } = wire;
  const close = transformCatchFinally<EnvelopedMessage>((reason) => {
    const data = end(call.responseTrailer, finish(reason));
    return data === undefined ? undefined : { flags: endFlag ?? 0, data };
  });
  const compress = transformCompressEnvelope(compression.response, options.compressMinBytes);
  const body = pipe(messages, close, compress, transformJoinEnvelopes(), { propagateDownStreamError: true });
  return {
    ...uResponseOk,
    // Headers can be set until the first message.
    body: await untilFirst(body),
    header: call.responseHeader,
    ...(endFlag === undefined && { trailer: call.responseTrailer }),
  };
}

function decode(codec: RpcCodec, data: Uint8Array, binary: boolean): Message {
  try {
    return codec.decode(data, binary);
  } catch (error) {
    throw withoutDetails(ConnectError.from(error));
  }
}

/** Runs the admission check before any of the body is read. */
async function admitted<T>(
  context: HandlerContext,
  { requestGate }: UniversalHandlerOptions,
  invoke: () => AsyncIterator<T>,
): Promise<AsyncIterator<T>> {
  try {
    await requestGate?.(context);
  } catch (reason) {
    return { next: () => Promise.reject(reason) };
  }
  return invoke();
}

/** The messages of an implementation. Its signal aborts as soon as they are no longer consumed. */
function aborting<T>(messages: AsyncIterator<T>, call: Call): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]: () => ({
      next: () => messages.next(),
      throw(error) {
        call.abort(error);
        return messages.throw?.(error) ?? Promise.reject(error);
      },
      return(value) {
        call.finish();
        return messages.return?.(value) ?? Promise.resolve({ done: true, value });
      },
    }),
  };
}
