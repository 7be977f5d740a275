import { type ContextValues, createContextKey, type HandlerContext } from "@connectrpc/connect";
import { unauthenticated } from "./errors.ts";

/**
 * The authenticated caller.
 *
 * `tenant` bounds what the call may access. `subject` identifies the caller within the tenant: an API key's id, a JWT's
 * `sub`, or the name of one of Docket's services.
 */
export interface Principal {
  readonly kind: "api_key" | "jwt" | "service";
  readonly tenant: string;
  readonly subject: string;
  readonly scopes: ReadonlySet<string>;
  /** Expiry of the credential in epoch milliseconds; undefined if it does not expire. */
  readonly expiresAt?: number;
}

/** Set by the auth interceptor. A caller in the same process may set it before the call, which skips authentication. */
export const principalKey = createContextKey<Principal | undefined>(undefined, {
  description: "principal",
});

/**
 * Set by the request id interceptor. The id also appears in the log line, in the response's `x-request-id` and in
 * INTERNAL errors.
 */
export const requestIdKey = createContextKey<string>("", {
  description: "request id",
});

/**
 * The client's address, as far as it can be trusted, see `clientAddressOf`. Set by the ports; empty for calls within
 * the process.
 */
export const clientAddressKey = createContextKey<string>("", { description: "client address" });

/** Position of the database that the call's reads on a replica must include; empty for none. */
export const readPositionKey = createContextKey<string>("", { description: "read position" });

/** The wire of a call: set by the gRPC port and by calls within the process. */
export const wireKey = createContextKey<"http" | "grpc" | "local">("http", { description: "wire" });

/** Whether the connection to another process may repeat the call, see `createRetryInterceptor`. */
export const repeatableKey = createContextKey<boolean>(true, { description: "repeatable" });

/**
 * Returns the caller of this RPC.
 *
 * @throws ConnectError UNAUTHENTICATED without a principal, which is only possible in methods declared `open`.
 */
export function principalOf(context: Pick<HandlerContext, "values">): Principal {
  const principal = context.values.get(principalKey);
  if (principal === undefined) {
    throw unauthenticated();
  }
  return principal;
}

/** Identifies an actor in histories and logs: `api_key:01h…`, `jwt:…`, `service:billing`. */
export function actorOf({ kind, subject }: Principal): string {
  return `${kind}:${subject}`;
}

/** Creates values that read through to `values`; writes to them do not affect `values`. */
export function inheritValues(values: ContextValues): ContextValues {
  return Object.create(values) as ContextValues;
}
