import type { DescService } from "@bufbuild/protobuf";
import {
  type Client,
  type ContextValues,
  createClient,
  createContextValues,
  type HandlerContext,
  type Transport,
} from "@connectrpc/connect";
import { context, propagation, type TextMapSetter } from "@opentelemetry/api";
import {
  inheritValues,
  type Principal,
  principalKey,
  readPositionKey,
  repeatableKey,
  requestIdKey,
} from "../context-values.ts";
import { readPositionHeader } from "../interceptors/read-position.ts";

/** The parts of the RPC being served that `for` needs; a `HandlerContext` fits. */
export type ParentCall = Pick<HandlerContext, "signal" | "timeoutMs" | "values">;

/** Client for calls between Docket's services. Every call is made for a tenant. */
export interface ServiceClient<Desc extends DescService> {
  /**
   * Returns a client that calls as this service on behalf of `tenant`.
   *
   * With `parent`, the call is cancelled with the parent call, stays within its remaining time, and carries its request
   * id. Omit it in background work. The call carries the active trace.
   */
  for(tenant: string, parent?: ParentCall): Client<Desc>;
}

export interface ServiceClientOptions {
  /** Name of the calling service: the `subject` of its principal. */
  readonly subject: string;
  /** Default timeout of a unary call in milliseconds. Default 10,000. A call's 0 disables it. */
  readonly timeoutMs?: number;
  /**
   * Whether calls to another process are repeated where that is safe. Default true. False if the caller's own caller
   * repeats the whole, so that attempts do not multiply.
   */
  readonly repeats?: boolean;
}

/** Creates a typed client of `service` over `transport`, local or remote. */
export function createServiceClient<Desc extends DescService>(
  service: Desc,
  transport: Transport,
  options: ServiceClientOptions,
): ServiceClient<Desc> {
  return {
    for(tenant, parent) {
      const principal: Principal = {
        kind: "service",
        tenant,
        subject: options.subject,
        scopes: noScopes,
      };
      return createClient(service, actingAs(principal, transport, options, parent));
    },
  };
}

const noScopes: ReadonlySet<string> = new Set();

function actingAs(
  principal: Principal,
  transport: Transport,
  { timeoutMs: defaultTimeoutMs = 10_000, repeats = true }: ServiceClientOptions,
  parent: ParentCall | undefined,
): Transport {
  const valuesOf = (own: ContextValues | undefined) => {
    const values = own === undefined ? createContextValues() : inheritValues(own);
    return values.set(principalKey, principal).set(repeatableKey, repeats);
  };
  return {
    unary: (method, signal, timeoutMs, header, input, values) =>
      transport.unary(
        method,
        eitherSignal(signal, parent?.signal),
        within(timeoutMs ?? defaultTimeoutMs, parent?.timeoutMs()),
        continued(header, parent),
        input,
        valuesOf(values),
      ),
    stream: (method, signal, timeoutMs, header, input, values) =>
      transport.stream(
        method,
        eitherSignal(signal, parent?.signal),
        within(timeoutMs, parent?.timeoutMs()),
        continued(header, parent),
        input,
        valuesOf(values),
      ),
  };
}

function eitherSignal(a: AbortSignal | undefined, b: AbortSignal | undefined): AbortSignal | undefined {
  return a !== undefined && b !== undefined ? AbortSignal.any([a, b]) : (a ?? b);
}

/**
 * Clamps the call's timeout to its parent's remaining time. An expired parent leaves one millisecond, because zero or
 * less means no timeout.
 */
function within(own: number | undefined, parentLeft: number | undefined): number | undefined {
  if (parentLeft === undefined) {
    return own;
  }
  const left = Math.max(1, parentLeft);
  return own !== undefined && own > 0 ? Math.min(own, left) : left;
}

/** Adds the parent's request id and read position, and the active trace to the call's headers, whose own take precedence. */
function continued(own: HeadersInit | undefined, parent: ParentCall | undefined): Headers {
  const header = new Headers(own);
  setMissing.set(header, "x-request-id", parent?.values.get(requestIdKey) ?? "");
  setMissing.set(header, readPositionHeader, parent?.values.get(readPositionKey) ?? "");
  propagation.inject(context.active(), header, setMissing);
  return header;
}

const setMissing: TextMapSetter<Headers> = {
  set(header, name, value) {
    if (value !== "" && !header.has(name)) {
      header.set(name, value);
    }
  },
};
