import { type DescMethod, getOption, hasOption } from "@bufbuild/protobuf";
import type {
  ContextValues,
  Interceptor,
  StreamRequest,
  StreamResponse,
  UnaryRequest,
  UnaryResponse,
} from "@connectrpc/connect";
import { abortable, untilAborted } from "../../../gateway/call/abort.ts";
import { access as accessOption } from "../../../gen/docket/options/v1/options_pb.js";
import { clientAddressKey, type Principal, principalKey } from "../context-values.ts";
import { permissionDenied, unauthenticated } from "../errors.ts";
import type { Authenticate, Credential } from "./authenticate.ts";
import type { WatchCredential } from "./credential-watch.ts";
import { adminScope } from "./scopes.ts";

/** Access rule of a method, as declared in its proto. */
export type Access =
  | { readonly kind: "open" }
  | { readonly kind: "internal" }
  | { readonly kind: "scopes"; readonly anyOf: readonly string[] };

/** Reads `(docket.options.v1.access)`; undefined if it is missing or empty. */
export function accessOf(method: DescMethod): Access | undefined {
  if (!hasOption(method, accessOption)) {
    return undefined;
  }
  const { open, internal, scopes } = getOption(method, accessOption);
  if (internal) {
    return { kind: "internal" };
  }
  if (scopes.length > 0) {
    return { kind: "scopes", anyOf: scopes };
  }
  return open ? { kind: "open" } : undefined;
}

/** The properties of a call that authorization depends on. */
export interface AccessRequest {
  readonly method: DescMethod;
  readonly header: Headers;
  readonly values: ContextValues;
  readonly signal: AbortSignal;
}

/**
 * Authorizes a call by its headers, before its message is read. Sets `principalKey` in the values; if it is set
 * already, authentication is skipped.
 *
 * Returns undefined if the decision is synchronous.
 *
 * @throws ConnectError UNAUTHENTICATED, PERMISSION_DENIED, or the rejection of `authenticate`, synchronously or not.
 */
export type Authorize = (request: AccessRequest) => Promise<void> | undefined;

/**
 * Enforces the declared access rules.
 *
 * Open methods are not authenticated. Otherwise the principal is the one in the context values (set by a caller in this
 * process, or on admission), or the owner of the credential; without one the call is UNAUTHENTICATED. Docket's own
 * services may call every method. Other callers may not call internal or undeclared methods, and need any one of the
 * declared scopes. A rejection is PERMISSION_DENIED and names those scopes, which are public in the contract.
 */
export function createAuthorize(authenticate: Authenticate): Authorize {
  const known = new WeakMap<DescMethod, Access>();

  const accessTo = (method: DescMethod): Access => {
    let access = known.get(method);
    if (access === undefined) {
      access = accessOf(method) ?? { kind: "internal" };
      known.set(method, access);
    }
    return access;
  };

  const establish = async ({ header, values, signal }: AccessRequest, access: Access): Promise<void> => {
    const credential = credentialOf(header);
    const principal = credential && (await authenticate(credential, header, signal, values.get(clientAddressKey)));
    if (principal === undefined) {
      throw unauthenticated();
    }
    values.set(principalKey, principal);
    assertAllowed(principal, access);
  };

  return (request) => {
    const access = accessTo(request.method);
    if (access.kind === "open") {
      return undefined;
    }
    const principal = request.values.get(principalKey);
    if (principal === undefined) {
      return establish(request, access);
    }
    assertAllowed(principal, access);
    return undefined;
  };
}

/**
 * Authorizes each call before its handler runs, on wires that have not called {@link Authorize} by then. Long-lived
 * calls (streams, and unary calls that request a `wait`) end with UNAUTHENTICATED when their credential is revoked or
 * expires, even if the handler ignores its signal. Other unary calls are authorized once, at the start.
 */
export function createAccessInterceptor(authorize: Authorize, watch: WatchCredential): Interceptor {
  return (next) => async (request) => {
    const { method, header, signal, contextValues: values } = request;
    await authorize({ method, header, values, signal });
    const principal = values.get(principalKey);
    if (principal === undefined || principal.kind === "service" || !lasts(request)) {
      return next(request);
    }
    const credential = credentialOf(header);
    return credential === undefined ? next(request) : whileValid(request, watch(credential, principal, signal), next);
  };
}

type Next = ReturnType<Interceptor>;

function lasts(request: StreamRequest | UnaryRequest): boolean {
  return request.stream || ("wait" in request.message && request.message.wait !== undefined);
}

/** Runs a call until its credential ends; then both directions reject with the reason of `ended`. */
async function whileValid(
  request: StreamRequest | UnaryRequest,
  ended: AbortSignal,
  next: Next,
): Promise<StreamResponse | UnaryResponse> {
  // A signal per call: on a signal shared by thousands of calls, the cost of a listener grows with their number.
  const signal = AbortSignal.any([request.signal, ended]);
  const limited = request.stream
    ? { ...request, signal, message: abortable(request.message, signal) }
    : { ...request, signal };
  const response = await untilAborted(next(limited), signal);
  return response.stream ? { ...response, message: abortable(response.message, signal) } : response;
}

function assertAllowed(principal: Principal, access: Access): void {
  if (!isAllowed(principal, access)) {
    throw permissionDenied(access.kind === "scopes" ? access.anyOf : []);
  }
}

function isAllowed(principal: Principal, access: Access): boolean {
  if (principal.kind === "service") {
    return true;
  }
  return (
    access.kind === "scopes" &&
    (principal.scopes.has(adminScope) || access.anyOf.some((scope) => principal.scopes.has(scope)))
  );
}

const schemes: Readonly<Record<string, Credential["scheme"]>> = { bearer: "bearer", service: "service" };

/** Extracts the credential: `Authorization` before `X-Api-Key`; undefined if neither has a known form. */
export function credentialOf(header: Headers): Credential | undefined {
  const authorization = header.get("authorization");
  if (authorization !== null) {
    const [, scheme = "", token = ""] = /^([a-z]+) +([^\s,]+)$/i.exec(authorization) ?? [];
    const known = schemes[scheme.toLowerCase()];
    return known && { scheme: known, token };
  }
  const key = header.get("x-api-key")?.trim();
  return key === undefined || key === "" ? undefined : { scheme: "api_key", token: key };
}
