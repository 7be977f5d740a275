import { create, type DescMessage, type Message, type MessageInitShape } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type Interceptor,
  type MethodImplSpec,
  type StreamRequest,
  type StreamResponse,
  type UnaryRequest,
} from "@connectrpc/connect";
import { type Call, handlerContext } from "./call-context.ts";
import { DirectContext } from "./direct-context.ts";

type AnyFn = ReturnType<Interceptor>;

/**
 * A method wrapped in its interceptors, composed once per method.
 *
 * `unary` serves unary methods, `stream` the other three kinds; a client-streaming response is a stream of one message.
 */
export interface MethodInvoker {
  readonly kind: MethodImplSpec["kind"];
  unary(message: Message, call: Call): Promise<UnaryAnswer>;
  stream(messages: AsyncIterable<Message>, call: Call): Promise<StreamResponse>;
}

/** A unary response. `header` and `trailer` are undefined if none were set. */
export interface UnaryAnswer {
  readonly message: Message;
  readonly header: Headers | undefined;
  readonly trailer: Headers | undefined;
}

export function createMethodInvoker(spec: MethodImplSpec, interceptors: readonly Interceptor[]): MethodInvoker {
  const { method } = spec;
  const service = method.parent;
  const url = `grpc:/${service.typeName}/${method.name}`;
  const chain = interceptors.reduceRight<AnyFn>((next, interceptor) => interceptor(next), innermost(spec));
  const common = { service, requestMethod: "POST", url };

  return {
    kind: spec.kind,
    async unary(message, call) {
      if (spec.kind !== "unary") {
        throw wrongKind(spec);
      }
      if (interceptors.length === 0) {
        const context = new DirectContext(method, url, call);
        const answer = create(method.output, await spec.impl(message, context));
        return { message: answer, ...call.touched() };
      }
      const { header, signal, values } = call;
      const request: UnaryRequest = {
        ...common,
        stream: false,
        method: spec.method,
        message,
        header,
        signal,
        contextValues: values,
      };
      const response = await chain(request);
      if (response.stream) {
        throw wrongKind(spec);
      }
      return response;
    },
    async stream(messages, call) {
      if (spec.kind === "unary") {
        throw wrongKind(spec);
      }
      const { header, signal, values } = call;
      const request: StreamRequest = {
        ...common,
        stream: true,
        method: spec.method,
        message: messages,
        header,
        signal,
        contextValues: values,
      };
      const response = await chain(request);
      if (!response.stream) {
        throw wrongKind(spec);
      }
      return response;
    },
  };
}

/** The end of the chain: calls the implementation and completes its response to a full message. */
function innermost(spec: MethodImplSpec): AnyFn {
  const service = spec.method.parent;
  if (spec.kind === "unary") {
    const { method, impl } = spec;
    return async (request) => {
      if (request.stream) {
        throw wrongKind(spec);
      }
      const context = handlerContext(method, request);
      const message = create(method.output, await impl(request.message, context));
      const { responseHeader: header, responseTrailer: trailer } = context;
      return { stream: false, service, method, header, trailer, message };
    };
  }
  return async (request) => {
    if (!request.stream) {
      throw wrongKind(spec);
    }
    const context = handlerContext(spec.method, request);
    const message = answers(spec, request.message, context);
    const { responseHeader: header, responseTrailer: trailer } = context;
    return {
      stream: true,
      service,
      method: spec.method,
      header,
      trailer,
      message,
    };
  };
}

async function* answers(
  spec: Exclude<MethodImplSpec, { kind: "unary" }>,
  requests: AsyncIterable<Message>,
  context: ReturnType<typeof handlerContext>,
): AsyncGenerator<Message> {
  const { output } = spec.method;
  switch (spec.kind) {
    case "client_streaming":
      yield create(output, await spec.impl(requests, context));
      return;
    case "server_streaming":
      yield* whole(output, spec.impl(await single(requests), context));
      return;
    case "bidi_streaming":
      yield* whole(output, spec.impl(requests, context));
      return;
    default:
      spec satisfies never;
  }
}

async function* whole<Desc extends DescMessage>(
  schema: Desc,
  messages: AsyncIterable<MessageInitShape<Desc>>,
): AsyncGenerator<Message> {
  for await (const message of messages) {
    yield create(schema, message);
  }
}

/** Reads the single request of a server-streaming call. Zero or two requests are UNIMPLEMENTED, as in gRPC. */
async function single(messages: AsyncIterable<Message>): Promise<Message> {
  let only: Message | undefined;
  for await (const message of messages) {
    if (only !== undefined) {
      throw new ConnectError("the method takes one request, and more were sent", Code.Unimplemented);
    }
    only = message;
  }
  if (only === undefined) {
    throw new ConnectError("the method takes one request, and none was sent", Code.Unimplemented);
  }
  return only;
}

function wrongKind(spec: MethodImplSpec): ConnectError {
  const { method } = spec;
  return new ConnectError(
    `${method.parent.typeName}/${method.name} is ${spec.kind}; it was called or intercepted as another kind`,
    Code.Internal,
  );
}
