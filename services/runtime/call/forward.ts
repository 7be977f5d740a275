import {
  create,
  type DescMethod,
  type DescMethodStreaming,
  type DescMethodUnary,
  type DescService,
  type Message,
} from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  createServiceImplSpec,
  type HandlerContext,
  type ServiceImpl,
  type ServiceImplSpec,
  type Transport,
} from "@connectrpc/connect";
import { isProtocolHeader } from "../../../gateway/http/metadata.ts";
import { clientAddressKey, requestIdKey } from "../context-values.ts";

/**
 * Implements every method of a service by calling the same method of another process, for a gateway in front of
 * services. The caller's credential and metadata are forwarded, so the service authorizes the original caller; so are
 * the deadline, cancellation and correlation id. The client's address is sent in `forwardedHeader`, which the service
 * uses if it trusts this process as a proxy.
 *
 * Responses, trailers, and errors with their details are passed back unchanged.
 */
export function forwardService(service: DescService, transport: Transport, forwardedHeader: string): ServiceImplSpec {
  const implementation = Object.fromEntries(
    service.methods.map((method) => [method.localName, forward(method, transport, forwardedHeader)]),
  );
  return createServiceImplSpec(service, implementation as unknown as ServiceImpl<DescService>);
}

function forward(method: DescMethod, transport: Transport, forwardedHeader: string) {
  const received = async function* (messages: AsyncIterable<Message>, context: HandlerContext) {
    const { signal } = context;
    const header = headersFor(context, forwardedHeader);
    try {
      const streaming = method as DescMethodStreaming;
      const response = await transport.stream(streaming, signal, context.timeoutMs(), header, messages, undefined);
      copyHeaders(response.header, context.responseHeader);
      yield* response.message;
      copyHeaders(response.trailer, context.responseTrailer);
    } catch (error) {
      throw asOwn(error);
    }
  };

  switch (method.methodKind) {
    case "unary":
      return async (message: Message, context: HandlerContext): Promise<Message> => {
        try {
          const { signal } = context;
          const header = headersFor(context, forwardedHeader);
          const response = await transport.unary(
            method as DescMethodUnary,
            signal,
            context.timeoutMs(),
            header,
            message,
            undefined,
          );
          copyHeaders(response.header, context.responseHeader);
          copyHeaders(response.trailer, context.responseTrailer);
          return response.message;
        } catch (error) {
          throw asOwn(error);
        }
      };
    case "server_streaming":
      return (message: Message, context: HandlerContext) => received(only(message), context);
    case "client_streaming":
      return async (messages: AsyncIterable<Message>, context: HandlerContext): Promise<Message> => {
        let answer: Message | undefined;
        for await (const message of received(messages, context)) {
          answer = message;
        }
        return answer ?? create(method.output);
      };
    case "bidi_streaming":
      return received;
  }
}

async function* only(message: Message): AsyncGenerator<Message> {
  yield message;
}

function headersFor({ requestHeader, values }: HandlerContext, forwardedHeader: string): Headers {
  const headers = new Headers();
  requestHeader.forEach((value, name) => {
    if (!isProtocolHeader(name)) {
      headers.append(name, value);
    }
  });
  headers.delete("x-forwarded-for");
  headers.delete("forwarded");
  const address = values.get(clientAddressKey);
  if (address !== "") {
    headers.set(forwardedHeader, forwardedHeader === "forwarded" ? `for="${bracketed(address)}"` : address);
  }
  headers.set("x-request-id", values.get(requestIdKey));
  return headers;
}

/** RFC 7239, section 6: an IPv6 address is written in brackets. */
function bracketed(address: string): string {
  return address.includes(":") ? `[${address}]` : address;
}

function copyHeaders(from: Headers, to: Headers): void {
  from.forEach((value, name) => {
    if (!isProtocolHeader(name) && name !== "date" && name !== "x-request-id") {
      to.append(name, value);
    }
  });
}

/** Recreates the error as one of this process, so that it reaches the caller unchanged, including permission errors. */
function asOwn(error: unknown): unknown {
  if (!(error instanceof ConnectError) || error.code === Code.Internal || error.code === Code.Unknown) {
    return error;
  }
  const own = new ConnectError(error.rawMessage, error.code, error.metadata, undefined, error.cause ?? error);
  own.details = error.details;
  return own;
}
