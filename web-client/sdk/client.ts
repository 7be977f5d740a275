import type { DescMethod, DescService, MessageShape } from "@bufbuild/protobuf";
import { type CallOptions, createClient, type Transport } from "@connectrpc/connect";
import { toDocketError } from "./errors.ts";
import type { MethodRequest } from "./request-shape.ts";

/** Connect's options of a call, each of which may be `undefined`. */
type OptionsOfCall = { readonly [P in keyof CallOptions]?: CallOptions[P] | undefined };

type Call<Method extends DescMethod> = {
  unary: (request: MethodRequest<Method>, options?: OptionsOfCall) => Promise<MessageShape<Method["output"]>>;
  server_streaming: (
    request: MethodRequest<Method>,
    options?: OptionsOfCall,
  ) => AsyncIterable<MessageShape<Method["output"]>>;
  client_streaming: (
    requests: AsyncIterable<MethodRequest<Method>>,
    options?: OptionsOfCall,
  ) => Promise<MessageShape<Method["output"]>>;
  bidi_streaming: (
    requests: AsyncIterable<MethodRequest<Method>>,
    options?: OptionsOfCall,
  ) => AsyncIterable<MessageShape<Method["output"]>>;
}[Method["methodKind"]];

/** The methods of a service. A field or option that is `undefined` is the same as an absent one. */
export type TypedClient<Desc extends DescService> = { readonly [P in keyof Desc["method"]]: Call<Desc["method"][P]> };

type AnyCall = (request: unknown, options?: CallOptions) => unknown;

/** Creates a Connect client of a service that rejects with `DocketError`s only. */
export function createTypedClient<Desc extends DescService>(service: Desc, transport: Transport): TypedClient<Desc> {
  const client = createClient(service, transport) as Record<string, AnyCall>;
  const typed: Record<string, AnyCall> = {};
  for (const { localName, methodKind } of service.methods) {
    const call = client[localName];
    if (call !== undefined) {
      typed[localName] =
        methodKind === "unary" || methodKind === "client_streaming"
          ? (request, options) => (call(request, options) as Promise<unknown>).catch(rethrow)
          : (request, options) => translated(call(request, options) as AsyncIterable<unknown>);
    }
  }
  return typed as TypedClient<Desc>;
}

async function* translated(messages: AsyncIterable<unknown>): AsyncGenerator<unknown> {
  try {
    yield* messages;
  } catch (error) {
    rethrow(error);
  }
}

function rethrow(error: unknown): never {
  throw toDocketError(error);
}
