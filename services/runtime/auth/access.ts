import { type DescMethod, getOption, hasOption } from "@bufbuild/protobuf";
import type {
  ContextValues,
  Interceptor,
  StreamRequest,
  StreamResponse,
  UnaryRequest,
  UnaryResponse,
} from "@connectrpc/connect";
import { access as accessOption } from "../../../gen/docket/options/v1/options_pb.js";
import { abortable, untilAborted } from "../call/abort.ts";
import { clientAddressKey, type Principal, principalKey } from "../context-values.ts";
import { permissionDenied, unauthenticated } from "../errors.ts";
import type { Authenticate, Credential } from "./authenticate.ts";
import type { WatchCredential } from "./credential-watch.ts";
import { adminScope } from "./scopes.ts";

/** Who may call a method, as its proto declares it. */
export type Access =
  | { readonly kind: "open" }
  | { readonly kind: "internal" }
  | { readonly kind: "scopes"; readonly anyOf: readonly string[] };

/** The declaration of `(docket.options.v1.access)`; undefined where it is missing or says nothing. */
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

/** What of a call decides who may make it. */
export interface AccessRequest {
  readonly method: DescMethod;
  readonly header: Headers;
  readonly values: ContextValues;
  readonly signal: AbortSignal;
}

/**
 * Authorizes a call by its headers: nothing of its message is needed. Sets `principalKey` in the values; where it is set
 * already, the caller is not authenticated again.
 *
 * Undefined at once where there is nothing to wait for.
 *
 * @throws ConnectError UNAUTHENTICATED, PERMISSION_DENIED, or what `authenticate` rejects with, at once or later.
 */
export type Authorize = (request: AccessRequest) => Promise<void> | undefined;

/**
 * Lets in only those for whom a method declares to be.
 *
 * Open methods are not authenticated at all. Otherwise the principal is the one in the context values (set by a caller
 * in this process, or when the call was admitted) or whoever the credential belongs to; none is UNAUTHENTICATED. Then
 * our own services may do anything; a method that is internal, or that declares nothing, is for nobody else; and of the
 * declared scopes any one suffices. A refusal is PERMISSION_DENIED and names those scopes, which are
 * public in the contract.
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
 * Authorizes each call before its handler is called, on wires that have not {@link Authorize}d it by then.
 *
 * A call that lasts ends with UNAUTHENTICATED when its credential is revoked or expires, whether or not the handler
 * heeds its signal: a stream, and a unary call that asks to `wait`. Any other unary call is authorised once, when it begins.
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

/** Carries a call out until its credential ends: then both directions reject with the reason of `ended`. */
async function whileValid(
  request: StreamRequest | UnaryRequest,
  ended: AbortSignal,
  next: Next,
): Promise<StreamResponse | UnaryResponse> {
  // A signal of the call's own: on one that thousands of calls share, each listener costs as many steps.
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

/** `Authorization` before `X-Api-Key`; undefined where neither is there in a form that is known. */
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
