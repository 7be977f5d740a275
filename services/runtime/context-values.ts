import { type ContextValues, createContextKey, type HandlerContext } from "@connectrpc/connect";
import { unauthenticated } from "./errors.ts";

/**
 * Who is calling, as far as the runtime has proved it.
 *
 * `tenant` bounds everything that the call may see. `subject` names the caller inside the tenant: an API key's id,
 * a JWT's `sub`, or the name of one of our own services.
 */
export interface Principal {
  readonly kind: "api_key" | "jwt" | "service";
  readonly tenant: string;
  readonly subject: string;
  readonly scopes: ReadonlySet<string>;
  /** When the credential expires, in epoch milliseconds; undefined if it does not. */
  readonly expiresAt?: number;
}

/** Set by the auth interceptor; a caller in the same process may set it before the call, then nothing is authenticated. */
export const principalKey = createContextKey<Principal | undefined>(undefined, {
  description: "principal",
});

/** Set by the request id interceptor; the same id is in the log line, in the response's `x-request-id` and in INTERNAL errors. */
export const requestIdKey = createContextKey<string>("", {
  description: "request id",
});

/**
 * The address of the client, as far as it can be trusted: see `clientAddressOf`. Set by the ports; empty for calls within
 * the process.
 */
export const clientAddressKey = createContextKey<string>("", { description: "client address" });

/** The W3C `traceparent` that came with the call, checked for its form; undefined where none came. */
export const traceparentKey = createContextKey<string | undefined>(undefined, {
  description: "traceparent",
});

/**
 * The caller of this RPC.
 *
 * @throws ConnectError UNAUTHENTICATED where nobody is known, which is only possible in methods declared `open`.
 */
export function principalOf(context: Pick<HandlerContext, "values">): Principal {
  const principal = context.values.get(principalKey);
  if (principal === undefined) {
    throw unauthenticated();
  }
  return principal;
}

/** Who did something, as histories and logs name it: `api_key:01h…`, `jwt:…`, `service:billing`. */
export function actorOf({ kind, subject }: Principal): string {
  return `${kind}:${subject}`;
}

/** New values that read through to `values`: what is set in them is not seen by the owner of `values`. */
export function inheritValues(values: ContextValues): ContextValues {
  return Object.create(values) as ContextValues;
}
