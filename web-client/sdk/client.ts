import type { DescService } from "@bufbuild/protobuf";
import { type CallOptions, type Client, createClient, type Transport } from "@connectrpc/connect";
import { toDocketError } from "./errors.ts";

type AnyCall = (request: unknown, options?: CallOptions) => unknown;

/** Creates a Connect client of a service that rejects with `DocketError`s only. */
export function createTypedClient<Desc extends DescService>(service: Desc, transport: Transport): Client<Desc> {
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
  return typed as Client<Desc>;
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
